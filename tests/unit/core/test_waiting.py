from __future__ import annotations

import asyncio
import logging
import re
import socket
import time

import pytest
from aiokafka.errors import NodeNotReadyError

from core import waiting
from core.backoff import Backoff


class AwayError(Exception):
    pass


def is_away(error: BaseException) -> bool:
    return isinstance(error, AwayError)


async def test_it_tries_until_it_works_and_says_so_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    seen: list[list[str]] = []

    async def attempt() -> str:
        seen.append(waiting.reasons())
        if len(seen) < 20:
            raise AwayError("no answer")
        return "here"

    quick = Backoff(0.001, 0.002)
    assert await waiting.until_it_works("the server", attempt, is_away, backoff=quick) == "here"
    assert seen[0] == []
    said = re.compile(r"waiting for the server for \d+ s: AwayError: no answer")
    assert all(len(reasons) == 1 and said.fullmatch(reasons[0]) for reasons in seen[1:])
    assert waiting.reasons() == []
    # Told when it begins and when it ends, not at each of twenty tries.
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "AwayError: no answer" in caplog.text


async def test_work_that_goes_well_is_no_wait_unless_it_takes_long() -> None:
    async def attempt() -> list[str]:
        return waiting.reasons()

    assert await waiting.until_it_works("the server", attempt, is_away) == []
    assert await waiting.until_it_works("the server", attempt, is_away, patience_s=0) == [
        "waiting for the server for 0 s"
    ]


async def test_what_waiting_does_not_help_is_raised_at_once() -> None:
    tries = 0

    async def attempt() -> None:
        nonlocal tries
        tries += 1
        raise ValueError("wrong password")

    with pytest.raises(ValueError, match="wrong password"):
        await waiting.until_it_works("the server", attempt, is_away)
    assert tries == 1
    assert waiting.reasons() == []


async def test_a_wait_with_a_limit_ends_with_what_was_met_last() -> None:
    async def attempt() -> None:
        raise AwayError("no answer")

    with waiting.giving_up_after(0.01), pytest.raises(waiting.ServerAwayError) as caught:
        await waiting.until_it_works("the server", attempt, is_away, connects=True, setting=("kafka", "key"))
    assert str(caught.value) == "the server has not answered within 0.01 s (AwayError: no answer)"
    assert caught.value.setting == ("kafka", "key")
    assert waiting.reasons() == []


async def test_a_connection_that_hangs_is_cut_off_and_work_is_not() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    with waiting.giving_up_after(0.01), pytest.raises(waiting.ServerAwayError, match=r"within 0\.01 s$"):
        await waiting.until_it_works("the server", hang, is_away, connects=True)

    async def work() -> str:
        await asyncio.sleep(0.03)
        return "done"

    with waiting.giving_up_after(0.01):
        assert await waiting.until_it_works("the server", work, is_away) == "done"


async def test_the_limit_of_work_counts_from_its_first_failure() -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await asyncio.sleep(0.03)
        raise AwayError

    quick = Backoff(0.001, 0.002)
    with waiting.giving_up_after(0.02), pytest.raises(waiting.ServerAwayError):
        await waiting.until_it_works("the server", work, is_away, backoff=quick)
    assert tries > 1


def test_silence_is_an_error_within_a_limit_only() -> None:
    long_ago = time.monotonic() - 100
    waiting.check_silence("the server", long_ago)
    with waiting.giving_up_after(1000):
        waiting.check_silence("the server", long_ago)
    with waiting.giving_up_after(50), pytest.raises(waiting.ServerAwayError, match="within 50 s"):
        waiting.check_silence("the server", long_ago)


async def test_outside_of_a_limit_waits_go_on() -> None:
    with waiting.giving_up_after(0.001):
        pass
    tries = 0

    async def attempt() -> int:
        nonlocal tries
        tries += 1
        if tries < 5:
            raise AwayError
        return tries

    quick = Backoff(0.002, 0.002)
    assert await waiting.until_it_works("the server", attempt, is_away, backoff=quick, connects=True) == 5


async def test_a_cancelled_wait_is_over() -> None:
    tried = asyncio.Event()

    async def attempt() -> None:
        tried.set()
        raise AwayError

    task = asyncio.create_task(waiting.until_it_works("the server", attempt, is_away))
    await tried.wait()
    await asyncio.sleep(0)
    assert waiting.reasons() != []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waiting.reasons() == []


def test_what_is_watched_is_asked_until_it_is_forgotten() -> None:
    answer: list[str | None] = ["slow"]
    forget = waiting.watch(lambda: answer[0])
    assert waiting.reasons() == ["slow"]
    answer[0] = None
    assert waiting.reasons() == []
    answer[0] = "slow"
    forget()
    assert waiting.reasons() == []


def test_an_error_is_brief_and_of_one_line() -> None:
    assert waiting.brief(ValueError("a\n  b\tc")) == "ValueError: a b c"
    assert waiting.brief(TimeoutError()) == "TimeoutError"
    assert len(waiting.brief(ValueError("x" * 10_000))) < 400
    assert waiting.brief(socket.gaierror(-2, "Name or service not known")) == "host name: Name or service not known"
    assert waiting.brief(NodeNotReadyError("node 1")) == "NodeNotReadyError: node 1"
