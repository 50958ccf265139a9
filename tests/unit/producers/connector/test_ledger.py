"""What a ledger calls read was read, and a visit reads again what may have come late."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from producers.bundler import Bundler
from producers.connector.checkpoint import Checkpoints
from producers.connector.connection_limits import ConnectionLimits
from producers.connector.coverage.filter_ledger import MAX_RANGES, FilterLedger, LatePass
from producers.connector.coverage.filter_sets import MOST_OLD_SETS
from producers.connector.coverage.ledger import LOOKBACK_DAYS, RECONNECT_OVERLAP_S, SAME_VISIT_S, Ledger
from producers.connector.coverage.open_gaps import FIRST_RETRY_S, LONGEST_RETRY_S, MAX_GAPS
from producers.connector.coverage.progress import Gap, Progress
from producers.connector.coverage.read_ranges import DAY_S
from producers.connector.reading.budget import Budget
from producers.connector.relay_model import Model
from producers.connector.session import Session
from producers.connector.shared import Shared
from producers.rejecting import Rejections
from producers.relay_client.dialling import Dialling
from producers.relay_client.page import BEGINNING, FOREVER
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter
from schemas.ranges import contains
from schemas.records.coverage import Coverage, FilterCoverage, GapReason
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize
from schemas.topics import topic
from tests.unit.producers.sender import Sender, turns

NOW = 1_700_000_000
RELAY = "wss://relay.example"
REVISIT_S = LOOKBACK_DAYS * DAY_S
KEY = "c" * 64


def ledger(*hashes: str, stored: Coverage | None = None) -> Ledger:
    return Ledger(RELAY, {name: Filter() for name in hashes or ("f",)}, stored, late_days=0)


def session_of(book: Ledger, send_buffer: SendBuffer, bundler: Bundler) -> Session:
    """A session that is not connected."""
    rejections = Rejections(send_buffer, "rejections", 4, "connector")
    dialling = Dialling(connect_timeout_s=5, frame_max_bytes=1 << 20, ping_interval_s=30, proxies={})
    shared = Shared(send_buffer, bundler, rejections, ConnectionLimits(4), dialling, {"f": Filter()}, 5.0, None)
    url = normalize(RELAY)
    record = RelayRecord(url=url.url, network=url.network, source="test", updated_at_ms=0)
    return Session(record, url, shared, budget=Budget(1 << 20, 100), ledger=book, model=Model(500))


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
    assert again.backlog("f", NOW + 501 + SAME_VISIT_S)[1][0] == later + 1 - REVISIT_S


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


def test_what_a_clock_that_was_ahead_has_noted_is_not_believed() -> None:
    ahead = NOW + 40 * DAY_S
    book = ledger()
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    book.heard(ahead, ahead + 6)
    book.add("f", Progress(read=[(NOW + 1, ahead)]), ahead)
    again = ledger(stored=Coverage.decode(book.record(0).encode()))
    later = NOW + DAY_S
    assert contains(again.backlog("f", later), NOW + 1)
    assert again.cursor_s is None
    assert all(until <= NOW for _, until, _ in again.record(0).sets[0].read)
    again.heard(later, later + 5)
    assert again.cursor_s == later + 5


def test_a_visit_that_begins_after_a_wrong_clock_was_set_back_reads_the_last_days_again() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    book.add("f", Progress(read=[(NOW + 1, NOW + 40 * DAY_S)]), NOW + 40 * DAY_S)
    again = ledger(stored=book.record(0))
    assert contains(again.backlog("f", NOW + 60), NOW + 1 - REVISIT_S)
    again.add("f", Progress(read=[(0, NOW + 60)]), NOW + 60)
    assert contains(again.backlog("f", NOW + 60 + 2 * SAME_VISIT_S), NOW + 61 - REVISIT_S)


def test_a_late_pass_is_not_put_off_until_a_time_that_a_wrong_clock_told() -> None:
    late, ahead = LatePass(3 * DAY_S, DAY_S), NOW + 40 * DAY_S
    book = FilterLedger(FilterCoverage(filter="f", read=[(0, ahead, ahead - DAY_S)]))
    assert contains(book.backlog(ahead, ahead, [late]), ahead - 2 * DAY_S)
    book.check(NOW)
    book.mark_read([(0, NOW)], NOW)
    assert not book.backlog(NOW + 1, NOW, [late])
    due = NOW + DAY_S
    assert contains(book.backlog(NOW + 1, due, [late]), due - 2 * DAY_S)


def test_a_record_is_dated_after_the_one_before_whatever_the_clock_says() -> None:
    ahead_ms = (NOW + 40 * DAY_S) * 1000
    book = ledger(stored=ledger().record(ahead_ms))
    assert book.record(NOW * 1000).updated_at_ms == ahead_ms + 1
    assert book.record(NOW * 1000).updated_at_ms == ahead_ms + 2
    assert book.record(ahead_ms + 9).updated_at_ms == ahead_ms + 9


def test_a_gap_is_not_put_off_until_a_time_that_a_wrong_clock_told() -> None:
    book = ledger()
    book.add("f", Progress(gaps=[Gap(5, 6, GapReason.CLOSED)]), NOW + 4000 * DAY_S)
    again = ledger(stored=book.record(0))
    again.backlog("f", NOW)
    due = again.next_due_s(NOW)
    assert due is not None
    assert due <= NOW + 2 * LONGEST_RETRY_S


def test_other_filters_begin_anew() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    assert ledger("g", stored=book.record(0)).backlog("g", NOW) == [(BEGINNING, NOW), (NOW, FOREVER)]


def test_each_filter_has_ranges_of_its_own() -> None:
    book = ledger("f", "g")
    book.add("f", Progress(read=[(100, 200)]), NOW)
    book.add("g", Progress(read=[(150, 300)], gaps=[Gap(301, 302, GapReason.CLOSED)]), NOW)
    assert [(each.filter, each.read, len(each.gaps)) for each in book.record(0).sets] == [
        ("f", [(100, 200, NOW)], 0),
        ("g", [(150, 300, NOW)], 1),
    ]


def test_filters_that_are_changed_back_find_what_was_read_with_them() -> None:
    book = ledger("f")
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    book.heard(NOW, NOW + 1)
    other = ledger("g", stored=book.record(0))
    other.add("g", Progress(read=[(NOW, NOW)]), NOW)
    for number in range(2 * MOST_OLD_SETS):
        again = ledger(f"h{number}", stored=other.record(0))
        assert len(again.record(0).sets) <= MOST_OLD_SETS + 1
    back = ledger("f", "g", stored=other.record(0))
    # What a visit reads again is counted from the end of that filter's last, not from the relay's cursor.
    assert back.backlog("f", NOW + 10 * DAY_S)[0] == (NOW + 1 - REVISIT_S, NOW + 10 * DAY_S)


def test_what_was_closed_to_all_is_unread_for_a_key() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    book.assume(KEY)
    assert book.backlog("f", NOW)[0] == (BEGINNING, NOW)
    book.add("f", Progress(read=[(0, 99)]), NOW)
    assert [(each.identity, each.read) for each in book.record(0).sets] == [
        (KEY, [(0, 99, NOW)]),
        (None, [(0, NOW, NOW)]),
    ]


def test_a_gap_is_left_alone_until_it_is_due_and_gone_when_it_was_read() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, 49), (51, NOW)], gaps=[Gap(50, 50, GapReason.DENSE_SECOND)]), NOW)
    (gap,) = book.record(0).sets[0].gaps
    assert (gap.since, gap.until, gap.tries) == (50, 50, 1)
    assert gap.retry_at_s is not None
    assert not contains(book.backlog("f", gap.retry_at_s - 1)[:-1], 50)
    assert contains(book.backlog("f", gap.retry_at_s), 50)
    book.add("f", Progress(read=[(50, 50)]), NOW)
    assert book.record(0).sets[0].gaps == []


def test_gaps_are_tried_again_less_and_less_often_and_not_all_at_once() -> None:
    book = ledger()
    waits = []
    for _ in range(12):
        book.add("f", Progress(gaps=[Gap(50, 50, GapReason.CLOSED)]), NOW)
        (gap,) = book.record(0).sets[0].gaps
        assert gap.retry_at_s is not None
        waits.append(gap.retry_at_s - NOW)
    assert waits == sorted(waits)
    assert FIRST_RETRY_S <= waits[0] < 2 * FIRST_RETRY_S
    assert LONGEST_RETRY_S <= waits[-1] == waits[-2] < 2 * LONGEST_RETRY_S
    assert gap.tries == 12
    book.add("f", Progress(gaps=[Gap(second, second, GapReason.CLOSED) for second in range(100, 200, 2)]), NOW)
    assert len({gap.retry_at_s for gap in book.record(0).sets[0].gaps}) > 10
    assert book.next_due_s(NOW) == min(gap.retry_at_s or 0 for gap in book.record(0).sets[0].gaps)


def test_a_failed_reading_does_not_undo_an_earlier_one_and_a_contradiction_does() -> None:
    book = ledger()
    book.add("f", Progress(read=[(0, 100)]), NOW)
    book.add("f", Progress(gaps=[Gap(90, 120, GapReason.NO_EOSE)]), NOW)
    assert [(gap.since, gap.until) for gap in book.record(0).sets[0].gaps] == [(101, 120)]
    book.add("f", Progress(gaps=[Gap(50, 60, GapReason.DISAGREEMENT)]), NOW)
    assert [(since, until) for since, until, _ in book.record(0).sets[0].read] == [(0, 49), (61, 100)]


def test_what_a_crawl_finds_to_lack_is_not_covered_up_by_the_feed_that_goes_on() -> None:
    book = ledger()
    book.heard(NOW, NOW + 100)
    lacking = Gap(NOW + 50, NOW + 50, GapReason.DENSE_SECOND)
    book.add("f", Progress(gaps=[lacking, Gap(NOW + 60, NOW + 200, GapReason.NO_EOSE)]), NOW + 200)
    book.heard(NOW, NOW + 201)
    (found,) = book.record(0).sets
    assert [(gap.since, gap.until, gap.reason) for gap in found.gaps] == [tuple(lacking)]
    assert [(since, until) for since, until, _ in found.read] == [(NOW, NOW + 49), (NOW + 51, NOW + 200)]


@pytest.mark.slow
def test_a_feed_that_lasts_puts_no_late_pass_off() -> None:
    book = Ledger(RELAY, {"f": Filter()}, None, lookback_days=3, late_days=30)
    book.add("f", Progress(read=[(BEGINNING, NOW)]), NOW)
    passes = []
    for now in range(NOW + 60, NOW + 10 * DAY_S + 60, 60):
        book.heard(NOW, now)
        due_s = book.next_due_s(now)
        if due_s is not None and due_s <= now:
            (since, _), *_ = book.backlog("f", now)
            passes.append(((now - NOW) / DAY_S, (now - since) / DAY_S))
            book.add("f", Progress(read=[(since, now)]), now)
    assert passes == [(day, 30 if day == 7 else 3) for day in range(1, 11)]


def test_late_passes_read_again_what_was_read_long_ago() -> None:
    book = Ledger(RELAY, {"f": Filter()}, None, lookback_days=3, late_days=30)
    book.add("f", Progress(read=[(0, NOW)]), NOW)
    day = NOW + DAY_S
    for hour in range(1, 24):
        book.heard(NOW, NOW + hour * 3600 - 1)
    assert book.backlog("f", day - 3600)[:-1] == [(day - 3601 - RECONNECT_OVERLAP_S, day - 3600)]
    book.heard(NOW, day - 1)
    assert book.backlog("f", day)[0] == (day - 3 * DAY_S, day)
    # A relay that gives nothing then is not asked again at once.
    assert book.backlog("f", day + 60)[0][0] > day - 3600
    book.heard(day, day + 3500)
    assert book.backlog("f", day + 3600)[0] == (day + 3600 - 3 * DAY_S, day + 3600)
    book.add("f", Progress(read=[(day - 3 * DAY_S, day)]), day)
    # Not again at once, and the older ones in a week.
    assert book.backlog("f", day)[0][0] > day - 3600
    assert book.next_due_s(day) == day + DAY_S
    later = NOW + 7 * DAY_S
    book.add("f", Progress(read=[(day - 3 * DAY_S, later - 3600)]), later - 3600)
    assert book.backlog("f", later)[0] == (later - 30 * DAY_S, later)


def test_the_cursor_only_moves_forward() -> None:
    book = ledger()
    book.heard(NOW, NOW + 10)
    book.heard(NOW, NOW + 5)
    assert book.cursor_s == NOW + 10


def test_gaps_are_bounded_and_none_is_forgotten() -> None:
    book = ledger("f", "g")
    gaps = [Gap(2 * number, 2 * number, GapReason.DENSE_SECOND) for number in range(MAX_GAPS + 500)]
    book.add("f", Progress(read=[(0, 5 * MAX_GAPS)]), NOW)
    book.add("f", Progress(gaps=gaps), NOW)
    kept = book.record(0).sets[0]
    assert len(kept.gaps) == book.gaps == MAX_GAPS // 2
    assert all(any(each.since <= gap.since <= each.until for each in kept.gaps) for gap in gaps)
    # What lies between those that were joined is to be read again, and is not called read.
    assert not any(contains([(since, until) for since, until, _ in kept.read], gap.since) for gap in kept.gaps)


@pytest.mark.slow
def test_a_record_fits_its_topic_whatever_a_relay_does() -> None:
    names = [f"{number:016x}" for number in range(6)]
    book = ledger(*names)
    for name in names:
        read = [(NOW - 3 * number, NOW - 3 * number) for number in range(MAX_RANGES + 500)]
        book.add(name, Progress(read=read, gaps=[Gap(low - 1, low - 1, GapReason.NO_EOSE) for low, _ in read]), NOW)
    record = book.record(0).encode()
    assert len(record) < topic("coverage").max_message_bytes / 2


async def test_coverage_is_written_only_after_everything_it_covers_is_acknowledged() -> None:
    sender = Sender()
    send_buffer = SendBuffer(sender, 1 << 20)
    running = asyncio.create_task(send_buffer.run())
    bundler = Bundler(send_buffer, "bundles", 4)
    book = ledger()
    session = session_of(book, send_buffer, bundler)
    checkpoints = Checkpoints(send_buffer, bundler, "coverage", 4, lambda: [session])

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
    send_buffer = SendBuffer(sender, 1 << 20)
    running = asyncio.create_task(send_buffer.run())
    bundler = Bundler(send_buffer, "bundles", 4)
    book = ledger()
    session = session_of(book, send_buffer, bundler)
    checkpoints = Checkpoints(send_buffer, bundler, "coverage", 4, lambda: [session])
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
