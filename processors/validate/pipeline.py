"""Validates a bundle in two pure steps, before and after its signatures are checked, the cheapest rule first.

`examine_bundle` does everything that needs no signature and says which signatures to check; `conclude_bundle` takes
the answers. Only the seen-set is changed, and only by `conclude_bundle`'s caller.
"""

from __future__ import annotations

from hashlib import sha256

from core.settings import DiscoverySettings
from processors.validate.apart import set_apart
from processors.validate.conclusion import Conclusion, Verdicts
from processors.validate.erasing import Erasing
from processors.validate.examination import Candidate, Examination
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Outcome, Refused, Source
from processors.validate.sighting import NewSightings
from schemas.fingerprint_map import FINGERPRINT_BYTES
from schemas.nostr.judge import Policy, examine
from schemas.reasons import Reason, Verdict
from schemas.records.bundle import BadLine, BundleLine, HeldLine, decode_lines
from schemas.records.erasure import Cause

_DISCOVERY = DiscoverySettings()


def examine_bundle(value: bytes, seen: SeenSet, policy: Policy, erasing: Erasing) -> Examination:
    """Validate every line of a bundle but for signatures. Never raises, whatever the bundle holds.

    A line on which a rule fails is set apart, and nothing of it is left in what is known of the others.
    """
    found = Examination(erasing, NewSightings(seen.relays))
    here: dict[bytes, Candidate] = {}
    find = seen.find
    erased = erasing.index.covers_id
    sight = found.sightings.add
    for line in decode_lines(value):
        found.lines += 1
        try:
            if not isinstance(line, BundleLine):
                _note(line, found, erasing)
                continue
            relay, seen_at_ms, raw = line
            key = sha256(raw).digest()[:FINGERPRINT_BYTES]  # `fingerprint`, without a call for every copy
            if (known := find(key)) is not None:
                event_id, record = known
                if (cause := erased(event_id)) is not None:
                    found.erased[cause] += 1
                    continue
                found.duplicates += 1
                if relay is not None:
                    sight(relay, seen_at_ms, event_id, record)
                continue
            # The same bytes twice in one bundle have the same verdict, so they are validated once.
            if (twin := here.get(key)) is not None:
                twin.copies.append((relay, seen_at_ms))
                continue
            if (candidate := _judge(line, key, found, seen, policy)) is not None:
                here[key] = candidate
                found.candidates.append(candidate)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this line alone
            _set_apart(line, error, found)
    return found


def conclude_bundle(
    found: Examination,
    verdicts: Verdicts,
    seen: SeenSet,
    source: Source,
    partitions: int,
    *,
    discovery: DiscoverySettings = _DISCOVERY,
) -> Outcome:
    """Decide what to publish, given one verdict for each of the examination's signatures.

    Args:
        found: the bundle, examined against the same seen-set.
        verdicts: whether each of `found.signatures` is right, or what its check failed on.
        seen: what the partition remembers; it is asked for ids, and not changed.
        source: where the bundle stands.
        partitions: the partition count of `events` and `sightings`.
        discovery: which relays are found in new events.
    """
    conclusion = Conclusion(found, verdicts, seen, source, partitions, discovery=discovery)
    for held in found.held:
        conclusion.add_held(held)
    for candidate in found.candidates:
        conclusion.add(candidate)
    return conclusion.close()


def _judge(line: BundleLine, key: bytes, found: Examination, seen: SeenSet, policy: Policy) -> Candidate | None:
    """Validate a text that was not met before; None where its signature does not matter."""
    relay, seen_at_ms, raw = line
    judgement = examine(raw, policy)
    event, erasing = judgement.event, found.erasing
    # Before it can be refused: the bytes of an erased event must not live on in `rejections`.
    rule, expires_ms, asking = erasing.rule(judgement), erasing.expires_ms(judgement), erasing.listens(judgement)
    expired = expires_ms is not None and expires_ms <= seen_at_ms
    if (rule is not None or expired) and not asking:
        found.erased[rule or Cause.EXPIRATION] += 1
        return None
    if event is None or judgement.verdict is Verdict.REFUSED:
        found.refused.append(Refused.of(raw, judgement, relay, seen_at_ms))
        return None
    candidate = Candidate(raw, key, judgement, event, [(relay, seen_at_ms)], rule, expires_ms, asking=asking)
    found.check(candidate, seen)
    return candidate


def _note(line: HeldLine | BadLine, found: Examination, erasing: Erasing) -> None:
    """Put a line without an event where it belongs."""
    if isinstance(line, BadLine):
        found.refused.append(Refused(line.raw, Reason.BAD_BUNDLE, None, line.error))
    elif (cause := erasing.index.covers_id(bytes.fromhex(line.id))) is not None:
        found.erased[cause] += 1
    else:
        found.held.append(line)


def _set_apart(line: BundleLine | HeldLine | BadLine, error: Exception, found: Examination) -> None:
    """Keep a line on which a rule failed, once: a replay of equal ones must not multiply them."""
    apart = set_apart(line, error)
    if found.apart.setdefault(apart.raw, apart) is not apart:
        found.duplicates += 1
