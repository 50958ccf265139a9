"""What runs at once ends together, and nothing of it is left behind."""

from __future__ import annotations

import asyncio

import pytest

from core.flag import Flag
from core.tasks import cancel, first_of, run_until_first, running


class Work:
    """Work without end that notes when it ends all the same."""

    def __init__(self) -> None:
        self.ended = False

    async def run(self) -> None:
        try:
            await Flag().wait()
        finally:
            await asyncio.sleep(0)
            self.ended = True


async def returns() -> int:
    return 1


async def fails(text: str) -> None:
    raise ValueError(text)


async def test_the_first_to_return_ends_the_others() -> None:
    other = Work()
    await run_until_first(other.run(), returns())
    assert other.ended


async def test_of_two_that_fail_the_one_named_first_is_raised_as_it_is() -> None:
    other = Work()
    with pytest.raises(ValueError, match="one"):
        await run_until_first(other.run(), fails("one"), fails("two"))
    assert other.ended


async def test_a_cancelled_wait_ends_all_of_them() -> None:
    one, two = Work(), Work()
    task = asyncio.create_task(run_until_first(one.run(), two.run()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await cancel(task)
    assert (task.cancelled(), one.ended, two.ended) == (True, True, True)


async def test_a_wait_for_the_first_leaves_the_others_as_they_are() -> None:
    work = Work()
    task, one, other = asyncio.create_task(work.run()), Flag(), Flag()
    waiting = asyncio.create_task(first_of(task, one, other))
    await asyncio.sleep(0)
    assert not waiting.done()
    other.set()
    assert await waiting
    assert (work.ended, one.is_set()) == (False, False)
    await cancel(task)
    assert await first_of(task, one), "however a task has ended"
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_wait_for_the_first_ends_in_time() -> None:
    failed = asyncio.create_task(fails("not raised here"))
    assert await first_of(failed, timeout_s=None)
    assert str(failed.exception()) == "not raised here"
    assert not await first_of(Flag(), timeout_s=0)


async def test_work_beside_a_block_ends_with_it() -> None:
    work = Work()
    async with running(work.run()):
        await asyncio.sleep(0)
        assert not work.ended
    assert work.ended


async def test_a_failure_of_a_block_is_raised_and_not_that_of_the_work_beside_it() -> None:
    async def block() -> None:
        async with running(fails("work")):
            await asyncio.sleep(0)
            raise KeyError("block")

    with pytest.raises(KeyError, match="block"):
        await block()
