"""What is written about relays: once for each probe, again until it is seen, and the same at each replay."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest

from processors.assess.assessor import Assessor
from processors.assess.beside import Met
from processors.assess.book import Entry, entry_of
from processors.assess.documents import Documents
from processors.assess.writes import Write
from processors.relay_keys import UnusableError
from schemas.partition import relay_partition
from schemas.records.probe import Checks, Nip11Check, ProbeRecord
from schemas.records.relay import SameDocument
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import Claim, Honesty, Limits, RelayHealth
from schemas.relay_urls.relay_url import normalize
from tests.unit.processors.assess.material import HOUR_MS, START_MS, URL, folded, history, probe

PARTITIONS = 4
EVERY = range(PARTITIONS)
PLACE = relay_partition("relay.example", PARTITIONS)
ONE, TWO = "1" * 64, "2" * 64


def entry(value: bytes) -> Entry:
    health = RelayHealth.decode(value)
    host = normalize(health.url).host
    return entry_of(health, value, host, relay_partition(host, PARTITIONS))


class Topic:
    """`relays.health` as compaction leaves it, and what the registry was told."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.found: list[RelayFound] = []
        self.writes = 0

    def take(self, writes: Iterable[Write], *hearing: Assessor) -> None:
        for write in writes:
            if write.topic == "relays.found":
                self.found.append(RelayFound.decode(write.value))
                continue
            self.writes += 1
            self.values[write.url] = write.value
            for assessor in hearing:
                assessor.heard(write.url, entry(write.value))

    def health(self, url: str = URL) -> RelayHealth:
        return RelayHealth.decode(self.values[url])


def started(topic: Topic | None = None, documents: Documents | None = None) -> Assessor:
    assessor = Assessor(PARTITIONS, documents or Documents())
    assessor.keep(EVERY)
    for url, value in (topic.values if topic is not None else {}).items():
        assessor.heard(url, entry(value))
    assessor.own(EVERY)
    return assessor


def given(document: str, url: str = URL, at_ms: int = START_MS, **more: Any) -> ProbeRecord:
    return probe(at_ms, url=url, checks=Checks(nip11=Nip11Check(ok=True, status=200, document=document)), **more)


def test_restarts_redeliveries_and_a_replay_end_with_the_fold_of_all_probes() -> None:
    probes, topic, assessor = history(7, 20), Topic(), started()
    for number, each in enumerate(probes):
        topic.take(assessor.probed(each), assessor)
        if number % 50 == 0:
            assessor = started(topic)
            for again in probes[max(0, number - 3) : number + 1]:
                topic.take(assessor.probed(again), assessor)
        if number % 7 == 0:
            topic.take(assessor.due(each.probed_at_ms + 3 * HOUR_MS), assessor)
    assert topic.health() == folded(probes)
    replayed, anew = Topic(), started()
    for each in probes:
        replayed.take(anew.probed(each), anew)
    assert replayed.values == topic.values
    assert replayed.writes == len(probes)


def test_a_write_that_was_not_seen_is_written_again_by_the_same_probe_and_one_that_was_is_not() -> None:
    assessor, topic = started(), Topic()
    first = assessor.probed(probe())
    again = assessor.probed(probe())
    assert [write for write in again if write.topic == "relays.health"] == first
    topic.take(first, assessor)
    assert [write.topic for write in assessor.probed(probe())] == ["relays.found"]
    assert assessor.probed(probe(START_MS - 1)) == []


def test_what_a_late_predecessor_wrote_is_replaced_unless_its_probe_is_newer() -> None:
    old = started().probed(probe())
    topic, assessor = Topic(), started()
    topic.take(assessor.probed(probe()), assessor)
    topic.take(assessor.probed(probe(START_MS + HOUR_MS, "broken")), assessor)
    mine = topic.values[URL]
    topic.take(old, assessor)
    assert assessor.has_ready
    topic.take(assessor.due(START_MS + HOUR_MS), assessor)
    assert topic.values[URL] == mine
    assert not assessor.has_ready
    newer = started().probed(probe(START_MS + 2 * HOUR_MS))
    topic.take(newer, assessor)
    assert topic.values[URL] == newer[0].value
    assert assessor.probed(probe(START_MS + HOUR_MS, "broken")) == []


