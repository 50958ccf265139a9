"""What relays mean by the words of a CLOSED, a NOTICE or an OK: a table, with where each wording comes from.

The machine-readable prefixes of NIP-01 and NIP-42 come first; a known text tells more where a prefix is used for many
things. A text that is in no line means nothing: it is never taken for a number or a limit.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

LONGEST_WAIT_S = 3600.0
"""Of a time that a relay names; one that names more is asked again after this."""
_UNIT_S = {"ms": 0.001, "millisecond": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0}
_UNIT_S |= {"minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "d": 86_400.0, "day": 86_400.0}


class Meaning(Enum):
    """What a relay wants."""

    AUTH = auto()
    """Somebody who has signed in (NIP-42)."""
    RESTRICTED = auto()
    """Somebody else, or nothing at all of the kind."""
    RATE = auto()
    """Fewer messages in a time."""
    SUBSCRIPTIONS = auto()
    """Fewer subscriptions at once."""
    KINDS = auto()
    """Fewer kinds, or other values, in a filter."""
    FILTER = auto()
    """A filter that says what it wants: kinds, authors or ids."""
    LIMIT = auto()
    """A smaller `limit`."""
    OTHER = auto()
    """Something that no line of the table tells."""


class Said(NamedTuple):
    """A refusal in words, understood.

    Attributes:
        meaning: what is wanted.
        number: of events, kinds or subscriptions that it would take, where it says so of just these.
        wait_s: how long it wants to be left alone.
        rate: so many messages in so many seconds are allowed.
    """

    meaning: Meaning
    number: int | None = None
    wait_s: float | None = None
    rate: tuple[int, float] | None = None


_DECISIVE = {
    "auth-required": Meaning.AUTH,  # NIP-42
    "rate-limited": Meaning.RATE,  # NIP-01
}
_BROAD = {
    "restricted": Meaning.RESTRICTED,  # NIP-42
    "blocked": Meaning.RESTRICTED,  # NIP-01
}


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_TEXTS: tuple[tuple[re.Pattern[str], Meaning], ...] = (
    # NIP-42's examples, nostr-rs-relay ("NIP-42 auth required"), haven, zooid and others in a NOTICE.
    (
        _words(
            r"auth(entication)?[ -]?(is )?(required|needed)|not authenticated|unauthenticated|login required"
            r"|(please|must|need to|have to) (sign in|log ?in|auth)"
        ),
        Meaning.AUTH,
    ),
    # strfry: "ERROR: too many concurrent REQs"; nostream and khatru operators: subscriptions.
    (
        _words(
            r"too many (concurrent |open |active |simultaneous )*(reqs?\b|subs\b|subscriptions?)"
            r"|max(imum|\.)?( number of)?( concurrent| open)? (subs\b|subscriptions?)|subscriptions? limit"
            r"|max_subscriptions|(only )?one subscription|subscription quota"
        ),
        Meaning.SUBSCRIPTIONS,
    ),
    # khatru's policy NoComplexFilters: "too many things to filter for"; relays that bound the kinds of a filter.
    (
        _words(
            r"too many (kinds|things to filter|values|elements|items)|kinds?\b[^.]{0,20}\b(at most|max|limit|exceed)"
            r"|max(imum|_)?[ _]?(number of )?kinds|filters? (is |are )?too (large|long|big|complex)"
            r"|(at most|only|up to) \d+ kinds"
        ),
        Meaning.KINDS,
    ),
    # khatru's policies NoEmptyFilters ("can't handle empty filters") and AntiSyncBots ("an author must be specified");
    # nostr-rs-relay's limit_scrapers; proxies ("filter too broad").
    (
        _words(
            r"empty filter|too (broad|wide|generic|unspecific|general)|not specific enough"
            r"|(must|should|need to) (be )?(specif(y|ied)|includ|contain|have|provide|name)"
            r"[^.]{0,30}\b(kind|author|id|tag)"
            r"|(kind|author|id|tag)s?\b[^.]{0,30}\b(must be|is|are) (specified|required|needed|given)"
            r"|at least one (kind|author|id|tag|filter)|bare filter|scrap(er|ing)"
        ),
        Meaning.FILTER,
    ),
    # rnostr: "invalid: limitation.max_limit 300"; others: "limit too large", "limit must be at most 100".
    (
        _words(
            r"max_?limit|max(imum)?( allowed)? limit"
            r"|(?<!rate )(?<!rate-)\blimits?\b[^.]{0,20}"
            r"\b(too (large|high|big)|must|exceed|at most|above|over|maximum|max|\d)"
            r"|exceed\w*[^.]{0,20}(?<!rate )(?<!rate-)\blimit\b"
        ),
        Meaning.LIMIT,
    ),
    # nostream, strfry's plugins, proxies; "noting too much" is nostr-rs-relay's.
    (
        _words(
            r"rate.?limit|slow down|too many (requests?|messages|queries|connections)|too (fast|frequent)|throttl"
            r"|(try|come) (again|back) (in|later|after)|noting too much|quota|flood"
        ),
        Meaning.RATE,
    ),
)
_UNIT = r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b"
_WAIT = _words(rf"\b(?:in|after|for|wait|within|retry)\D{{0,12}}(\d{{1,7}}(?:\.\d{{1,3}})?)\s*{_UNIT}")
_RATE = _words(
    rf"(\d{{1,7}})\s*(?:(?:reqs?|requests?|messages?|queries|events?|subscriptions?|times|calls)\s*)?"
    rf"(?:/|per|a|an|each|every|in an?)\s*(\d{{1,5}}\s*)?{_UNIT}"
)
_NUMBER_OF = {
    Meaning.LIMIT: _words(r"limit\D{0,25}(\d{1,7})\b"),
    Meaning.KINDS: _words(r"kinds?\b\D{0,25}?(\d{1,7})\b|(?<!\d)(\d{1,7})\s+kinds"),
    Meaning.SUBSCRIPTIONS: _words(
        r"(?:subs|subscriptions?|reqs?)\b\D{0,25}?(\d{1,7})\b"
        r"|(?<!\d)(\d{1,7})\s+(?:\w+ )?(?:subs|subscriptions?|reqs?)\b"
    ),
}


def understood(prefix: str, text: str) -> Said:
    """What a refusal means.

    Args:
        prefix: the word before the first colon, lower case, or empty (`messages.prefix_of`).
        text: all of it.
    """
    meaning = _DECISIVE.get(prefix)
    if meaning is None:
        known = (meaning for pattern, meaning in _TEXTS if pattern.search(text))
        meaning = next(known, _BROAD.get(prefix, Meaning.OTHER))
    if meaning is Meaning.RATE:
        return Said(meaning, wait_s=_wait_s(text), rate=_rate(text))
    return Said(meaning, number=_number(meaning, text))


def _number(meaning: Meaning, text: str) -> int | None:
    pattern = _NUMBER_OF.get(meaning)
    found = pattern.search(text) if pattern is not None else None
    if found is None:
        return None
    number = int(next(group for group in found.groups() if group is not None))
    return number if number > 0 else None


def _wait_s(text: str) -> float | None:
    found = _WAIT.search(text)
    return min(float(found[1]) * _unit_s(found[2]), LONGEST_WAIT_S) if found is not None else None


def _rate(text: str) -> tuple[int, float] | None:
    found = _RATE.search(text)
    if found is None:
        return None
    messages, seconds = int(found[1]), float(found[2] or 1) * _unit_s(found[3])
    return (messages, min(seconds, LONGEST_WAIT_S)) if messages and seconds else None


def _unit_s(unit: str) -> float:
    word = unit.lower()
    return _UNIT_S.get(word) or _UNIT_S[word.removesuffix("s")]
