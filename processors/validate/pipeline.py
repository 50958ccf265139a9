"""A bundle in, what to publish out: the order of design section 5 as two pure steps with the signatures between them.

`examine_bundle` does everything that needs no signature and says which signatures to check; `conclude_bundle` takes
the answers. Only the seen-set is changed, and only by `conclude_bundle`'s caller.
"""

from __future__ import annotations

import logging
from hashlib import sha256

from processors.validate.erasing import Erasing
from processors.validate.examination import Candidate, Examination
from processors.validate.outcome import Groups, NewEvent, Outcome, Refused, Source
from processors.validate.seen import FINGERPRINT_BYTES, SeenSet, fingerprint, id_of, pack, signature_of, unpack
from schemas.bundle import BadLine, BundleLine, HeldLine, decode_lines
from schemas.erasure import Cause
from schemas.event import Event
from schemas.event_record import encode
from schemas.facts import facts
from schemas.judge import Judgement, Policy, conclude, examine
from schemas.partition import event_partition
from schemas.reasons import Reason, Verdict

log = logging.getLogger(__name__)


def examine_bundle(value: bytes, seen: SeenSet, policy: Policy, erasing: Erasing) -> Examination:
    """Judge every line of a bundle but for signatures. Never raises, whatever the bundle holds."""
    found = Examination(erasing)
    here: dict[bytes, Candidate] = {}
    checks: dict[tuple[str, str, str], int] = {}
    known = seen.get
    erased = erasing.index.covers_id
    sightings = found.sightings
    for line in decode_lines(value):
        found.lines += 1
        if not isinstance(line, BundleLine):
            _note(line, found, erasing)
            continue
        relay, seen_at_ms, raw = line
        key = sha256(raw).digest()[:FINGERPRINT_BYTES]  # `fingerprint`, without a call for every copy
        if (record := known(key)) is not None:
            if (cause := erased(id_of(record))) is not None:
                found.erased[cause] += 1
                continue
            found.duplicates += 1
            if relay is not None:
                _sight(sightings, relay, seen_at_ms, record)
            continue
        # The same bytes twice in one bundle have the same verdict, so they are judged once.
        if (twin := here.get(key)) is not None:
            twin.copies.append((relay, seen_at_ms))
            continue
        judgement = _examine(raw, policy)
        event = judgement.event
        # Before it can be refused: the bytes of an erased event must not live on in `rejections`.
        rule, expires_ms, asking = erasing.rule(judgement), erasing.expires_ms(judgement), erasing.listens(judgement)
        expired = expires_ms is not None and expires_ms <= seen_at_ms
        if (rule is not None or expired) and not asking:
            found.erased[rule or Cause.EXPIRATION] += 1
            continue
        if event is None or judgement.verdict is Verdict.REFUSED:
            found.refused.append(Refused.of(raw, judgement, relay, seen_at_ms))
            continue
        candidate = here[key] = Candidate(
            raw, key, judgement, [(relay, seen_at_ms)], erased=rule, expires_ms=expires_ms, asking=asking
        )
        found.candidates.append(candidate)
        record = known(bytes.fromhex(event.id))
        if record is None or signature_of(record) != fingerprint(event.sig.encode()):
            candidate.check = checks.setdefault((event.pubkey, event.id, event.sig), len(checks))
    found.signatures = list(checks)
    return found


