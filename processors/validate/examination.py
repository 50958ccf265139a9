"""What is known of a bundle and its events before their signatures are checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from processors.validate.outcome import Groups, Refused
from schemas.bundle import HeldLine
from schemas.erasure import Cause, Erasure
from schemas.judge import Judgement


@dataclass(slots=True, eq=False)
class Candidate:
    """One text of an event that is right but for its signature, with every copy of it in the bundle.

    Attributes:
        raw: the verbatim bytes; `key` is their fingerprint.
        judgement: what `schemas.judge.examine` said; it holds if the signature does.
        copies: (relay, seen_at in ms), in order of arrival.
        check: index into the signatures to verify, or -1 if this signature of this id is known to be right.
        erased: why it is dropped, if it is, and only what it asks for is heard.
        asked: rules that it asks for and that are not known yet; they hold if the signature does.
    """

    raw: bytes
    key: bytes
    judgement: Judgement
    copies: list[tuple[str | None, int]]
    check: int = -1
    erased: Cause | None = None
    asked: list[Erasure] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Examination:
    """What is known of a bundle before its signatures are checked."""

    lines: int = 0
    duplicates: int = 0
    sightings: Groups = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    held: list[HeldLine] = field(default_factory=list)
    signatures: list[tuple[str, str, str]] = field(default_factory=list)
    erased: Counter[Cause] = field(default_factory=Counter)
