"""Second step of validation: the verdict on each text of a bundle, in order, once signatures are checked."""

from __future__ import annotations

from collections.abc import Sequence

from core.settings import DiscoverySettings
from processors.validate.apart import set_apart
from processors.validate.discovery.claims import Claims
from processors.validate.discovery.findings import Findings
from processors.validate.examination import Candidate, Examination
from processors.validate.known.seen import SeenSet, created_at_of, pack
from processors.validate.outcome import NewEvent, Outcome, Records, Refused, Source
from processors.validate.sighting import NewSightings
from schemas.fingerprint_map import fingerprint
from schemas.nostr.event import Event, encode_event
from schemas.nostr.facts import facts
from schemas.nostr.judge import conclude
from schemas.nostr.relay_mentions import Mention, mentions
from schemas.partition import event_partition
from schemas.reasons import Verdict
from schemas.records.bundle import BundleLine, HeldLine
from schemas.records.erasure import Cause
from schemas.records.event_record import encode

Verdicts = Sequence[bool | Exception]
"""For each signature of a bundle whether it is right, or what its check failed on."""


class Conclusion:
    """Adds texts to what is published of their bundle.

    Args:
        found: the bundle, examined.
        verdicts: of `found.signatures`.
        seen: what the partition remembers; it is asked for ids, and not changed.
        source: where the bundle stands.
        partitions: the partition count of `events` and `sightings`.
        discovery: which relays are found in new events.
    """

    def __init__(
        self,
        found: Examination,
        verdicts: Verdicts,
        seen: SeenSet,
        source: Source,
        partitions: int,
        *,
        discovery: DiscoverySettings,
    ) -> None:
        self.outcome = Outcome(found.lines, found.duplicates, len(verdicts), refused=found.refused, erased=found.erased)
        self.outcome.quarantined += found.apart.values()
        self._erasing = found.erasing
        self._verdicts = verdicts
        self._seen = seen
        self._partitions = partitions
        self._archived = found.archived
        self._discovery = discovery
        self._relays = Findings()
        self._claims = Claims()
        self._here: set[bytes] = set()
        self._home_partition = source.partition
        self._home = self.outcome.records(source.partition)
        self._sightings = found.sightings
        self._home.sightings = found.sightings.groups
        self.outcome.learned.pairs = found.sightings.pairs

    def add(self, candidate: Candidate) -> None:
        """Add a text; where a rule fails on it, or the check of its signature, it is set apart."""
        try:
            self._add(candidate)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this text alone
            # One record for all copies: a replay of equal texts must not multiply them.
            self.outcome.quarantined.append(set_apart(BundleLine(*candidate.copies[0], candidate.raw), error))
            self.outcome.duplicates += len(candidate.copies) - 1

    def _add(self, candidate: Candidate) -> None:
        """Settle a text. All that can fail comes before anything is added."""
        outcome = self.outcome
        valid = True if candidate.check < 0 else self._verdicts[candidate.check]
        if isinstance(valid, Exception):
            raise valid
        judgement = conclude(candidate.judgement, signature_valid=valid)
        event = judgement.event
        assert event is not None
        accepted = judgement.verdict is Verdict.ACCEPTED
        rules = self._erasing.rules(event, candidate.copies[0][1]) if accepted and candidate.asking else ()
        copies = [] if candidate.erased is not None else candidate.in_time()
        if not copies or judgement.verdict is Verdict.REFUSED:
            self._drop(candidate, len(candidate.copies) - len(copies))
            outcome.erasures += rules
            outcome.refused += [Refused.of(candidate.raw, judgement, *copy) for copy in copies]
            return
        event_id = bytes.fromhex(event.id)
        relay, seen_at_ms = copies[0]
        known = self._seen.get(event_id)
        new = event_id not in self._here and known is None
        partition = event_partition(event.id, self._partitions) if accepted else self._home_partition
        value = b""
        if accepted and new:
            stated = facts(event, judgement.id_form, seen_at_ms)  # type: ignore[arg-type] # accepted: never None
            # What was signed, and nothing else: a relay can add members and white space to any event.
            value = encode(encode_event(event), relay, seen_at_ms, stated)
        named = self._named(event, event_id, new=accepted and new)
        record = known or pack(fingerprint(event.sig.encode()), event.created_at if accepted else None)

        self._drop(candidate, len(candidate.copies) - len(copies))
        outcome.erasures += rules
        outcome.duplicates += len(copies) - 1
        records = self._home if partition == self._home_partition else outcome.records(partition)
        if accepted:
            if new:
                records.events.append(NewEvent(event_id, value, candidate.raw, relay, seen_at_ms))
            self._relays.add(named, event.pubkey, seen_at_ms)
            self._claims.add(named, event, seen_at_ms)
            self._sight(records, copies, event_id, record)
        elif new:
            outcome.quarantined.append(Refused.of(candidate.raw, judgement, relay, seen_at_ms))
        if new:
            self._here.add(event_id)
        # A copy that its connector put into another partition's bundle does not teach this partition's seen-set.
        if records is self._home:
            outcome.learned.keys.append((candidate.key, event_id))
            if new:
                outcome.learned.keys.append((event_id, record))

    def add_held(self, held: HeldLine) -> None:
        """Add the sighting of an event that a relay was shown to hold. It is verified: its id is the archive's."""
        event_id = bytes.fromhex(held.id)
        partition = event_partition(held.id, self._partitions)
        record = self._seen.get(event_id) if partition == self._home_partition else None
        if record is None or created_at_of(record) is None:
            groups = self.outcome.records(partition).sightings
            groups.setdefault((held.relay, held.seen_at_ms), []).append((held.id, held.created_at))
        else:
            self._sightings.add(held.relay, held.seen_at_ms, event_id, record)

    def close(self) -> Outcome:
        """Return the outcome, once everything is added."""
        self.outcome.known_sightings = self._sightings.known
        self.outcome.relays = list(self._relays)
        self.outcome.claims = list(self._claims)
        return self.outcome

    def _named(self, event: Event, event_id: bytes, *, new: bool) -> list[Mention]:
        """The relays that an event names, unless they were told before."""
        if not self._discovery.enabled or not (new or event_id in self._archived):
            return []
        return mentions(event, allow_private=self._discovery.allow_private)

    def _sight(self, records: Records, copies: list[tuple[str | None, int]], event_id: bytes, record: bytes) -> None:
        """Add copies of an accepted event. What another partition's seen-set knows is not known here."""
        sightings = self._sightings if records is self._home else NewSightings(None, records.sightings)
        for relay, seen_at_ms in copies:
            if relay is not None:
                sightings.add(relay, seen_at_ms, event_id, record)

    def _drop(self, candidate: Candidate, copies: int) -> None:
        """Count copies that are dropped because the event is erased or had expired."""
        if copies:
            self.outcome.erased[candidate.erased or Cause.EXPIRATION] += copies
