"""Result of the first step of validation: a bundle and its events before signatures are checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from processors.validate.erasing import Erasing
from processors.validate.known.seen import SeenSet, signature_of
from processors.validate.outcome import Refused
from processors.validate.sighting import NewSightings
from processors.validate.verify import Signature
from schemas.fingerprint_map import fingerprint
from schemas.nostr.event import Event
from schemas.nostr.judge import Judgement
from schemas.records.bundle import HeldLine
from schemas.records.erasure import Cause


@dataclass(slots=True, eq=False)
class Candidate:
    """One text of an event that is right but for its signature, with every copy of it in the bundle.

    Attributes:
        raw: the verbatim bytes; `key` is their fingerprint.
        judgement: what `schemas.nostr.judge.examine` said; it holds if the signature does.
        event: that of `judgement`.
        copies: (relay, seen_at in ms), in order of arrival.
        erased: why a rule drops it, if one does, and only what it asks for is heard.
        expires_ms: copies of this `seen_at` or later had expired when they were received and are dropped; None: none.
        asking: whether it asks for rules that are applied if the signature is right.
        check: index into the signatures to verify, or -1 if this signature of this id is known to be right.
    """

    raw: bytes
    key: bytes
    judgement: Judgement
    event: Event
    copies: list[tuple[str | None, int]]
    erased: Cause | None = None
    expires_ms: int | None = None
    asking: bool = False
    check: int = -1

    def in_time(self) -> list[tuple[str | None, int]]:
        """The copies that were received before the event expired, each by its own time."""
        expires_ms = self.expires_ms
        return self.copies if expires_ms is None else [copy for copy in self.copies if copy[1] < expires_ms]


@dataclass(slots=True, eq=False)
class Examination:
    """A bundle before its signatures are checked.

    Attributes:
        erasing: what it was examined with.
        sightings: of events that were known by their bytes; more are added in the second step.
        archived: ids that the archive knows and the seen-set did not. A processor that was killed may have published
            the event, and not yet the relays that it names.
        apart: lines on which a rule failed, each once, by their bytes.
    """

    erasing: Erasing
    sightings: NewSightings
    lines: int = 0
    duplicates: int = 0
    refused: list[Refused] = field(default_factory=list)
    archived: set[bytes] = field(default_factory=set)
    apart: dict[bytes, Refused] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    held: list[HeldLine] = field(default_factory=list)
    erased: Counter[Cause] = field(default_factory=Counter)
    _checks: dict[Signature, int] = field(default_factory=dict)

    @property
    def signatures(self) -> list[Signature]:
        """Those to verify, each once."""
        return list(self._checks)

    def check(self, candidate: Candidate, seen: SeenSet) -> None:
        """Have the signature of a candidate verified, unless the seen-set has it under this id."""
        event = candidate.event
        record = seen.get(bytes.fromhex(event.id))
        if record is None or signature_of(record) != fingerprint(event.sig.encode()):
            signature = (event.pubkey, event.id, event.sig)
            candidate.check = self._checks.setdefault(signature, len(self._checks))
        else:
            candidate.check = -1

    def check_again(self, seen: SeenSet) -> None:
        """Decide anew what is to be verified, once the seen-set knows more."""
        self._checks.clear()
        for candidate in self.candidates:
            self.check(candidate, seen)
