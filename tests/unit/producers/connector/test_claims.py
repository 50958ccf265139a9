"""From when on what was read counts."""

from __future__ import annotations

import asyncio

import pytest

from producers.connector.coverage.claims import HOLD_S, Claims
from producers.connector.coverage.ledger import Ledger
from producers.connector.coverage.progress import Progress
from producers.relay_client.page_subscription import PageSubscription
from schemas.nostr.filters import Filter
from schemas.ranges import Range
from tests.unit.producers.connector.virtual_time import run_virtually

BASE = Filter(limit=5)


@pytest.mark.parametrize(("waited_s", "counts"), [(HOLD_S, True), (HOLD_S - 0.001, True), (HOLD_S - 1, False)])
def test_silence_counts_also_where_the_wait_for_it_ended_a_moment_early(waited_s: float, counts: bool) -> None:
    async def rest_s() -> float:
        claims = Claims(Ledger("ws://relay.example", {BASE.filter_hash(): BASE}, None))
        page = PageSubscription("page-1", BASE)
        page.end(frozenset())
        claims.hold(page)
        await asyncio.sleep(waited_s)
        return claims.rest_s

    assert (run_virtually(rest_s()) == 0) is counts


def test_the_end_of_the_silence_alone_lets_nothing_count() -> None:
    async def read() -> tuple[list[Range], list[Range]]:
        name = BASE.filter_hash()
        ledger = Ledger("ws://relay.example", {name: BASE}, None)
        claims = Claims(ledger)
        page = PageSubscription("page-1", BASE)
        page.end(frozenset())
        claims.hold(page)
        await asyncio.sleep(HOLD_S)
        claims.add(name, Progress(read=[(5, 9)]), 1_700_000_000)
        before = list(ledger.read(name))
        claims.settle()
        return before, list(ledger.read(name))

    assert run_virtually(read()) == ([], [(5, 9)]), "late answers and short lists are looked for first"