def test_an_early_echo_of_our_own_undoes_no_later_write() -> None:
    assessor = started()
    first = assessor.probed(probe())
    second = assessor.probed(probe(START_MS + HOUR_MS))
    assessor.own(())
    assessor.heard(URL, entry(first[0].value))
    assessor.own(EVERY)
    assert assessor.due(START_MS) == []
    held = assessor.book.get(URL)
    assert held is not None
    assert held.value == second[0].value
    assessor.met(PLACE, URL, Met(Limits(max_limit=100), Honesty()))
    (third,) = assessor.due(START_MS + HOUR_MS)
    assessor.heard(URL, entry(second[0].value))
    held = assessor.book.get(URL)
    assert held is not None
    assert held.value == third.value
    assert not assessor.has_ready


def test_partitions_that_are_lost_are_forgotten_and_written_about_no_more() -> None:
    topic, assessor = Topic(), started()
    topic.take(assessor.probed(probe()), assessor)
    others = set(EVERY) - {PLACE}
    assessor.own(others)
    with pytest.raises(UnusableError, match="misplaced"):
        assessor.probed(probe(START_MS + 1))
    assert assessor.due(START_MS + 9 * HOUR_MS) == []
    assessor.keep(others)
    assert len(assessor.book) == 0
    assessor.heard(URL, entry(topic.values[URL]))
    assert len(assessor.book) == 0
    with pytest.raises(UnusableError, match="not_normalised"):
        assessor.probed(probe(url="WSS://relay.example"))


def test_a_relay_of_which_no_probe_comes_is_unknown_by_the_time_and_only_once() -> None:
    topic, assessor = Topic(), started()
    topic.take(assessor.probed(probe()), assessor)
    assert assessor.due(START_MS + HOUR_MS) == []
    assessor.own(EVERY)
    assert assessor.due(START_MS + 2 * HOUR_MS) == [], "a probe may wait to be read"
    topic.take(assessor.due(START_MS + 2 * HOUR_MS + 60_000), assessor)
    assert topic.health().state == "unknown"
    assert assessor.due(START_MS + 9 * HOUR_MS) == []
    topic.take(assessor.probed(probe(START_MS + HOUR_MS)), assessor)
    assert topic.health() == folded([probe(), probe(START_MS + HOUR_MS)])


def test_limits_come_from_the_document_whenever_it_is_known_and_from_connectors_at_once() -> None:
    topic, assessor = Topic(), started()
    topic.take(assessor.probed(given(ONE)), assessor)
    assert topic.health().advertised == Limits()
    text = '{"limitation": {"max_limit": 500}}'
    assessor.documented(RelayDocumentRecord(hash=ONE, text=text, first_seen_ms=1))
    topic.take(assessor.due(START_MS), assessor)
    assert topic.health().advertised == Limits(max_limit=500)
    assessor.documented(RelayDocumentRecord(hash=ONE, text=text, first_seen_ms=2))
    assert (assessor.has_ready, assessor.due(START_MS)) == (True, []), "what changes nothing is not written"
    assessor.met(PLACE, URL, Met(Limits(), Honesty(copies=5)))
    assert not assessor.has_ready
    assessor.met(PLACE, URL, Met(Limits(max_limit=100), Honesty(copies=9)))
    topic.take(assessor.due(START_MS), assessor)
    assert (topic.health().learnt, topic.health().honesty) == (Limits(max_limit=100), Honesty(copies=9))
    again = started(topic)
    topic.take(again.probed(given(ONE, at_ms=START_MS + 1)), again)
    assert topic.health().advertised == Limits(max_limit=500), "kept where the document is forgotten"
    topic.take(again.probed(given(TWO, at_ms=START_MS + 2)), again)
    assert topic.health().advertised == Limits()


