"""Describes the model of a relay's behaviour (`producers.connector.relay_model`) in words. Pure functions."""

from __future__ import annotations

import json

from bigbrotr.console.snapshot_view import printable
from schemas.records.coverage import Fact

_WORDS = {
    "auth": "demands AUTH by {}",
    "late_s": "sends stored events up to {} s after EOSE",
    "page_events": "gives pages of at most {} events",
    "ignores_limit": "ignores limit, sent {} events at once",
    "interval_s": "wants {} s between two messages",
    "kinds_at_once": "refuses filters without kinds, takes {} kinds at once",
    "list_length": "takes at most {} kinds where a filter names some",
    "subscriptions": "takes at most {} subscriptions at once",
    "url": "answers as {}",
}
_AUTH = {"closed": "CLOSED", "notice": "NOTICE or OK", "silence": "silence"}


def fact_words(fact: Fact, *, unicode: bool) -> str:
    """Describe what the relay demands, and in quotes the evidence.

    Args:
        fact: of any name; one that a newer version added is written as it is stored.
        unicode: whether characters beyond ASCII can be written.
    """
    if not isinstance(fact.value, str):
        value = f"{fact.value:,}"
    else:
        value = _AUTH.get(fact.value, fact.value) if fact.name == "auth" else fact.value
    words = _WORDS[fact.name].format(value) if fact.name in _WORDS else f"{fact.name} {value}"
    told = printable(f"{words}: {json.dumps(fact.evidence, ensure_ascii=False)}")
    return told if unicode else told.encode("ascii", "backslashreplace").decode()
