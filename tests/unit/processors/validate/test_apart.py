"""A rule that fails on a line sets that line apart; the bundle around it is judged as if the line were not there."""

from __future__ import annotations

import logging

import pytest

from processors.validate.erasing import Erasing
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Outcome, Source
from processors.validate.pipeline import conclude_bundle, examine_bundle
from processors.validate.verify import Verifier
from schemas.nostr.event import Event
from schemas.nostr.judge import Judgement, Policy
from schemas.reasons import Reason
from schemas.records.bundle import HeldLine, encode_held_line, encode_line
from schemas.records.erasure import Cause, Erasure, Erasures
from tests.unit.processors.material import event, forged_signature, other_bytes, wire

SOURCE = Source("raw.bundles", 0, 7)
BEFORE, POISON, AFTER = event("before"), event("poison"), event("after")
A, B = "wss://a.example", "wss://b.example"


class Faulty(Erasures):
    """Rules with an error in them, which one event brings to light."""

    def covers(self, event: Event) -> Cause | None:
        if event.content == "poison":
            raise TypeError("fromhex() argument must be str, not None")
        return super().covers(event)

    def covers_id(self, event_id: bytes) -> Cause | None:
        if event_id.hex() == POISON.id:
            raise TypeError("fromhex() argument must be str, not None")
        return super().covers_id(event_id)


class FaultyAfterwards(Erasing):
    """The same, where what an event asks for is worked out: after its signature was checked."""

    def listens(self, judgement: Judgement) -> bool:
        return judgement.event is not None

    def rules(self, event: Event, seen_at_ms: int) -> list[Erasure]:
        if event.content == "poison":
            raise RecursionError
        return []


async def run(lines: list[bytes], erasing: Erasing, seen: SeenSet | None = None) -> Outcome:
    """Judge one bundle as a lane does."""
    seen = seen or SeenSet(10)
    verifier = Verifier(1)
    found = examine_bundle(b"".join(lines), seen, Policy(), erasing)
    outcome = conclude_bundle(found, await verifier.verify(found.signatures), seen, SOURCE, 1)
    verifier.close()
    seen.learn(outcome.learned)
    return outcome


def published(outcome: Outcome) -> list[str]:
    return [new.key.hex() for new in outcome.records(0).events]


def lines_around(*raws: bytes) -> list[bytes]:
    return [encode_line(A, 1, raw) for raw in (wire(BEFORE), *raws, wire(AFTER))]


@pytest.mark.parametrize("erasing", [Erasing(Faulty()), FaultyAfterwards()], ids=["before", "after the signature"])
async def test_a_rule_that_raises_costs_one_line(erasing: Erasing, caplog: pytest.LogCaptureFixture) -> None:
    seen = SeenSet(10)
    with caplog.at_level(logging.ERROR):
        outcome = await run(lines_around(wire(POISON)), erasing, seen)
    assert published(outcome) == [BEFORE.id, AFTER.id]
    (apart,) = outcome.quarantined
    assert (apart.raw, apart.reason, apart.field) == (wire(POISON), Reason.INTERNAL_ERROR, None)
    assert (apart.relay, apart.seen_at_ms) == (A, 1)
    assert apart.detail is not None
    assert "could not be validated: " in apart.detail
    assert (outcome.lines, outcome.refused, outcome.erasures) == (3, [], [])
    (said,) = caplog.records
    assert said.exc_info is not None
    # Nothing is known of it afterwards, so that a repaired rule judges the next copy.
    assert published(await run([encode_line(A, 2, wire(POISON))], Erasing(), seen)) == [POISON.id]


@pytest.mark.parametrize("erasing", [Erasing(Faulty()), FaultyAfterwards()], ids=["before", "after the signature"])
async def test_equal_texts_are_kept_once_so_that_a_replay_does_not_multiply_them(erasing: Erasing) -> None:
    copies = [encode_line(relay, 1, wire(POISON)) for relay in (A, B, A)]
    outcome = await run([*copies, encode_line(A, 1, other_bytes(POISON))], erasing)
    assert [item.raw for item in outcome.quarantined] == [wire(POISON), other_bytes(POISON)]
    assert (outcome.lines, outcome.duplicates) == (4, 2)


async def test_a_forged_text_on_which_a_rule_fails_is_never_taken_for_verified() -> None:
    forged = wire(forged_signature(POISON))
    outcome = await run([encode_line(A, 1, forged)], Erasing(Faulty()))
    assert (published(outcome), outcome.learned.keys) == ([], [])
    assert [item.reason for item in outcome.quarantined] == [Reason.INTERNAL_ERROR]
    outcome = await run([encode_line(A, 1, forged)], FaultyAfterwards())
    assert [item.reason for item in outcome.refused] == [Reason.BAD_SIGNATURE]


async def test_a_line_without_an_event_is_set_apart_as_it_was_written() -> None:
    held = encode_held_line(HeldLine(B, 5, POISON.id, POISON.created_at))
    outcome = await run([*lines_around(), held], Erasing(Faulty()))
    assert published(outcome) == [BEFORE.id, AFTER.id]
    assert [item.raw for item in outcome.quarantined] == [held.rstrip(b"\n")]


async def test_facts_that_cannot_be_stated_cost_one_text() -> None:
    seen = SeenSet(10)
    found = examine_bundle(b"".join(lines_around(wire(POISON))), seen, Policy(), Erasing())
    broken = found.candidates[1]
    assert broken.judgement.event is not None
    nonce: list[list[str]] = [["nonce", "1", None]]  # type: ignore[list-item] # what no rule lets through
    broken.judgement = broken.judgement._replace(event=broken.judgement.event._replace(tags=nonce))
    outcome = conclude_bundle(found, [True] * 3, seen, SOURCE, 1)
    assert published(outcome) == [BEFORE.id, AFTER.id]
    assert [item.raw for item in outcome.quarantined] == [wire(POISON)]
    assert POISON.id not in {key.hex() for key, _ in outcome.learned.keys}


async def test_a_check_that_fails_is_told_beside_the_signature_that_it_belongs_to() -> None:
    good = (BEFORE.pubkey, BEFORE.id, BEFORE.sig)
    no_text: tuple[str, str, str] = (BEFORE.pubkey, BEFORE.id, None)  # type: ignore[assignment]
    verifier = Verifier(1)
    right, failed, wrong = await verifier.verify([good, no_text, (AFTER.pubkey, AFTER.id, BEFORE.sig)])
    verifier.close()
    assert (right, type(failed), wrong) == (True, TypeError, False)
    found = examine_bundle(b"".join(lines_around(wire(POISON))), SeenSet(10), Policy(), Erasing())
    assert isinstance(failed, Exception)
    outcome = conclude_bundle(found, [True, failed, True], SeenSet(10), SOURCE, 1)
    assert published(outcome) == [BEFORE.id, AFTER.id]
    assert [(item.raw, item.reason) for item in outcome.quarantined] == [(wire(POISON), Reason.INTERNAL_ERROR)]
