"""What of new events is not shown is what the archive's view hides once they are there, and what is erased."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import chain, combinations

import pytest

from core.archive.connection import Connection, Pool
from core.archive.queries.hidden import hidden_statement, hidden_values
from core.archive.selection import Hide
from schemas.nostr.event import Event
from schemas.records.erasure import Erasures
from sinks.erasure.erased_rows import erase_ids
from sinks.erasure.rules import Rules, store_if_done
from sinks.tables.projections.vanish_requests import set_own_urls
from tests.broker.sinks.erasure.test_erasure_rules import rules_about
from tests.broker.sinks.forgetting import OWN_URL, Scribe, world

pytestmark = pytest.mark.broker

POLICIES = [frozenset(some) for some in chain.from_iterable(combinations(Hide, count) for count in range(4))]
"""Every set of reasons for which events are left out."""


async def hidden(connection: Connection, events: Sequence[Event], hide: frozenset[Hide]) -> set[str]:
    rows = await connection.fetch(hidden_statement(hide), *hidden_values(events))
    return {events[row["place"] - 1].id for row in rows}


async def hidden_by_view(connection: Connection, hide: frozenset[Hide]) -> set[str]:
    shown = " AND ".join(["true", *hide])
    return {row["id"].hex() for row in await connection.fetch(f"SELECT id FROM event_flags WHERE NOT ({shown})")}


async def test_requests_hide_events_before_they_are_archived_as_after(archive_pool: Pool) -> None:
    events = world(7, 400)
    async with archive_pool.acquire() as connection:
        await set_own_urls(connection, [OWN_URL])
        scribe = Scribe(connection)
        await scribe.begin()
        await scribe.write(each for each in events if each.kind in (5, 62))
        before = {hide: await hidden(connection, events, hide) for hide in POLICIES}
        await scribe.write(events)
        for hide in POLICIES:
            by_view = await hidden_by_view(connection, hide)
            assert before[hide] == by_view, hide
            assert await hidden(connection, events, hide) == by_view, hide
            assert 20 < len(by_view) < 380 or not hide


async def test_erased_events_are_hidden_whatever_the_policy_is(archive_pool: Pool) -> None:
    rng = random.Random(5)
    covered = 0
    async with archive_pool.acquire() as connection:
        for seed in range(8):
            events = world(seed, 120)
            rules = rules_about(events, rng)
            index = Erasures()
            for rule in rules:
                index.add(rule)
            transaction = connection.transaction()
            await transaction.start()
            ids = {bytes.fromhex(each.id): None for each in rules if each.id and not each.pubkey}
            await erase_ids(connection, ids)
            assert await store_if_done(connection, Rules.of(rules))
            erased = await hidden(connection, events, frozenset())
            await transaction.rollback()
            assert erased == {each.id for each in events if index.covers(each) is not None}
            covered += len(erased)
    assert 100 < covered < 8 * 100
