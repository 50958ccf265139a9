"""Relays of new events: added up whatever the order, and told once."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import DiscoverySettings
from processors.validate.discovery.claims import Claims
from processors.validate.discovery.findings import Findings
from processors.validate.discovery.told import Told
from processors.validate.erasing import Erasing
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Outcome, Source
from processors.validate.outputs import Outputs
from processors.validate.pipeline import conclude_bundle, examine_bundle
from schemas.nostr.event import Event
from schemas.nostr.judge import Policy
from schemas.nostr.relay_mentions import mentions
from schemas.nostr.signature import verify_many
from schemas.partition import relay_partition
from schemas.records.bundle import encode_line
from schemas.records.erasure import Cause, Erasure
from schemas.records.relay import MOST_AUTHORS, MOST_PLACES, author_hash
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import MOST_MONITORS, Claim
from tests.unit.processors.material import PUBKEY, event, forged_signature, wire

A, B = "wss://a.example", "wss://sub.b.example/x"
SOURCE = Source("raw.bundles", 0, 7)
PARTITIONS = 16
AUTHORS = [f"{number:064x}" for number in range(30)]


def naming(*urls: str, kind: int = 10002, content: str = "") -> Event:
    return event(content, kind=kind, tags=[["r", url] for url in urls])


def run(*lines: bytes, seen: SeenSet | None = None, discovery: DiscoverySettings | None = None) -> Outcome:
    """Judge one bundle."""
    seen, erasing = SeenSet(100) if seen is None else seen, Erasing()
    erasing.index.add(Erasure(id=ERASED.id, cause=Cause.OPERATOR, erased_at_ms=1))
    found = examine_bundle(b"".join(lines), seen, Policy(), erasing)
    verdicts = verify_many(found.signatures)
    return conclude_bundle(found, verdicts, seen, SOURCE, 1, discovery=discovery or DiscoverySettings())


def line(made: Event, seen_at_ms: int = 5, relay: str = "wss://r.example") -> bytes:
    return encode_line(relay, seen_at_ms, wire(made))


def found(outcome: Outcome) -> dict[str, RelayFound]:
    return {each.url.url: RelayFound.decode(each.encode()) for each in outcome.relays}


ERASED = naming("wss://erased.example")


def test_a_bundle_has_one_record_of_each_relay() -> None:
    first, second = naming(A, "WSS://Sub.B.example:443/x/"), event(f"at {A}")
    outcome = run(line(first, 9), line(second, 7), line(first, 3, "wss://later.example"))
    mine = (author_hash(PUBKEY),)
    assert found(outcome) == {
        A: RelayFound(url=A, source="event", places=("10002 r", "text"), authors=mine, first_seen_ms=7),
        B: RelayFound(
            url=B,
            spelling="WSS://Sub.B.example:443/x/",
            source="event",
            places=("10002 r",),
            authors=mine,
            first_seen_ms=9,
        ),
    }


def test_records_go_to_the_partition_of_their_domain() -> None:
    outcome = run(line(naming(A, B)))
    outputs = [each for each in Outputs("p.", PARTITIONS).of(outcome, SOURCE) if each.topic == "p.relays.found"]
    placed = {record.key: output.partition for output in outputs for record in output.records}
    assert placed == {
        A.encode(): relay_partition("a.example", PARTITIONS),
        B.encode(): relay_partition("b.example", PARTITIONS),
    }


def test_what_is_not_accepted_names_nothing() -> None:
    refused = [forged_signature(naming("wss://forged.example")), naming("wss://auth.example", kind=22242)]
    refused += [event("", created_at=2**41, tags=[["r", "wss://quarantined.example"]]), ERASED]
    outcome = run(*(line(made) for made in refused), b"no bundle line\n")
    assert found(outcome) == {}
    assert (len(outcome.refused), len(outcome.quarantined), outcome.erased) == (3, 1, {Cause.OPERATOR: 1})


def test_what_is_known_already_names_nothing() -> None:
    seen = SeenSet(100)
    seen.learn(run(line(naming(A)), seen=seen).learned)
    assert found(run(line(naming(A)), seen=seen)) == {}


def test_what_the_archive_knows_is_told_again_as_its_publisher_may_have_been_killed() -> None:
    made, seen = naming(A), SeenSet(100)
    seen.learn(run(line(made), seen=SeenSet(100)).learned)
    examined = examine_bundle(line(made), SeenSet(100), Policy(), Erasing())
    examined.archived.add(bytes.fromhex(made.id))
    verdicts = verify_many(examined.signatures)
    outcome = conclude_bundle(examined, verdicts, seen, SOURCE, 1)
    assert [records.events for records in outcome.by_partition.values()] == [[]]
    assert found(outcome).keys() == {A}


def test_settings() -> None:
    lines = line(naming(A, "ws://10.0.0.1"))
    assert found(run(lines, discovery=DiscoverySettings(enabled=False))) == {}
    assert found(run(lines)).keys() == {A}
    assert found(run(lines, discovery=DiscoverySettings(allow_private=True))).keys() == {A, "ws://10.0.0.1"}


def test_credentials_are_not_told() -> None:
    (record,) = found(run(line(naming("wss://me:secret@a.example/inbox/")))).values()
    assert (record.url, record.spelling) == ("wss://a.example/inbox", "wss://a.example/inbox/")


@given(
    st.lists(
        st.tuples(st.sampled_from(AUTHORS), st.integers(0, 9), st.sampled_from([A, "WSS://a.example", B])), min_size=1
    ),
    st.integers(0, 9),
)
def test_neither_order_nor_repetition_matters(named: list[tuple[str, int, str]], seed: int) -> None:
    def added(named: list[tuple[str, int, str]]) -> Findings:
        findings = Findings()
        for author, at_ms, url in named:
            made = Event("", author, 1, at_ms + 10, [["r", url]], "", "")
            findings.add(mentions(made), author, at_ms)
        return findings

    def told(findings: Findings) -> dict[str, RelayFound]:
        return {each.url.url: RelayFound.decode(each.encode()) for each in findings}

    once, shuffled = added(named), named * 2
    Random(seed).shuffle(shuffled)
    assert told(once) == told(added(shuffled))
    for url, record in told(once).items():
        of_it = [each for each in named if each[2].lower() == url]
        assert list(record.authors) == sorted({author_hash(each[0]) for each in of_it})[:MOST_AUTHORS]
        assert list(record.places) == sorted({f"{at_ms + 10} r" for _, at_ms, _ in of_it})[:MOST_PLACES]
        assert record.first_seen_ms == min(each[1] for each in of_it)
    memory = Told()
    memory.learn(once)
    assert memory.news(added(shuffled)) == []


def names(at_ms: int, *urls: str, author: str = PUBKEY, kind: int = 10002) -> Findings:
    findings = Findings()
    findings.add(mentions(naming(*urls, kind=kind)), author, at_ms)
    return findings


@pytest.mark.parametrize(
    ("later", "is_news"),
    [
        (names(7, A), False),
        (names(5, A), False),
        (names(4, A), True),
        (names(7, A, author="00" * 32), True),
        (names(7, A, kind=1), True),
        (names(7, B), True),
    ],
)
def test_only_what_says_more_is_told_again(later: Findings, is_news: bool) -> None:
    told = Told()
    told.learn(names(5, A))
    assert bool(told.news(later)) is is_news
    told.learn(later)
    assert told.news(later) == []


def test_what_was_told_is_bounded() -> None:
    told = Told(most=2)
    told.learn(names(5, A, B))
    told.learn(names(5, "wss://c.example"))
    assert len(told.news(names(5, A, B, "wss://c.example"))) == 2, "a full memory begins anew"
    long = names(5, f"{A}/{'x' * 300}")
    told.learn(long)
    assert told.news(long)


def monitored(created_at: int, *tags: list[str], url: str = A) -> Event:
    return event("", kind=30166, created_at=created_at, tags=[["d", url], *tags])


def test_the_newest_claim_of_a_monitor_goes_beside_the_probes_of_the_relay() -> None:
    outcome = run(
        line(monitored(7, ["rtt-open", "80"]), 3),
        line(monitored(9, ["rtt-open", "90"], ["rtt-open", "1"]), 4),
        line(monitored(8)),
        line(monitored(8, ["r", "wss://named.example"], url=B)),
        line(naming(A)),
    )
    claims = {each.url.url: RelayFound.decode(each.encode()) for each in outcome.claims}
    assert claims == {
        A: RelayFound(url=A, first_seen_ms=3, claims=(Claim(monitor=PUBKEY, at_s=9, rtt_open_ms=90),)),
        B: RelayFound(url=B, first_seen_ms=5, claims=(Claim(monitor=PUBKEY, at_s=8),)),
    }
    places = [
        (output.partition, record.key)
        for output in Outputs("", PARTITIONS).of(outcome, SOURCE)
        if output.topic == "relays.found"
        for record in output.records
        if record.value and RelayFound.decode(record.value).claims
    ]
    hosts = {A: "a.example", B: "sub.b.example"}
    assert sorted(places) == sorted((relay_partition(hosts[url], PARTITIONS), url.encode()) for url in claims)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "1234567", "²", "12 "])
def test_a_time_that_is_no_number_of_milliseconds_is_none(text: str) -> None:
    (claims,) = run(line(monitored(7, ["rtt-open"], ["rtt-open", text]))).claims
    assert claims.by_monitor[PUBKEY] == Claim(monitor=PUBKEY, at_s=7)


def test_an_event_of_no_time_is_no_claim() -> None:
    assert run(line(monitored(-1)), line(monitored(2**32))).claims == []


def test_a_record_has_the_newest_monitors_of_a_bundle() -> None:
    claims = Claims()
    for number, author in enumerate(AUTHORS):
        made = monitored(number)
        claims.add(mentions(made), made._replace(pubkey=author), 5)
    (of_relay,) = claims
    kept = RelayFound.decode(of_relay.encode()).claims
    assert [claim.monitor for claim in kept] == AUTHORS[-MOST_MONITORS:]
