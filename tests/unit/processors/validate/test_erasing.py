"""Nothing is kept of what is erased, and requests are obeyed only as the policy says."""

from __future__ import annotations

import time
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.settings import PolicySettings
from processors.validate.erasing import Erasing
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Outcome, Source
from processors.validate.pipeline import conclude_bundle, examine_bundle
from schemas.nostr.event import Event
from schemas.nostr.judge import Policy
from schemas.nostr.signature import verify_many
from schemas.records.bundle import HeldLine, encode_held_line, encode_line
from schemas.records.erasure import Cause, Erasure
from tests.unit.processors.material import (
    PUBKEY,
    event,
    forged_content,
    forged_signature,
    other_bytes,
    other_signature,
    wire,
)

AT_S = 1_700_000_000
NOW_MS = (AT_S + 50) * 1000
SOURCE = Source("raw.bundles", 0, 7)
ERASE = PolicySettings(deletion="erase", expiration="erase", vanish="erase", own_urls=["wss://archive.example"])

FIRST, SECOND = event("first"), event("second")
STRANGE = event("strange", created_at=2**41)
FLEETING = event("fleeting", kind=20001)
VERSION = event("version", kind=30023, tags=[["d", "x"]])
EXPIRING = event("expiring", tags=[["expiration", str(AT_S + 50)]])
DELETION = event("", kind=5, tags=[["e", FIRST.id], ["a", f"30023:{PUBKEY}:x"]])
VANISH = event("", kind=62, tags=[["relay", "ALL_RELAYS"]])
RULES = {
    "id": Erasure(id=FIRST.id, cause=Cause.OPERATOR, erased_at_ms=1),
    "id of author": Erasure(id=FIRST.id, pubkey=PUBKEY, cause=Cause.DELETION, erased_at_ms=1),
    "author": Erasure(pubkey=PUBKEY, until_s=AT_S, cause=Cause.LAW, erased_at_ms=1),
}


def with_rules(*rules: Erasure, policy: PolicySettings | None = None) -> Erasing:
    made = Erasing.of(policy or PolicySettings())
    for rule in rules:
        made.index.add(rule)
    return made


def run(lines: list[bytes], rules: Erasing, seen: SeenSet | None = None) -> Outcome:
    """Judge one bundle and have it acknowledged."""
    seen = SeenSet(20) if seen is None else seen
    found = examine_bundle(b"".join(lines), seen, Policy(), rules)
    outcome = conclude_bundle(found, verify_many(found.signatures), seen, SOURCE, 1)
    seen.learn(outcome.learned)
    return outcome


def line(made: Event, relay: str = "wss://a.example", at_ms: int = NOW_MS) -> bytes:
    return encode_line(relay, at_ms, wire(made))


def held(made: Event) -> bytes:
    return encode_held_line(HeldLine("wss://h.example", NOW_MS, made.id, made.created_at))


def kept(outcome: Outcome) -> list[object]:
    """Everything that a bundle leaves behind."""
    return [
        *(new for records in outcome.by_partition.values() for new in records.events),
        *(ids for records in outcome.by_partition.values() for ids in records.sightings.values()),
        *outcome.refused,
        *outcome.quarantined,
        *outcome.learned.keys,
        *outcome.learned.pairs,
        *outcome.erasures,
    ]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_nothing_is_kept_of_an_erased_event_in_whatever_form_it_comes(rule: Erasure) -> None:
    forms = [wire(FIRST), other_bytes(FIRST), wire(other_signature(FIRST)), wire(forged_signature(FIRST))]
    outcome = run([encode_line("wss://a.example", NOW_MS, raw) for raw in [*forms, wire(FIRST)]], with_rules(rule))
    assert kept(outcome) == []
    assert (outcome.lines, outcome.checked, dict(outcome.erased)) == (5, 0, {rule.cause: 5})


@pytest.mark.parametrize("made", [STRANGE, FLEETING], ids=["quarantined", "not archived"])
def test_nor_is_it_kept_for_later(made: Event) -> None:
    assert kept(run([line(made)], with_rules()))
    rule = Erasure(pubkey=PUBKEY, until_s=2**40 - 1, cause=Cause.LAW, erased_at_ms=1)
    by_id = Erasure(id=made.id, cause=Cause.LAW, erased_at_ms=1)
    assert kept(run([line(made)], with_rules(by_id))) == []
    assert (kept(run([line(made)], with_rules(rule))) == []) == (made is FLEETING)


