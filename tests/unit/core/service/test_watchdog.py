from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from core.service.watchdog import Watchdog, awaits
from tests.waiting import wait_until


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    dog = Watchdog(stall_s=0.05)
    yield dog
    dog.close()


@pytest.mark.slow
def test_a_loop_that_does_not_turn_leaves_all_stacks_once_a_stall(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    watchdog.beat()
    wait_until(lambda: "has been blocked" in caplog.text, "a stall")
    # Longer than the thread sleeps between two looks: a second entry would come now.
    time.sleep(1.2)
    assert caplog.text.count("has been blocked") == 1
    assert "test_a_loop_that_does_not_turn" in capfd.readouterr().err
    watchdog.beat()
    wait_until(lambda: caplog.text.count("has been blocked") == 2, "another stall")


@pytest.mark.slow
def test_before_the_first_beat_and_at_rest_nothing_is_a_stall(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    assert watchdog.age_s() is None
    watchdog.beat()
    watchdog.rest()
    time.sleep(1.2)
    assert watchdog.age_s() is None
    assert "has been blocked" not in caplog.text


@pytest.mark.slow
def test_a_deadline_that_is_armed_anew_ends_nothing_at_its_first_time(watchdog: Watchdog) -> None:
    watchdog.arm(2, "nothing", 3)
    watchdog.arm(600, "nothing", 3)
    time.sleep(2.5)
    assert threading.active_count() > 1  # we are still here


async def test_where_a_task_waits_is_told_to_its_innermost_await() -> None:
    forever = asyncio.Event()

    async def outer() -> None:
        await inner()

    async def inner() -> None:
        await forever.wait()

    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    said = awaits(task)
    assert (
        said.index("outer (test_watchdog.py:") < said.index("inner (test_watchdog.py:") < said.index("wait (locks.py:")
    )
    forever.set()
    await task
    assert awaits(task) == "done"