def test_texts_are_not_kept_and_hashes_are_bounded() -> None:
    documents = Documents(most=2)
    for number in range(5):
        text = f'{{"limitation": {{"max_limit": {number + 1}}}}}'
        assert documents.take(RelayDocumentRecord(hash=f"{number:064x}", text=text, first_seen_ms=1))
    for text in ("<html>", "[]", "{}"):
        assert not documents.take(RelayDocumentRecord(hash=TWO, text=text, first_seen_ms=1))
    assert len(documents) == 2
    assert documents.limits(f"{4:064x}") == Limits(max_limit=5)
    assert documents.limits(f"{0:064x}") is documents.limits(TWO) is documents.limits(None) is None


def test_claims_wait_for_the_next_probe_or_an_hour_and_are_kept_of_probed_relays_only() -> None:
    topic, assessor = Topic(), started()
    claims = [Claim(monitor=ONE, at_s=START_MS // 1000), Claim(monitor=TWO, at_s=2**40)]
    assessor.claimed(URL, claims, START_MS)
    topic.take(assessor.probed(probe()), assessor)
    assert topic.health().claims == ()
    assessor.claimed(URL, claims, START_MS)
    assert assessor.due(START_MS + HOUR_MS - 1) == []
    topic.take(assessor.probed(probe(START_MS + HOUR_MS)), assessor)
    assert topic.health().claims == (claims[0],)
    later = Claim(monitor=ONE, at_s=claims[0].at_s + 9)
    assessor.claimed(URL, [later], START_MS + HOUR_MS)
    topic.take(assessor.due(START_MS + 2 * HOUR_MS), assessor)
    assert topic.health().claims == (later,)


def test_the_registry_is_told_of_urls_with_one_document_when_that_changes() -> None:
    path = f"{URL}/path"
    topic, assessor = Topic(), started()
    for each in (
        given(ONE, path),
        given(ONE),
        given(ONE, path, START_MS + 1),
        given(ONE, path, START_MS + 2),
        given(ONE, "wss://else.example/path", START_MS + 2),
    ):
        topic.take(assessor.probed(each), assessor)
    assert [(each.url, each.same_document) for each in topic.found] == [
        (path, SameDocument(url=URL, at_ms=START_MS + 1))
    ]
    assert topic.health(path).duplicate_of == URL
    topic.take(assessor.probed(given(ONE, path, START_MS + 2)), assessor)
    assert topic.found[-1].same_document == SameDocument(url=URL, at_ms=START_MS + 2)
    topic.take(assessor.probed(probe(START_MS + 3, "broken", attempts=2)), assessor)
    topic.take(assessor.probed(given(ONE, path, START_MS + 4)), assessor)
    assert topic.found[-1].same_document == SameDocument(url=None, at_ms=START_MS + 4)
    assert topic.health(path).duplicate_of is None
    topic.take(assessor.probed(given(TWO, at_ms=START_MS + 5)), assessor)
    topic.take(assessor.probed(given(ONE, path, START_MS + 6)), assessor)
    assert topic.health(path).duplicate_of is None, "it gives another document now"


@pytest.mark.slow
def test_ten_thousand_relays_of_400_days_fit_into_100_mb() -> None:
    health = folded(history(1, 400)).model_copy(
        update={"claims": tuple(Claim(monitor=f"{number:064x}", at_s=number) for number in range(16))}
    )
    assessor = started()
    tracemalloc.start()
    for number in range(200):
        named = health.model_copy(update={"url": f"wss://relay{number}.example"})
        assessor.heard(named.url, entry(named.encode()))
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(assessor.book) == 200
    assert kept < 2_000_000


def test_claims_of_a_relay_that_another_process_writes_about_are_forgotten_when_they_are_due() -> None:
    topic, assessor = Topic(), started()
    topic.take(assessor.probed(probe()), assessor)
    assessor.claimed(URL, [Claim(monitor=ONE, at_s=START_MS // 1000)], START_MS)
    assessor.own(())
    # The first call has the first look a minute later.
    assert assessor.due(START_MS) == assessor.due(START_MS + 2 * HOUR_MS) == []
    assessor.own(EVERY)
    topic.take(assessor.probed(probe(START_MS + HOUR_MS)), assessor)
    assert topic.health().claims == ()
