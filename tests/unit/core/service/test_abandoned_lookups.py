"""A look-up that fails after its connection was given up is no traceback; other futures that nothing reads are."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket

import pytest
import uvloop

from core.service.abandoned_lookups import pass_over_abandoned_lookups

NOT_READ = "never retrieved"


def said_of(error: Exception, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged at info level of a future with this error that nothing reads."""

    async def leave_it() -> None:
        loop = asyncio.get_running_loop()
        pass_over_abandoned_lookups(loop)
        loop.create_future().set_exception(error)
        gc.collect()

    with caplog.at_level(logging.INFO), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(leave_it())
    return [record.getMessage() for record in caplog.records]


def test_a_failed_lookup_that_nothing_waits_for_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    assert said_of(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), caplog) == []


def test_other_errors_that_nothing_reads_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    assert any(NOT_READ in line for line in said_of(OSError("lost"), caplog))


def test_a_connection_that_is_given_up_during_its_lookup_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def give_up() -> None:
        loop = asyncio.get_running_loop()
        pass_over_abandoned_lookups(loop)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await loop.create_connection(asyncio.Protocol, "nothing.invalid", 1)
        # The thread that looks up names takes them in turn: after this one, the first has ended.
        with pytest.raises(socket.gaierror):
            await loop.getaddrinfo("nothing.invalid", 1)
        gc.collect()

    with caplog.at_level(logging.INFO), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(give_up())
    assert [record.getMessage() for record in caplog.records] == []
