"""The same events in the same order by every way out, all as the reference matcher of `schemas` has them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import orjson
import pytest

from core.archive.selection import Selection, hidden_by_policy
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import PRIVATE_KINDS
from sinks.export import export
from tests.broker.api.relay.client import Client, connected
from tests.broker.api.served import Served, served_archive
from tests.broker.sinks.archived import AUTHORS, SECRETS, START_S, difficult, signed, some_events

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

SEEDS = range(85)
"""Of questions, which have 200 filters together."""
PAGE = 100
"""Events of a page: most answers have several, and no second has as many."""
VANISHED_AT = START_S + 60 * 86_400
DAY_S = 86_400
VALUES = ["a", "b", "nostr", "ä", "nul\0", "nul\0tag", "plain", "\x7f", "", "with, comma", *AUTHORS[:2]]
KINDS = [0, 1, 3, 4, 5, 62, 1059, 30_023, 65_535]


def _archived() -> tuple[list[Event], set[str]]:
    """Events, and the ids of those that the policy hides: deleted, expired, or of an author who vanished."""
    events = [*some_events(350), *difficult()]
    rng = random.Random(1)
    events += [
        signed(START_S + number, rng.choice([1, 30_023]), [["t", "with, comma"], ["-"]], f"protected {number}")
        for number in range(8)
    ]
    events += [signed(START_S + 7 * number, 4, [["p", rng.choice(AUTHORS)]], "?", author=number) for number in range(4)]
    events += [signed(START_S + 8 + number, 1, [["expiration", "4000000000"]], "not yet") for number in range(3)]
    expired = [
        signed(START_S + number, rng.choice([1, 1059]), [["expiration", "1700000000"], ["p", AUTHORS[0]]], "\0")
        for number in range(8)
    ]
    deleted = rng.sample([each for each in events if each.kind not in {5, 62}], 40)
    requests = [
        signed(START_S + 99, 5, [["e", each.id]], "", author=AUTHORS.index(each.pubkey)) for each in deleted[:25]
    ]
    # Another's request deletes nothing.
    requests += [
        signed(START_S + 98, 5, [["e", each.id]], "", author=(AUTHORS.index(each.pubkey) + 1) % 4)
        for each in deleted[25:]
        if each.kind != 1059
    ]
    vanish = signed(VANISHED_AT, 62, [["relay", "ALL_RELAYS"]], "", author=4)
    events += [*expired, *requests, vanish]
    hidden = {each.id for each in [*expired, *deleted[:25]]} | {
        each.id
        for each in events
        if each.content == "expired long ago"
        or (each.pubkey == AUTHORS[4] and each.created_at <= VANISHED_AT and each.kind != 62)
        or (each.kind == 1059 and each.created_at <= VANISHED_AT and ["p", AUTHORS[4]] in [t[:2] for t in each.tags])
    }
    return events, hidden


def _filter(rng: random.Random, events: Sequence[Event]) -> Filter:
    def some(values: Sequence[Any], most: int) -> tuple[Any, ...]:
        return tuple(rng.sample(values, rng.randrange(1, most)))

    chosen: dict[str, Any] = {}
    if rng.random() < 0.15:
        chosen["ids"] = (*(each.id for each in rng.sample(events, 20)), "ab" * 32)
    if rng.random() < 0.4:
        chosen["authors"] = some([*AUTHORS, "cd" * 32], 4)
    if rng.random() < 0.5:
        chosen["kinds"] = some(KINDS, 5)
    if rng.random() < 0.3:
        chosen["tags"] = {letter: some(VALUES, 5) for letter in some("tpex", 3)}
    if rng.random() < 0.3:
        chosen["since"] = rng.choice([0, START_S + 5, START_S + rng.randrange(120) * DAY_S])
    if rng.random() < 0.3:
        chosen["until"] = rng.choice([START_S + 6, START_S + rng.randrange(120) * DAY_S, 2**40])
    if rng.random() < 0.4:
        chosen["limit"] = rng.choice([1, 2, 7, 30, 1000])
    return Filter(**chosen)


def _question(seed: int, events: Sequence[Event]) -> list[Filter]:
    rng = random.Random(seed)
    return [_filter(rng, events) for _ in range(rng.choice([1, 1, 2, 3, 5]))]


def _order(event: Event) -> tuple[int, str]:
    return -event.created_at, event.id


def _answer(filters: Iterable[Filter], events: Iterable[Event], most: int | None = None) -> list[Event]:
    """NIP-01's answer: of each filter its newest, without repeats. `most` bounds those of a filter."""
    given: dict[str, Event] = {}
    for each in filters:
        bounds = [bound for bound in (each.limit, most) if bound is not None]
        matching = sorted(filter(each.matches, events), key=_order)
        given |= {event.id: event for event in (matching[: min(bounds)] if bounds else matching)}
    return sorted(given.values(), key=_order)


def _is_shown(event: Event, reader: str | None) -> bool:
    if ["-"] in event.tags:
        return False
    return event.kind not in PRIVATE_KINDS or (
        reader is not None and (event.pubkey == reader or any(tag[:2] == ["p", reader] for tag in event.tags))
    )


def _wire(events: Iterable[Event]) -> list[str]:
    return [encode_event(event).decode() for event in events]


def _text(event: dict[str, Any]) -> str:
    return encode_event(Event(**event)).decode()


