"""What strangers can get accepted never counts as refused by the sink, so they cannot make a storm of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.archive.connection import Pool
from core.settings import Settings
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.judge import CREATED_AT_END, Policy, judge
from schemas.nostr.signature import public_key, sign
from schemas.reasons import Verdict
from schemas.relay_urls.relay_url import MAX_URL_LENGTH
from schemas.topics import RAW_LIMIT_BYTES
from sinks.integrity.digest import archive_digest
from tests.broker.sinks.material import feed, running_sink
from tests.broker.sinks.writing.test_archive import read_rejections
from tests.waiting import until

pytestmark = pytest.mark.broker

SECRET = b"\x07" * 32
AUTHOR = public_key(SECRET)
# What is around content and tags in the largest event.
AROUND_BYTES = 1000
LONG = "x" * (RAW_LIMIT_BYTES - AROUND_BYTES)
MANY = 10_000


def drafts() -> Iterator[tuple[int, int, list[list[str]], str]]:
    """Kind, date, tags and content that go to a limit of a rule, a type or an index."""
    yield 1, 0, [], ""
    yield 1, CREATED_AT_END - 1, [], LONG
    yield 65_535, 1, [[]] * MANY, "\x7f\u0085\u2028\ufffe\U0010ffff"
    yield 1, 2, [["t", LONG]], ""
    yield 1, 3, [[LONG]], "\0"
    yield 1, 4, [["a" + chr(number % 26 + 97), "\0" * (number % 3)] for number in range(MANY)], "\\u0000"
    yield 1, 5, [["p", f"{number:064x}"] for number in range(MANY)], ""
    yield 5, 6, [["e", f"{number:064x}"] for number in range(MANY)], ""
    yield 5, 7, [["a", f"30023:{AUTHOR}:{LONG}"], ["a", f"0030023:{AUTHOR}:\0"], ["a", f"99999:{AUTHOR}:"]], ""
    yield 30_023, 8, [["d", LONG]], ""
    yield 30_023, 9, [["d", "\0"], ["d"]], ""
    yield 62, 10, [["relay", LONG]], ""
    yield 62, 11, [["relay", "ALL_RELAYS"], ["relay", "\0"], ["relay"]], ""
    yield 1059, 12, [["p", "\0"], ["p", "AB" * 32], ["p", AUTHOR]], ""
    for number, until_s in enumerate(
        ("9" * 19, "9" * 5000, str(2**63), str(2**63 - 1), "-1", "\u0661", "1e3", " 7", "0")
    ):
        yield 1, 20 + number, [["expiration", until_s]], ""


def signed(kind: int, created_at: int, tags: list[list[str]], content: str) -> Event:
    draft = Event("", AUTHOR, created_at, kind, tags, content, "")
    event_id = compute_id(draft)
    return draft._replace(id=event_id, sig=sign(SECRET, bytes.fromhex(event_id)))


async def test_the_longest_and_oddest_events_that_are_accepted_become_rows(settings: Settings, pool: Pool) -> None:
    events = [signed(*draft) for draft in drafts()]
    assert {judge(encode_event(each), Policy()).verdict for each in events} == {Verdict.ACCEPTED}
    url = "wss://a.example/".ljust(MAX_URL_LENGTH, "x")
    async with feed(settings) as fed, running_sink(settings):
        await fed.events(events)
        await fed.sightings(events, url, 2**53 - 1)

        async def complete() -> object:
            sighted = await pool.fetchval("SELECT count(*) FROM event_sightings")
            stored = await pool.fetchval("SELECT count(*) FROM events")
            refused = await pool.fetchval("SELECT sum(cardinality(refused)) FROM sink_offsets")
            return refused or sighted == stored == len(events)

        await until(complete, "the archive holds everything")
    assert [rejection.detail for rejection, _ in await read_rejections(settings)] == []
    assert await archive_digest(pool) == fed.digest()
