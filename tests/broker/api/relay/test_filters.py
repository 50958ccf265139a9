"""Stored events of every sort of filter, compared with what `Filter.matches` says (NIP-01)."""

from __future__ import annotations

from typing import Any

import pytest

from core.archive.queries.newest import order
from core.archive.queries.view import View
from schemas.nostr.event import Event
from schemas.nostr.filter_wire import filter_from_wire
from tests.broker.api.relay.client import connected
from tests.broker.api.relay.conftest import EVENTS, SAME_SECOND, VERSIONS
from tests.broker.api.served import Served
from tests.broker.sinks.archived import AUTHORS, START_S

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

NOTE, OTHER = [event for event in EVENTS if event.kind == 1][:2]
DAY_S = 86_400
QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "NIP-01: a filter without conditions matches all": [{}],
    "NIP-01: ids are exact": [{"ids": [NOTE.id]}],
    "NIP-01: several ids are alternatives": [{"ids": [NOTE.id, OTHER.id, "0" * 64]}],
    "NIP-01: an id that is not there": [{"ids": ["0" * 64]}],
    "NIP-01: authors": [{"authors": [AUTHORS[0]]}],
    "NIP-01: several authors are alternatives": [{"authors": AUTHORS[:3]}],
    "NIP-01: an author who wrote nothing": [{"authors": ["0" * 64]}],
    "NIP-01: kinds": [{"kinds": [1]}],
    "NIP-01: several kinds are alternatives": [{"kinds": [0, 3, 5]}],
    "NIP-01: a kind twice in the list gives each event once": [{"kinds": [3, 3]}],
    "NIP-01: authors and kinds together": [{"authors": AUTHORS[:2], "kinds": [1, 5]}],
    "NIP-01: a tag of one letter, by its first value": [{"#t": ["nostr"]}],
    "NIP-01: several values of a tag are alternatives": [{"#t": ["a", "b"]}],
    "NIP-01: values of tags are exact, case included": [{"#t": ["A", "NOSTR"]}],
    "NIP-01: an empty value of a tag": [{"#t": [""]}],
    "NIP-01: a value that is not ASCII": [{"#t": ["ä"]}],
    "NIP-01: a value with U+0000": [{"#t": ["nul\0", "nul\0tag"]}],
    "NIP-01: two tags must both be there": [{"#t": ["a", "b"], "#p": ["a", "b", "nostr"]}],
    "NIP-01: #e": [{"#e": ["e" * 64, "f" * 64]}],
    "NIP-01: #p": [{"#p": [AUTHORS[0]]}],
    "NIP-01: #d of addressable events": [{"#d": [""], "kinds": [30_023]}],
    "NIP-01: letters of tags tell upper from lower case": [{"#T": ["a"]}],
    "NIP-01: since is inclusive": [{"since": START_S + 60 * DAY_S}],
    "NIP-01: until is inclusive": [{"until": START_S + 60 * DAY_S}],
    "NIP-01: since and until of one second": [{"since": START_S + 200, "until": START_S + 200}],
    "NIP-01: since after until matches nothing": [{"since": START_S + 9, "until": START_S}],
    "NIP-01: since beyond all events": [{"since": 2**62}],
    "NIP-01: until 0": [{"until": 0}],
    "NIP-01: all fields together": [
        {"authors": AUTHORS, "kinds": [1, 5], "#t": ["a", "b", "ä"], "since": START_S, "until": START_S + 90 * DAY_S}
    ],
    "NIP-01: limit gives the newest": [{"kinds": [1], "limit": 5}],
    "NIP-01: limit 1": [{"limit": 1}],
    "NIP-01: limit above what matches": [{"kinds": [5], "limit": 400}],
    "NIP-01: of equal times the lowest ids come first": [{"kinds": [7], "limit": 5}],
    "NIP-01: several filters are alternatives": [{"kinds": [0]}, {"#t": ["a"]}],
    "NIP-01: an event that two filters match comes once": [{"kinds": [1]}, {"authors": [AUTHORS[0]]}],
    "NIP-01: each filter has its own limit": [{"kinds": [1], "limit": 3}, {"kinds": [5], "limit": 4}],
    "NIP-01: limits count for each filter, also of events that another one gave": [
        {"kinds": [1], "limit": 3},
        {"kinds": [1, 5], "limit": 3},
    ],
    "NIP-01: a filter with limit 0 adds nothing": [{"kinds": [1], "limit": 0}, {"kinds": [5], "limit": 2}],
    "NIP-01: all versions of replaceable events are given": [{"kinds": [10_002], "authors": [AUTHORS[0]]}],
    "NIP-40: an expired event is given where the policy is to mark it": [{"until": 100}],
    "NIP-70: protected events are not given": [{"#t": ["plain"]}],
}


def expected(filters: list[dict[str, Any]]) -> list[str]:
    """Ids in the order of an answer."""
    found: dict[str, Event] = {}
    for wire in filters:
        wanted = filter_from_wire(wire)
        shown = sorted((each for each in EVENTS if wanted.matches(each) and View().shows(each)), key=order)
        found |= {each.id: each for each in shown[: 500 if wanted.limit is None else wanted.limit]}
    return [each.id for each in sorted(found.values(), key=order)]


@pytest.mark.parametrize("paragraph", QUESTIONS)
async def test_stored_events(served: Served, paragraph: str) -> None:
    filters = QUESTIONS[paragraph]
    async with connected(served.url) as client:
        events = await client.events(*filters)
    # Others may have been added by tests of new events, of kinds that no question here asks for by name.
    known = {each.id for each in EVENTS}
    assert [each["id"] for each in events if each["id"] in known] == expected(filters)
    signed = {each.id: each for each in EVENTS}
    assert all(Event(**each) == signed[each["id"]] for each in events if each["id"] in known)


async def test_the_questions_find_what_they_are_about() -> None:
    assert len(expected(QUESTIONS["NIP-01: of equal times the lowest ids come first"])) == 5 < len(SAME_SECOND)
    assert len(expected(QUESTIONS["NIP-01: all versions of replaceable events are given"])) == len(VERSIONS)
    empty = {name for name in QUESTIONS if not expected(QUESTIONS[name])}
    assert empty == {
        "NIP-01: an id that is not there",
        "NIP-01: an author who wrote nothing",
        "NIP-01: values of tags are exact, case included",
        "NIP-01: letters of tags tell upper from lower case",
        "NIP-01: since after until matches nothing",
        "NIP-01: since beyond all events",
    }
