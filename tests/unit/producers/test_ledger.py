"""What a ledger calls read was read, and a visit reads again what may have come late."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from producers.bundler import Bundler
from producers.outbox import Outbox
from producers.relays.checkpoint import Checkpoints
from producers.relays.crawl import BEGINNING, FOREVER, Gap, Progress
from producers.relays.ledger import MAX_GAPS, RECONNECT_OVERLAP_S, REVISIT_S, SAME_VISIT_S, Ledger
from producers.relays.session import Session
from schemas.coverage import Coverage
from tests.unit.producers.sender import Sender, turns

NOW = 1_700_000_000
RELAY = "wss://relay.example"


def ledger(*hashes: str, stored: Coverage | None = None) -> Ledger:
    return Ledger(RELAY, hashes or ("f",), stored)


def test_a_new_relay_is_read_from_the_beginning_and_into_the_future() -> None:
    assert ledger().backlog("f", NOW) == [(BEGINNING, NOW), (NOW, FOREVER)]


def test_the_future_is_never_called_read() -> None:
    book = ledger()
    book.add("f", Progress(read=[(NOW - 10, FOREVER)]), NOW)
    assert book.record(0).sets[0].read == [(NOW - 10, NOW, NOW)]


def test_a_restart_reads_what_is_unread_and_the_last_days_again() -> None:
    book = ledger()
    book.add("f", Progress(read=[(NOW - 10_000_000, NOW)]), NOW)
    book.heard(NOW, NOW + 500)
    again = ledger(stored=Coverage.decode(book.record(0).encode()))
    later = NOW + 2000
    assert again.cursor_s == NOW + 500
    first = again.backlog("f", later)
    assert first == [(BEGINNING, NOW - 10_000_001), (NOW + 500 - REVISIT_S, later), (later, FOREVER)]
    again.add("f", Progress(read=[first[1]]), later)
    assert again.backlog("f", later)[1] == (NOW + 500 - RECONNECT_OVERLAP_S, later)
    assert again.backlog("f", NOW + 501 + SAME_VISIT_S)[1][0] == NOW + 500 - REVISIT_S


def test_the_last_days_stay_unread_until_they_were_read_again_however_often_the_relay_is_lost() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    book.heard(NOW, NOW + 1)
    again = ledger(stored=book.record(0))
    # The feed moves the cursor before the crawl has begun, and the crawl gets half a day far.
    later = NOW + 10 * 86_400
    again.heard(later, later + 5)
    assert again.backlog("f", later + 5)[0] == (NOW + 1 - REVISIT_S, later + 5)
    again.add("f", Progress(read=[(later - 43_200, later + 5)]), later + 5)
    assert again.backlog("f", later + 60)[0] == (NOW + 1 - REVISIT_S, later - 43_201)
    # A kill forgets no more than that.
    assert [until for _, until, _ in again.record(0).sets[0].read] == [NOW - REVISIT_S, later + 5]


def test_a_relay_that_was_away_for_long_is_read_again_also_in_the_same_process() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    book.heard(NOW, NOW + 1)
    later = NOW + 2 * SAME_VISIT_S
    book.heard(later, later + 5)
    assert book.backlog("f", later + 5)[0] == (NOW + 1 - REVISIT_S, later + 5)


def test_other_filters_begin_anew() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    assert ledger("g", stored=book.record(0)).backlog("g", NOW) == [(BEGINNING, NOW), (NOW, FOREVER)]


def test_with_several_filters_a_second_is_read_when_all_have_read_it() -> None:
    book = ledger("f", "g")
    book.add("f", Progress(read=[(100, 200)]), NOW)
    assert book.record(0).sets[0].read == []
    book.add("g", Progress(read=[(150, 300)]), NOW)
    assert book.record(0).sets[0].read == [(150, 200, NOW)]


def test_a_gap_is_left_alone_until_it_is_due_and_gone_when_it_was_read() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, 49), (51, NOW)], gaps=[Gap(50, 50, "dense_second")]), NOW)
    assert [(gap.since, gap.until) for gap in book.record(0).sets[0].gaps] == [(50, 50)]
    assert (50, 50) not in book.backlog("f", NOW)
    book.retry_gaps()
    assert (50, 50) in book.backlog("f", NOW)
    book.add("f", Progress(read=[(50, 50)]), NOW)
    assert book.record(0).sets[0].gaps == []


def test_the_cursor_only_moves_forward() -> None:
    book = ledger()
    book.heard(NOW, NOW + 10)
    book.heard(NOW, NOW + 5)
    assert book.cursor_s == NOW + 10


def test_gaps_are_bounded_and_none_is_forgotten() -> None:
    book = ledger()
    gaps = [Gap(2 * number, 2 * number, "dense_second") for number in range(MAX_GAPS + 500)]
    book.add("f", Progress(gaps=gaps), NOW)
    kept = book.record(0).sets[0].gaps
    assert len(kept) == book.gaps == MAX_GAPS
    assert all(any(each.since <= gap.since <= each.until for each in kept) for gap in gaps)


async def test_coverage_is_written_only_after_everything_it_covers_is_acknowledged() -> None:
    sender = Sender()
    outbox = Outbox(sender, 1 << 20)
    running = asyncio.create_task(outbox.run())
    bundler = Bundler(outbox, "bundles", 4)
    book = ledger()
    session = cast("Session", SimpleNamespace(ledger=book, host="relay.example", note_time=lambda: None))
    checkpoints = Checkpoints(outbox, bundler, "coverage", 4, lambda: [session])

    def topics() -> list[str]:
        return [sent.topic for sent in sender.sent]

    bundler.add(RELAY, 1, b"{}", "0" * 64)
    book.add("f", Progress(read=[(100, 200)]), NOW)
    writing: asyncio.Task[Any] = asyncio.create_task(checkpoints.write(everything=False))
    await turns()
    assert topics() == ["bundles"]
    # What is read meanwhile must not be in the record: its events are not waited for.
    bundler.add(RELAY, 1, b"{}", "0" * 64)
    book.add("f", Progress(read=[(0, 99)]), NOW)
    await turns()
    assert topics() == ["bundles"]
    sender.acknowledge(0)
    await turns()
    assert topics() == ["bundles", "coverage"]
    assert Coverage.decode(sender.sent[1].value).sets[0].read == [(100, 200, NOW)]
    sender.acknowledge()
    await turns()
    assert writing.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_a_stop_kept_from_being_written_is_written_by_the_drain() -> None:
    sender = Sender()
    outbox = Outbox(sender, 1 << 20)
    running = asyncio.create_task(outbox.run())
    bundler = Bundler(outbox, "bundles", 4)
    book = ledger()
    session = cast("Session", SimpleNamespace(ledger=book, host="relay.example", note_time=lambda: None))
    checkpoints = Checkpoints(outbox, bundler, "coverage", 4, lambda: [session])
    bundler.add(RELAY, 1, b"{}", "0" * 64)
    book.add("f", Progress(read=[(100, 200)]), NOW)
    cut_short = asyncio.create_task(checkpoints.write(everything=False))
    await turns()
    cut_short.cancel()
    await asyncio.gather(cut_short, return_exceptions=True)
    sender.acknowledge()
    draining = asyncio.create_task(checkpoints.write(everything=True))
    await turns()
    assert [sent.topic for sent in sender.sent] == ["bundles", "coverage"]
    sender.acknowledge()
    await draining
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
