"""Decoding of JSON that orjson refuses or rounds: lone surrogates, and integers of more than 64 bits."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from schemas.reasons import EventError, Reason

MAX_SLOW_DEPTH = 64
"""An event nests three deep; the slow path allows unknown members a little more and stays far from the recursion limit
of the interpreter, so that a verdict never depends on how deep the caller's stack was."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""A string, or what follows a quote without an end: looked for again at each later quote, it would take hours."""
_NOT_BRACKETS = re.compile(r"[^\[\]{}]+")


def decode_exactly(raw: bytes) -> Any:
    """Decode what orjson refuses or rounds: lone surrogates and integers of any size (up to 4,300 digits).

    Raises:
        EventError: `not_json`.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise EventError(Reason.NOT_JSON, None, f"is not UTF-8 at byte {error.start}") from None
    if _depth(text) > MAX_SLOW_DEPTH:
        raise EventError(Reason.NOT_JSON, None, f"nests deeper than {MAX_SLOW_DEPTH}; an event nests three deep")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise EventError(Reason.NOT_JSON, None, f"is not JSON at character {error.pos}: {error.msg}") from None
    except EventError:
        raise
    except ValueError:  # The interpreter's limit on the digits of an integer, which is no JSONDecodeError.
        raise EventError(Reason.NOT_JSON, None, "holds an integer of more than 4,300 digits") from None


def dumps_exactly(value: object) -> bytes:
    r"""Write compact JSON like orjson does, but also what orjson refuses: integers of any size and lone surrogates.

    A lone surrogate becomes its lower-case escape (`\ud800`), the form that ECMAScript's JSON.stringify writes and
    therefore the form over which such events were hashed and signed.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _depth(text: str) -> int:
    """How deep the brackets of a text nest, those inside strings not counted."""
    depth = deepest = 0
    for bracket in _NOT_BRACKETS.sub("", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _refuse_constant(name: str) -> NoReturn:
    raise EventError(Reason.NOT_JSON, None, f"holds {name}, which is not JSON")