def test_a_text_under_an_erased_id_that_is_not_its_own_is_refused_like_any() -> None:
    outcome = run([line(forged_content(FIRST))], with_rules(RULES["id"], RULES["author"]))
    assert [item.raw for item in outcome.refused] == [wire(forged_content(FIRST))]
    assert not outcome.erased


def test_a_rule_covers_no_other_event() -> None:
    outcome = run([line(SECOND)], with_rules(RULES["id"], RULES["id of author"]))
    assert [new.raw for new in outcome.records(0).events] == [wire(SECOND)]
    assert not outcome.erased


def test_sightings_of_known_bytes_stop_once_their_id_is_erased() -> None:
    seen, rules = SeenSet(20), with_rules()
    run([line(FIRST), line(SECOND)], rules, seen)
    rules.index.add(RULES["id"])
    outcome = run([line(FIRST, "wss://b.example"), line(SECOND, "wss://b.example"), held(FIRST)], rules, seen)
    assert outcome.records(0).sightings == {("wss://b.example", NOW_MS): [(SECOND.id, AT_S)]}
    assert (outcome.duplicates, dict(outcome.erased)) == (1, {Cause.OPERATOR: 2})


@pytest.mark.parametrize("asking", [DELETION, VANISH])
def test_requests_are_obeyed_where_the_policy_says_erase_and_kept_in_any_case(asking: Event) -> None:
    for policy in (PolicySettings(), PolicySettings(deletion="hide", vanish="hide")):
        outcome = run([line(asking)], with_rules(policy=policy))
        assert outcome.erasures == []
        assert len(outcome.records(0).events) == 1
    outcome = run([line(asking)], with_rules(policy=ERASE))
    assert len(outcome.records(0).events) == 1
    assert {rule.key().decode() for rule in outcome.erasures} == (
        {f"{FIRST.id}:{PUBKEY}", f"address:30023:{PUBKEY}:x:{AT_S}"}
        if asking is DELETION
        else {f"vanish:{PUBKEY}:{AT_S}"}
    )
    assert {(rule.request, rule.erased_at_ms) for rule in outcome.erasures} == {(asking.id, NOW_MS)}


def test_one_policy_does_not_speak_for_another() -> None:
    assert run([line(VANISH), line(EXPIRING)], with_rules(policy=PolicySettings(deletion="erase"))).erasures == []
    assert run([line(DELETION)], with_rules(policy=PolicySettings(vanish="erase", expiration="erase"))).erasures == []


@pytest.mark.parametrize("asking", [DELETION, VANISH])
def test_what_is_not_rightly_signed_asks_for_nothing(asking: Event) -> None:
    outcome = run([line(forged_signature(asking))], with_rules(policy=ERASE))
    assert (outcome.erasures, len(outcome.refused)) == ([], 1)


@pytest.mark.parametrize("asking", [DELETION, VANISH])
def test_what_is_asked_for_is_found_out_only_once_the_signature_was_checked(asking: Event) -> None:
    heard: list[str] = []

    class Noting(Erasing):
        """Notes the signature of each event whose rules are asked for."""

        def rules(self, event: Event, seen_at_ms: int) -> list[Erasure]:
            heard.append(event.sig)
            return super().rules(event, seen_at_ms)

    for known in ([], [RULES["author"]]):
        noting = Noting.of(ERASE)
        for rule in known:
            noting.index.add(rule)
        run([line(forged_signature(asking)), line(asking), line(asking)], noting)
    assert heard == [asking.sig] * 2


def test_a_request_that_the_archive_cannot_date_is_quarantined_and_asks_for_nothing() -> None:
    undated = event("", kind=62, tags=[["relay", "ALL_RELAYS"]], created_at=2**41)
    outcome = run([line(undated)], with_rules(policy=ERASE))
    assert (outcome.erasures, len(outcome.quarantined)) == ([], 1)