def conclude_bundle(
    found: Examination, verdicts: list[bool], seen: SeenSet, source: Source, partitions: int
) -> Outcome:
    """Decide what to publish, given one verdict for each of the examination's signatures.

    Args:
        found: the bundle, examined against the same seen-set.
        verdicts: whether each of `found.signatures` is right.
        seen: what the partition remembers; it is asked for ids, and not changed.
        source: where the bundle stands.
        partitions: the partition count of `events` and `sightings`.
    """
    outcome = Outcome(found.lines, found.duplicates, len(verdicts), refused=found.refused, erased=found.erased)
    home = outcome.records(source.partition)
    home.sightings = found.sightings
    _sight_held(found.held, outcome, partitions)
    here: set[bytes] = set()
    for candidate in found.candidates:
        valid = candidate.check < 0 or verdicts[candidate.check]
        judgement = conclude(candidate.judgement, signature_valid=valid)
        event = judgement.event
        accepted = judgement.verdict is Verdict.ACCEPTED
        if event is not None and accepted and candidate.asking:
            outcome.erasures += found.erasing.rules(event, candidate.copies[0][1])
        copies = _kept(candidate, outcome)
        if not copies:
            continue
        if event is None or judgement.verdict is Verdict.REFUSED:
            outcome.refused += [Refused.of(candidate.raw, judgement, *copy) for copy in copies]
            continue
        outcome.duplicates += len(copies) - 1
        event_id = bytes.fromhex(event.id)
        relay, seen_at_ms = copies[0]
        new = event_id not in here and seen.get(event_id) is None
        if not accepted:
            if new:
                outcome.quarantined.append(Refused.of(candidate.raw, judgement, relay, seen_at_ms))
        else:
            partition = event_partition(event.id, partitions)
            records = home if partition == source.partition else outcome.records(partition)
            if new:
                stated = facts(event, judgement.id_form, seen_at_ms)  # type: ignore[arg-type] # accepted: never None
                value = encode(candidate.raw, relay, seen_at_ms, stated)
                records.events.append(NewEvent(event_id, value, candidate.raw, relay, seen_at_ms))
            _sight_copies(records.sightings, event, copies)
            # A copy that its connector put into another partition's bundle does not teach this partition's seen-set.
            if records is not home:
                here.add(event_id)
                continue
        record = pack(event_id, fingerprint(event.sig.encode()), event.created_at if accepted else None)
        outcome.learned.append((candidate.key, record))
        if new:
            here.add(event_id)
            outcome.learned.append((event_id, record))
    return outcome


def _kept(candidate: Candidate, outcome: Outcome) -> list[tuple[str | None, int]]:
    """The copies of a text that are not dropped because it is erased or had expired; those that are, are counted."""
    copies = [] if candidate.erased is not None else candidate.in_time()
    if dropped := len(candidate.copies) - len(copies):
        outcome.erased[candidate.erased or Cause.EXPIRATION] += dropped
    return copies


def _note(line: HeldLine | BadLine, found: Examination, erasing: Erasing) -> None:
    """Put a line without an event where it belongs."""
    if isinstance(line, BadLine):
        found.refused.append(Refused(line.raw, Reason.BAD_BUNDLE, None, line.error))
    elif (cause := erasing.index.covers_id(bytes.fromhex(line.id))) is not None:
        found.erased[cause] += 1
    else:
        found.held.append(line)


def _sight(sightings: Groups, relay: str, seen_at_ms: int, record: bytes) -> None:
    """Note a copy of a known event; a quarantined one is not in the archive, and has no sightings."""
    event_id, created_at = unpack(record)
    if created_at is None:
        return
    group = sightings.get((relay, seen_at_ms))
    if group is None:
        sightings[relay, seen_at_ms] = [(event_id, created_at)]
    else:
        group.append((event_id, created_at))


def _sight_copies(sightings: Groups, event: Event, copies: list[tuple[str | None, int]]) -> None:
    for relay, seen_at_ms in copies:
        if relay is not None:
            sightings.setdefault((relay, seen_at_ms), []).append((event.id, event.created_at))


def _sight_held(lines: list[HeldLine], outcome: Outcome, partitions: int) -> None:
    """Note events that relays were shown to hold. They are verified: their ids were read from the archive."""
    for held in lines:
        sightings = outcome.records(event_partition(held.id, partitions)).sightings
        sightings.setdefault((held.relay, held.seen_at_ms), []).append((held.id, held.created_at))


def _examine(raw: bytes, policy: Policy) -> Judgement:
    """Examine, and refuse what makes the rules themselves fail: one event must not stop a partition for ever."""
    try:
        return examine(raw, policy)
    except Exception as error:
        log.exception("an event of %d bytes could not be judged", len(raw))
        return Judgement(Verdict.REFUSED, Reason.BAD_FIELD, None, f"could not be judged: {type(error).__name__}")
