"""What of the registry a connector acts on, and what it tells the registry."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from itertools import pairwise

import pytest

from core.clock import CLOCK
from producers.connector.connection_limits import ConnectionLimits
from producers.connector.coverage.ledger import Ledger
from producers.connector.reading.budget import Budget
from producers.connector.registry import retry_tiers
from producers.connector.registry.reports import Reports
from producers.connector.registry.selection import only_records, reopens
from producers.connector.registry.standing import MOST_REPORTS, RelayStanding
from producers.connector.relay_model import Model
from producers.connector.session import Session
from producers.relay_client.refusals import RelayError, refused_upgrade
from schemas.nostr.filters import Filter
from schemas.records.relay import RETRY_TIERS_S, RelayRecord, Report, Source, StateChange
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import Network, normalize
from tests.unit.producers.connector.test_turns import DIALLING, shared
from tests.unit.producers.connector.virtual_time import run_virtually
from tests.unit.producers.sender import Sender

URL = normalize("wss://relay.example")
RECORD = RelayRecord(
    url=URL.url, network=Network.CLEARNET, source="event", sources=("event",), admitted_at_ms=1, updated_at_ms=0
)
HOUR_MS = 3_600_000
AWAY = RelayError("unreachable", "connection refused")


def test_what_is_known_of_a_relay_may_change_without_a_new_connection() -> None:
    known = {
        "state": "silent",
        "report": Report(state="silent", tries=3, at_ms=9),
        "authors": ("0" * 16,),
        "places": ("10002 r",),
        "sources": ("operator", "event"),
        "source": "operator",
        "history": (StateChange(state="silent", at_ms=9),),
        "first_seen_ms": 5,
        "admitted_at_ms": 7,
        "updated_at_ms": 9,
    }
    assert not reopens(RECORD, RECORD.model_copy(update=known))
    assert not reopens(RECORD, RECORD.model_copy(update={"spelling": "wss://relay.example/"}))
    for change in (
        {"allowed": False},
        {"lane": "priority"},
        {"allow_private": True},
        {"duplicate_of": "wss://other.example"},
    ):
        assert reopens(RECORD, RECORD.model_copy(update=change))


def test_a_relay_is_read_where_it_is_allowed_and_neither_ignored_nor_another() -> None:
    assert RECORD.left_because is None
    for change in ({"allowed": False}, {"lane": "ignored"}, {"duplicate_of": "wss://other.example"}):
        assert RECORD.model_copy(update=change).left_because is not None


def test_the_relays_of_the_settings_are_dialled_as_they_are_given() -> None:
    (record,) = only_records(["wss://relay.example/inbox/"], allow_private=False).values()
    assert (record.url, record.spelling) == ("wss://relay.example/inbox", "wss://relay.example/inbox/")


@pytest.mark.parametrize(
    ("error", "spoke", "challenged", "state"),
    [
        (AWAY, False, False, "silent"),
        (RelayError("disconnected", "it closed"), False, False, "silent"),
        (RelayError("disconnected", "it closed"), True, False, "confirmed"),
        (RelayError("disconnected", "it closed"), False, True, "refused"),
        (RelayError("auth_required", "pay first"), True, True, "refused"),
        (RelayError("restricted", "blocked"), True, False, "refused"),
        (RelayError("over_budget", "forged"), True, False, "refused"),
        (RelayError("resting", "another's turn"), True, False, "confirmed"),
        (RelayError("rate_limited", "slow down"), False, False, None),
        (RelayError("no_proxy", "ours"), False, False, None),
        (refused_upgrade(403, {}, 0.0), False, False, "refused"),
        (refused_upgrade(404, {}, 0.0), False, False, "silent"),
        (refused_upgrade(522, {}, 0.0), False, False, "silent"),
    ],
)
def test_what_the_end_of_a_connection_says(error: RelayError, spoke: bool, challenged: bool, state: str | None) -> None:
    standing = RelayStanding(None)
    standing.ended(error, spoke=spoke, challenged=challenged)
    assert standing.state == state
    report = standing.report(1, on_tiers=False)
    assert (report.state if report is not None else None) == state


def test_a_change_is_told_once_and_each_tier_of_a_silent_relay() -> None:
    standing = RelayStanding(Report(state="silent", tries=2, at_ms=0))
    assert standing.report(1, on_tiers=True) is None, "it is known"
    standing.ended(AWAY, spoke=False)
    assert standing.report(2, on_tiers=False) is None
    assert standing.report(2, on_tiers=True) == Report(state="silent", tries=3, detail="connection refused", at_ms=2)
    standing.spoke()
    assert standing.report(3, on_tiers=True) == Report(state="confirmed", at_ms=3)
    standing.spoke()
    assert standing.report(4, on_tiers=True) is None


def test_a_relay_that_goes_to_and_fro_is_told_of_so_often_and_then_as_it_is() -> None:
    standing = RelayStanding(None)
    told = 0
    for number in range(100):
        standing.ended(AWAY, spoke=number % 2 == 0)
        told += standing.report(number, on_tiers=False) is not None
    assert told == MOST_REPORTS
    standing.spoke()
    assert standing.report(HOUR_MS - 1, on_tiers=False) is None
    late = standing.report(HOUR_MS + MOST_REPORTS, on_tiers=False)
    assert late is not None
    assert late.state == "confirmed"


def test_a_wait_that_was_begun_before_a_restart_is_gone_on_with() -> None:
    silent = RECORD.model_copy(update={"report": Report(state="silent", tries=3, at_ms=0)})
    middle = 0.5
    assert retry_tiers.rest_s(silent, 600_000, lambda: middle) == 3000
    assert retry_tiers.rest_s(silent, 2 * HOUR_MS, lambda: middle) == 0
    assert retry_tiers.rest_s(silent.model_copy(update={"sources": ("seed", "event")}), 0) == 0
    assert retry_tiers.rest_s(RECORD, 0) == 0
    uncounted = RECORD.model_copy(update={"report": Report(state="silent", at_ms=0)})
    assert retry_tiers.rest_s(uncounted, 0, lambda: middle) == 60


def tries(
    days: float, *sources: Source, tries: int = 0, at_ms: int = 0, wished_after_s: float | None = None
) -> tuple[list[float], list[Report]]:
    """When a relay without an address is looked up, and what is told of it. An operator may wish for it then."""
    times: list[float] = []

    async def look_up(host: str, *, allow_private: bool) -> list[str]:
        times.append(asyncio.get_running_loop().time())
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    async def run() -> list[Report]:
        common = shared(ConnectionLimits(4), replace(DIALLING, look_up=look_up))
        sender = Sender(at_once=True)
        common = replace(common, send_buffer=(buffer := type(common.send_buffer)(sender, 1 << 20)))
        common = replace(common, reports=Reports(buffer, "found", 4))
        report = Report(state="silent", tries=tries, at_ms=at_ms) if tries else None
        record = RECORD.model_copy(update={"sources": sources, "report": report})
        ledger = Ledger(URL.url, {"f": Filter()}, None)
        session = Session(record, URL, common, budget=Budget(1 << 20, 100), ledger=ledger, model=Model(10))
        running = [asyncio.create_task(session.run()), asyncio.create_task(buffer.run())]
        if wished_after_s is not None:
            await asyncio.sleep(wished_after_s)
            session.follow(record.model_copy(update={"sources": ("operator", *sources)}))
        await asyncio.sleep(days * 86_400)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert {sent.partition for sent in sender.sent} <= {domain_partition(URL.host, 4)}
        assert {sent.key for sent in sender.sent} <= {URL.url.encode()}
        reports = [RelayFound.decode(sent.value).report for sent in sender.sent]
        return [report for report in reports if report is not None]

    return times, run_virtually(run())


def test_a_found_relay_that_does_not_answer_is_tried_on_tiers_which_are_told() -> None:
    times, reports = tries(12 * 1.25, "event", "api")
    waits = [later - sooner for sooner, later in pairwise(times)]
    for wait_s, tier_s in zip(waits, RETRY_TIERS_S, strict=False):
        assert 0.75 * tier_s <= wait_s <= 1.25 * tier_s + 1
    assert len(waits) >= len(RETRY_TIERS_S)
    assert [report.tries for report in reports] == list(range(1, len(times) + 1))
    assert {report.state for report in reports} == {"silent"}


def test_the_tiers_go_on_after_a_restart() -> None:
    times, reports = tries(8, "event", tries=5, at_ms=CLOCK.now_ms())
    assert 0.75 * 86_400 <= times[0] - 1000 <= 1.25 * 86_400 + 1
    assert [report.tries for report in reports[:2]] == [6, 7]


def test_a_silent_relay_that_an_operator_wishes_for_is_tried_at_once() -> None:
    times, _ = tries(0.5, "event", tries=7, at_ms=CLOCK.now_ms(), wished_after_s=1234)
    assert times[0] == pytest.approx(1000 + 1234, abs=0.5)
    assert len(times) > 12, "and every hour from then on"


@pytest.mark.parametrize("sources", [("operator",), ("seed", "event"), ()])
def test_a_relay_that_was_wished_for_is_tried_every_hour_and_told_of_once(sources: tuple[Source, ...]) -> None:
    times, reports = tries(2, *sources)
    assert len(times) > 48
    assert [report.tries for report in reports] == [1]