def _parameters(wanted: Filter) -> str:
    wire = wanted.to_wire()
    lists = {name.replace("#", "tag."): values for name, values in wire.items() if isinstance(values, list)}
    numbers = {name: value for name, value in wire.items() if not isinstance(value, list)}
    return "&".join(
        [f"{name}={','.join(quote(str(value), safe='') for value in values)}" for name, values in lists.items()]
        + [f"{name}={value}" for name, value in numbers.items()]
    )


async def _pages(ask: Callable[[str | None], Any]) -> list[str]:
    """All pages of REST; `limit` is the size of a page there."""
    found: list[str] = []
    cursor = None
    while True:
        async with ask(cursor) as response:
            page = await response.json()
            assert response.status == 200, page
        found += [_text(event) for event in page["events"]]
        cursor = page["next"]
        if cursor is None:
            return found


async def _by_get(http: aiohttp.ClientSession, wanted: Filter) -> list[str]:
    asked = _parameters(wanted)
    return await _pages(lambda cursor: http.get(f"/v1/events?{asked}{f'&cursor={cursor}' if cursor else ''}"))


async def _by_post(http: aiohttp.ClientSession, filters: Sequence[Filter]) -> list[str]:
    wire = [each.to_wire() for each in filters]
    return await _pages(
        lambda cursor: http.post("/v1/events", json=wire, params={"cursor": cursor} if cursor else None)
    )


async def _by_req(relay: Client, filters: Iterable[Filter]) -> list[str]:
    """A REQ; who asks for private kinds alone is told to authenticate, or that they are those of others."""
    *found, end = await relay.ask("REQ", "same", *[each.to_wire() for each in filters])
    if end[0] == "CLOSED":
        assert end[2].startswith(("auth-required: ", "restricted: "))
        assert all(set(each.kinds or ()) <= PRIVATE_KINDS and each.kinds for each in filters)
        return []
    if found and found[0][0] == "AUTH":
        found.pop(0)
    assert end[0] == "EOSE"
    await relay.send("CLOSE", "same")
    return [_text(message[2]) for message in found]


async def _by_reqs(relay: Client, wanted: Filter) -> list[str]:
    """Pages of a filter by `until`, as clients of relays read on."""
    found: dict[str, None] = {}
    until = wanted.until
    while True:
        page = await _by_req(relay, [replace(wanted, until=until, limit=PAGE)])
        before = len(found)
        found |= dict.fromkeys(page)
        if len(page) < PAGE or len(found) == before:
            return list(found)
        until = orjson.loads(page[-1])["created_at"]


async def _exported(served: Served, filters: Sequence[Filter]) -> list[Event]:
    selection = Selection(filters=tuple(filters), hide=hidden_by_policy(served.settings))
    async with served.pool.acquire() as connection:
        return [each.event async for each in export(connection, selection)]


async def test_every_way_out_gives_the_same(servers: Servers, tmp_path: Path) -> None:
    events, hidden = _archived()
    api = {"page_events": PAGE, "requests_per_minute": 100_000}
    policy = dict.fromkeys(["deletion", "expiration", "vanish"], "hide")
    kept = [each for each in events if each.id not in hidden]
    public = [each for each in kept if _is_shown(each, None)]
    own = [each for each in kept if _is_shown(each, AUTHORS[0])]
    async with (
        served_archive(servers, tmp_path, "same_events", events, api=api, policy=policy) as served,
        aiohttp.ClientSession(served.url) as http,
        connected(served.url) as relay,
        connected(served.url) as private,
    ):
        challenge = (await private.ask("REQ", "login", {"kinds": [1059]}))[0][1]
        proof = private.proof(challenge, SECRETS[0])
        assert (await private.ask("AUTH", proof._asdict()))[-1][2]
        for seed in SEEDS:
            filters = _question(seed, events)
            unlimited = [replace(each, limit=None) for each in filters]
            everything = _answer(unlimited, public)
            # REST takes a limit as the size of a page: the smallest would take as many requests as there are events.
            paged = [replace(each, limit=each.limit and PAGE // 2) for each in filters]
            by_rest, by_req, by_private_req, exported = await asyncio.gather(
                _by_get(http, paged[0]) if seed % 2 and len(filters) == 1 else _by_post(http, paged),
                _by_reqs(relay, filters[0]) if seed % 4 == 0 and len(filters) == 1 else _by_req(relay, filters),
                _by_req(private, filters),
                _exported(served, filters),
            )
            assert by_rest == _wire(everything), seed
            is_paged = seed % 4 == 0 and len(filters) == 1
            assert by_req == _wire(everything if is_paged else _answer(filters, public, PAGE)), seed
            assert by_private_req == _wire(_answer(filters, own, PAGE)), seed
            assert exported == sorted(_answer(filters, kept), key=lambda each: (each.created_at, each.id)), seed
            if filters == unlimited:
                shown = [each for each in exported if _is_shown(each, None)]
                assert sorted(shown, key=_order) == everything, seed


def test_the_questions_ask_for_all_there_is() -> None:
    """Answers of all sizes, hidden and private events that would be in them, and values that SQL cannot hold."""
    events, hidden = _archived()
    questions = [_question(seed, events) for seed in SEEDS]
    assert sum(map(len, questions)) >= 200
    answers = [_answer(question, events) for question in questions]
    assert sum(len(answer) > PAGE for answer in answers) > 10
    assert sum(1 < len(answer) < PAGE for answer in answers) > 30
    assert sum(any(each.id in hidden for each in answer) for answer in answers) > 30
    assert sum(any(each.kind in PRIVATE_KINDS for each in answer) for answer in answers) > 30
    assert sum(any("\\u0000" in text for text in _wire(answer)) for answer in answers) > 15