def test_rules_that_are_known_are_not_published_again() -> None:
    first = run([line(DELETION)], with_rules(policy=ERASE)).erasures
    again = run([line(DELETION)], with_rules(first[0], policy=ERASE))
    assert again.erasures == first[1:]
    assert run([line(DELETION)], with_rules(*first, policy=ERASE)).erasures == []


def test_an_erased_request_is_heard_and_nothing_else_is_kept_of_it() -> None:
    outcome = run([line(DELETION), line(DELETION)], with_rules(RULES["author"], policy=ERASE))
    assert kept(outcome) == outcome.erasures
    assert (len(outcome.erasures), dict(outcome.erased)) == (2, {Cause.LAW: 2})
    forged = run([line(forged_signature(DELETION))], with_rules(RULES["author"], policy=ERASE))
    assert (kept(forged), dict(forged.erased)) == ([], {Cause.LAW: 1})


def test_what_had_expired_when_it_was_received_is_dropped_and_not_known_afterwards() -> None:
    seen, rules = SeenSet(20), with_rules(policy=ERASE)
    late = run([line(EXPIRING, at_ms=NOW_MS)], rules, seen)
    assert (kept(late), dict(late.erased)) == ([], {Cause.EXPIRATION: 1})
    early = run([line(EXPIRING, at_ms=NOW_MS - 1)], rules, seen)
    assert [new.raw for new in early.records(0).events] == [wire(EXPIRING)]
    assert len(run([line(EXPIRING)], with_rules(policy=PolicySettings(expiration="hide"))).records(0).events) == 1


def test_an_event_that_has_not_expired_is_kept_whatever_the_clock_of_its_connector_said() -> None:
    in_a_day = event("still valid", tags=[["expiration", str(int(time.time()) + 86_400)]])
    ahead_ms = (int(time.time()) + 40 * 86_400) * 1000
    kept_all = run([line(in_a_day, at_ms=ahead_ms)], with_rules(policy=ERASE))
    assert [new.raw for new in kept_all.records(0).events] == [wire(in_a_day)]


def test_each_copy_of_a_bundle_has_expired_or_not_by_its_own_time() -> None:
    asking = event("", kind=62, tags=[*VANISH.tags, *EXPIRING.tags])
    for made in (EXPIRING, asking):
        forged = forged_signature(made)
        copies = [(NOW_MS - 1, made), (NOW_MS, made), (NOW_MS - 2, made), (NOW_MS, forged), (NOW_MS - 1, forged)]
        for order in permutations(copies):
            outcome = run([line(each, f"wss://{at}.example", at) for at, each in order], with_rules(policy=ERASE))
            assert [new.raw for new in outcome.records(0).events] == [wire(made)]
            assert outcome.records(0).sightings == {
                (f"wss://{at}.example", at): [(made.id, AT_S)] for at in (NOW_MS - 1, NOW_MS - 2)
            }
            assert [(each.raw, each.seen_at_ms) for each in outcome.refused] == [(wire(forged), NOW_MS - 1)]
            assert (outcome.duplicates, dict(outcome.erased)) == (1, {Cause.EXPIRATION: 2})
            assert len(outcome.erasures) == (made is asking)
        late = run([line(made), line(made)], with_rules(policy=ERASE))
        assert (kept(late), dict(late.erased)) == (late.erasures, {Cause.EXPIRATION: 2})


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.sampled_from([FIRST, SECOND, VERSION, EXPIRING, STRANGE, DELETION, VANISH]), max_size=5),
        max_size=4,
    )
)
def test_bundles_ask_for_the_same_rules_whatever_came_before(bundles: list[list[Event]]) -> None:
    """Rules that are taken in as they are published, as the follower does, end where those of one pass end."""
    seen, rules = SeenSet(3), with_rules(policy=ERASE)
    for bundle in bundles:
        for rule in run([line(made) for made in bundle], rules, seen).erasures:
            rules.index.add(rule)
    expected = with_rules(policy=ERASE)
    asking = [made for bundle in bundles for made in bundle if made in (DELETION, VANISH)]
    for rule in run([line(made) for made in asking], expected).erasures:
        expected.index.add(rule)
    for made in (FIRST, SECOND, VERSION, STRANGE, DELETION, VANISH):
        assert rules.index.covers(made) == expected.index.covers(made)
