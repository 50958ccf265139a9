"""A flag wakes what waits for it, once, and keeps nothing of what has gone."""

from __future__ import annotations

import asyncio
import gc
import weakref

from core.flag import Flag
from core.tasks import cancel, first_of


async def test_a_flag_that_is_cleared_at_once_wakes_all_that_waited() -> None:
    flag = Flag()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    first = asyncio.create_task(first_of(Flag(), flag, timeout_s=60.0))
    await asyncio.sleep(0)
    flag.set()
    flag.clear()
    assert await asyncio.gather(*waiting) == [True, True, True]
    assert await first
    assert not flag.is_set()


async def test_one_that_is_set_is_not_waited_for() -> None:
    flag = Flag()
    flag.set()
    assert await flag.wait()
    assert await first_of(Flag(), flag, timeout_s=0)


async def test_a_wait_that_is_given_up_leaves_the_others() -> None:
    flag = Flag()
    one, other = asyncio.create_task(flag.wait()), asyncio.create_task(flag.wait())
    await asyncio.sleep(0)
    await cancel(one)
    flag.set()
    assert one.cancelled()
    assert await other


async def test_it_keeps_nothing_of_waits_that_are_over() -> None:
    flag = Flag()
    assert not await first_of(flag, timeout_s=0)
    waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    flag.attach(waiter)
    gone = weakref.ref(waiter)
    flag.detach(waiter)
    del waiter
    gc.collect()
    assert gone() is None
