"""Which errors of the database blame a row, which are waited out, and which are disorder."""

from __future__ import annotations

import struct

import asyncpg
import pytest

from core.postgres import is_transient
from sinks.writing.bad_rows import is_row_error


def error(state: str, **fields: str) -> asyncpg.PostgresError:
    """What asyncpg makes of an error that the server reports."""
    made = asyncpg.PostgresError.new({"C": state, "M": "message", **fields})
    assert isinstance(made, asyncpg.PostgresError)
    return made


@pytest.mark.parametrize(
    "state",
    ["53100", "53200", "53300", "57P01", "57P02", "57P03", "40001", "40P01", "08006", "25006", "55P03"],
)
def test_what_passes_is_waited_out(state: str) -> None:
    assert is_transient(error(state))
    assert not is_row_error(error(state))


@pytest.mark.parametrize("state", ["22001", "22003", "22021", "22P05", "23502", "23505", "54000"])
def test_a_value_that_is_refused_blames_its_row(state: str) -> None:
    assert is_row_error(error(state))
    assert not is_transient(error(state))


@pytest.mark.parametrize("state", ["42P01", "42703", "42501", "23503", "3D000", "28P01", "XX001", "0A000", "P0001"])
def test_disorder_is_neither(state: str) -> None:
    assert not is_row_error(error(state))
    assert not is_transient(error(state))


def test_a_check_blames_a_row_only_by_its_name() -> None:
    assert is_row_error(error("23514", n="no_sevens"))
    # No partition of the table takes the row: there is one for every time, or should be.
    assert not is_row_error(error("23514"))


def test_no_error_is_both() -> None:
    classes = [each for each in vars(asyncpg.exceptions).values() if isinstance(each, type)]
    known = [each.sqlstate for each in classes if issubclass(each, asyncpg.PostgresError) and each.sqlstate]
    assert len(known) > 200
    assert [state for state in known if is_row_error(error(state)) and is_transient(error(state))] == []


def test_what_the_client_cannot_send_blames_a_row() -> None:
    assert is_row_error(OverflowError())
    assert is_row_error(struct.error())
    assert is_row_error(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"))
    assert not is_row_error(ConnectionResetError())
    assert not is_row_error(TimeoutError())
