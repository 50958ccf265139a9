from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from core import log
from core.settings import Settings


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_text_lines_have_time_level_service_logger_message_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings(), "connector")
    logging.getLogger("producers.x").warning("relay %s closed", "wss://a", extra={"code": 4000, "why": "too slow"})
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning connector producers\.x: relay wss://a closed"
        r' code=4000 why="too slow"\n',
        line,
    )


def test_outside_input_cannot_forge_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings(), "connector")
    logging.getLogger("x").warning("notice: %s", "bye\n2026-01-01 error: all is lost\x1b[2J", extra={"key": "a\nb"})
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_json_lines_hold_the_same_and_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings(log={"format": "json"}), "sink")
    try:
        int("inner")
    except ValueError:
        logging.getLogger("x").exception("failed\nbadly", extra={"rows": 5, "kind": {1}})
    entry = json.loads(capsys.readouterr().err)
    assert (entry["level"], entry["service"], entry["message"]) == ("error", "sink", "failed\nbadly")
    assert (entry["rows"], entry["kind"]) == (5, "{1}")
    assert "ValueError: invalid literal" in entry["traceback"]


def test_the_level_is_obeyed_and_noisy_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings())
    logging.getLogger("core").debug("hidden")
    logging.getLogger("aiokafka.consumer").info("hidden")
    logging.getLogger("aiokafka.consumer").warning("shown")
    logging.getLogger("asyncpg.pool").warning("hidden")
    log.configure(Settings(log={"level": "debug"}))
    logging.getLogger("aiokafka.consumer").debug("shown")
    said = capsys.readouterr().err
    assert "hidden" not in said
    assert said.count("shown") == 2


def test_a_client_without_its_broker_does_not_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 1000.0
    log.configure(Settings(), "processor", now_s=lambda: now_s)
    for code in range(500):
        logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", 1, code)
        logging.getLogger("processors.x").warning("our own %s", "words")
    logging.getLogger("aiokafka").error("another")
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "our own words" in line]) == 500
    assert [line.partition("aiokafka: ")[2] for line in lines if "aiokafka" in line] == [
        "Unable connect to node with id 1: 0",
        "another",
    ]
    now_s += 10.0
    logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", 1, 500)
    assert capsys.readouterr().err.endswith("aiokafka: Unable connect to node with id 1: 500 left_out=499\n")


def test_input_on_which_rules_fail_does_not_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Settings(), "processor")
    for error in [ValueError("a"), ValueError("b"), TypeError("c")] * 100:
        logging.getLogger("processors.validate.apart").error("could not be validated", exc_info=error)
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if not line[0].isdigit()] == ["ValueError: a", "TypeError: c"]


def test_what_a_client_corrects_by_itself_is_written_only_where_it_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 1000.0
    log.configure(Settings(), "processor", now_s=lambda: now_s)
    coordinator = logging.getLogger("aiokafka.consumer.group_coordinator")

    def fail(error: Exception) -> str:
        coordinator.error("Group Coordinator Request failed: %s", error)
        return capsys.readouterr().err

    assert fail(GroupCoordinatorNotAvailableError()) == ""
    now_s += 9.0
    assert fail(GroupCoordinatorNotAvailableError()) == ""
    now_s += 1.0
    assert "GroupCoordinatorNotAvailableError left_out=2" in fail(GroupCoordinatorNotAvailableError())
    now_s += 3600.0
    assert fail(GroupCoordinatorNotAvailableError()) == ""
    now_s += 3600.0
    assert "GroupAuthorizationFailedError" in fail(GroupAuthorizationFailedError())
