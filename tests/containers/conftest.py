"""A Docker engine, or a reason to skip; what runs in it, and what its containers said when a test failed."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.containers.engine import last_words, use_no_reaper_that_is_not_here, why_no_engine
from tests.containers.server_images import what_was_used


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Skip what follows where nothing can run containers."""
    if why := why_no_engine():
        pytest.skip(why)
    use_no_reaper_that_is_not_here()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the containers said last into the report of a test that failed."""
    report = yield
    if report.failed:
        report.sections += [(f"containers: {name}", words()) for name, words in last_words.items()]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which servers' images the run has used: the official ones, or stand-ins."""
    if used := what_was_used():
        terminalreporter.section("images of the servers")
        for line in used:
            terminalreporter.line(line)
