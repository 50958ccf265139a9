"""The registry's digest covers what is decided about relays, and not what connectors met."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records.relay import RelayRecord, Report
from schemas.relay_digest import registry_digest
from schemas.relay_urls.relay_url import Network

ONE = RelayRecord(
    url="wss://a.example",
    network=Network.CLEARNET,
    source="event",
    sources=("api", "event"),
    first_seen_ms=5,
    admitted_at_ms=7,
    updated_at_ms=9,
)
TWO = ONE.model_copy(update={"url": "wss://b.example"})


def test_the_order_does_not_matter() -> None:
    assert registry_digest([ONE, TWO]) == registry_digest([TWO, ONE])
    assert registry_digest([ONE, TWO]).count == 2


@pytest.mark.parametrize(
    "change",
    [
        {"url": "wss://c.example"},
        {"sources": ("event",)},
        {"first_seen_ms": 4},
        {"lane": "priority"},
        {"allowed": False},
        {"admitted_at_ms": None},
    ],
)
def test_what_is_covered(change: dict[str, Any]) -> None:
    assert registry_digest([ONE]) != registry_digest([ONE.model_copy(update=change)])


@pytest.mark.parametrize(
    "change",
    [
        {"state": "confirmed", "report": Report(state="confirmed", at_ms=1)},
        {"admitted_at_ms": 8},
        {"updated_at_ms": 10},
        {"duplicate_of": "wss://c.example"},
    ],
)
def test_what_is_not(change: dict[str, Any]) -> None:
    assert registry_digest([ONE]) == registry_digest([ONE.model_copy(update=change)])


def test_a_denied_relay_counts_the_same_whether_it_was_admitted_before_or_not() -> None:
    denied = ONE.model_copy(update={"allowed": False})
    assert registry_digest([denied]) == registry_digest([denied.model_copy(update={"admitted_at_ms": None})])
