"""What is known of a relay converges, whatever the order and however often it is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.registry.merging import adopt, merge, take
from schemas.records.relay import RelayRecord, Report, SameDocument, StateChange
from schemas.relay_urls.relay_url import Network
from tests.unit.processors.registry.material import NOW_MS, URL, author, found, legacy, met, wish

times = st.integers(0, 3)
states = st.sampled_from(["candidate", "confirmed", "silent"])
reports = st.builds(Report, state=st.sampled_from(["confirmed", "silent"]), tries=times, at_ms=times)


def sets_of(values: st.SearchStrategy[str], most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(values, max_size=most).map(lambda found: tuple(sorted(found)))


records = st.builds(
    RelayRecord,
    url=st.just(URL),
    network=st.just(Network.CLEARNET),
    spelling=st.sampled_from([None, URL, f"{URL}/"]),
    source=st.sampled_from(["event", "operator"]),
    sources=sets_of(st.sampled_from(["event", "api", "seed"]), 3),
    first_seen_ms=st.none() | times,
    state=states,
    lane=st.sampled_from(["regular", "priority"]),
    allowed=st.booleans(),
    duplicate_of=st.sampled_from([None, "wss://other.example"]),
    admitted_at_ms=st.none() | times,
    authors=sets_of(st.integers(0, 20).map(author), 8),
    places=sets_of(st.sampled_from("abcdefghijkl"), 8),
    command=st.none() | times.map(lambda at_ms: wish(at_ms=at_ms)),
    report=st.none() | reports,
    same_document=st.none() | st.builds(SameDocument, url=st.none() | st.just("wss://a"), at_ms=times),
    history=st.lists(st.builds(StateChange, state=states, at_ms=times), max_size=3, unique=True).map(
        lambda changes: tuple(sorted(changes, key=lambda change: (change.at_ms, change.state)))
    ),
    updated_at_ms=times,
)


@given(records, records, records)
def test_order_repetition_and_grouping_do_not_matter(one: RelayRecord, two: RelayRecord, three: RelayRecord) -> None:
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one
    assert merge(merge(one, two), two) == merge(one, two)


def test_what_is_found_adds_to_a_record() -> None:
    record = take(RelayRecord(url=URL, network=Network.CLEARNET, source="event", updated_at_ms=0), found(URL, 1))
    record = take(take(record, found(URL, 2, at_ms=NOW_MS - 5)), met(URL, "silent", tries=3))
    assert (record.sources, record.first_seen_ms) == (("event",), NOW_MS - 5)
    assert set(record.authors) == {author(1), author(2)}
    assert record.report is not None
    assert record.report.tries == 3


def test_a_denial_names_nobody_as_a_source() -> None:
    record = RelayRecord(url=URL, network=Network.CLEARNET, source="event", updated_at_ms=0)
    denied = found(URL, source="operator", command=wish(action="deny"))
    assert take(record, denied).sources == ()


def test_a_record_of_before_is_the_operators_and_admitted() -> None:
    record = adopt(legacy(lane="priority"))
    assert (record.sources, record.source, record.lane) == (("operator",), "operator", "priority")
    assert record.first_seen_ms == record.admitted_at_ms == record.updated_at_ms
    assert adopt(record) is record
