"""What an API has answered, as relays: a pure function of its bytes and the source's JMESPath expression."""

from __future__ import annotations

from typing import Any, Protocol

import jmespath
import orjson
from jmespath.exceptions import JMESPathError

from producers.operator.listed_relays import RelayList
from producers.operator.relay_lists import RelayListError, take_entries
from schemas.reasons import shape

MOST_RELAYS = 10_000
"""Of one answer: Nostr has a few thousand relays, dead ones counted. What an API lists beyond is left out."""


class Expression(Protocol):
    """A compiled JMESPath expression."""

    def search(self, value: Any) -> Any: ...  # noqa: D102 - jmespath's own


class AnswerError(ValueError):
    """An answer without a list of relays; the message states what there is instead, and the remedy."""


def compiled(expression: str) -> Expression:
    """Compile a JMESPath expression.

    Raises:
        ValueError: it is none; the message is jmespath's.
    """
    found: Expression = jmespath.compile(expression)
    return found


def relays_of(body: bytes, content_type: str, expression: Expression) -> RelayList:
    """Read an answer; what is no URL of a public relay is among the refused.

    Args:
        body: JSON.
        content_type: what the server calls it, for messages: some say text/plain of JSON.
        expression: gives an array of URLs, or of objects with a URL in each.

    Raises:
        AnswerError: it is no JSON, or the expression finds no list in it.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise AnswerError(f"the answer ({len(body)} bytes, called {content_type[:60]}) is not JSON") from None
    try:
        found = expression.search(value)
    except (
        JMESPathError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        # The functions of jmespath raise what Python's do on values of another type or depth.
        raise AnswerError(
            f"the expression fails on the answer, {shape(value)} ({type(error).__name__}): write one that fits it"
        ) from None
    if not isinstance(found, list):
        raise AnswerError(
            f"the expression finds {shape(found)} in the answer, {shape(value)}: write one that gives an array of URLs"
        )
    relays = RelayList()
    try:
        take_entries(found[:MOST_RELAYS], "the answer", into=relays)
    except RelayListError as error:
        raise AnswerError(str(error)) from None
    return relays
