"""Background tasks: which end is a failure, and that none is left behind."""

from __future__ import annotations

import asyncio

import pytest

from core.flag import Flag
from core.service.background import BackgroundTasks
from core.settings.errors import SettingsError
from core.tasks import cancel


async def works() -> None:
    await Flag().wait()


async def returns() -> None:
    return


async def raises() -> None:
    raise ValueError("a broken figure")


@pytest.fixture
def stopping() -> Flag:
    return Flag()


async def test_what_a_task_raises_is_raised_by_check_and_says_which_task_it_was(stopping: Flag) -> None:
    tasks = BackgroundTasks(stopping)
    tasks.spawn(raises(), "figures")
    tasks.check()
    await tasks.failed.wait()
    with pytest.raises(ValueError, match="a broken figure") as caught:
        tasks.check()
    assert caught.value.__notes__ == ["in the background task figures"]


@pytest.mark.parametrize("stops", [False, True])
async def test_a_return_is_a_failure_only_before_the_stop(stopping: Flag, stops: bool) -> None:
    tasks = BackgroundTasks(stopping)
    if stops:
        stopping.set()
    await asyncio.wait({tasks.spawn(returns(), "figures")})
    assert tasks.failed.is_set() is not stops
    if stops:
        tasks.check()
    else:
        with pytest.raises(RuntimeError, match="it ended by itself"):
            tasks.check()


@pytest.mark.parametrize("stops", [False, True])
async def test_a_cancellation_is_a_failure_only_before_the_stop(stopping: Flag, stops: bool) -> None:
    tasks = BackgroundTasks(stopping)
    task = tasks.spawn(works(), "figures")
    if stops:
        stopping.set()
    await cancel(task)
    assert task.cancelled()
    assert tasks.failed.is_set() is not stops


async def test_an_exception_is_a_failure_also_after_the_stop(stopping: Flag) -> None:
    tasks = BackgroundTasks(stopping)
    stopping.set()
    tasks.spawn(raises(), "figures")
    await tasks.failed.wait()


async def test_the_first_failure_is_the_one_that_is_raised(stopping: Flag, caplog: pytest.LogCaptureFixture) -> None:
    tasks = BackgroundTasks(stopping)
    first, second = tasks.spawn(raises(), "figures"), tasks.spawn(returns(), "clock")
    await asyncio.wait({first, second})
    with pytest.raises(ValueError, match="a broken figure"):
        tasks.check()
    assert "the background task clock failed" in caplog.text


async def test_a_further_failure_that_a_person_must_correct_is_a_sentence(
    stopping: Flag, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused() -> None:
        raise SettingsError("postgres.password is refused")

    tasks = BackgroundTasks(stopping)
    await asyncio.wait({tasks.spawn(raises(), "figures"), tasks.spawn(refused(), "months")})
    assert "the background task months failed: postgres.password is refused" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_close_waits_until_every_task_has_ended_and_is_no_failure(
    stopping: Flag, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []

    async def ends_slowly() -> None:
        try:
            await works()
        finally:
            await asyncio.sleep(0)
            ended.append("slowly")

    async def breaks() -> None:
        try:
            await works()
        finally:
            raise ValueError("while it was cancelled")

    tasks = BackgroundTasks(stopping)
    tasks.spawn(ends_slowly(), "slow")
    broken = tasks.spawn(breaks(), "broken")
    await asyncio.sleep(0)
    await tasks.close()
    assert ended == ["slowly"]
    assert broken.done()
    tasks.check()
    assert "the background task broken failed" in caplog.text
    assert "while it was cancelled" in caplog.text
