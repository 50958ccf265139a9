"""Which policy a relay names when it refuses something: in a CLOSED, a NOTICE or an OK."""

from __future__ import annotations

import re

from producers.relay_client.wording import Meaning, understood
from schemas.nostr.messages import prefix_of
from schemas.records.probe import Cause

_POW = re.compile(r"\b(pow\b|proof.of.work|difficulty|leading zero)", re.IGNORECASE)
_PAYMENT = re.compile(
    r"\b(pay|pays|paid|paying|payments?|invoice|lightning|lnurl|sats|admission fee|subscribers?( only)?|fee)\b",
    re.IGNORECASE,
)
_WHITELIST = re.compile(
    r"white.?list|allow.?list|not (allowed|permitted|authori[sz]ed|admitted|a member|on the list)|members?[ -]only"
    r"|invit(e|ation)|web of trust|\bwot\b|unauthori[sz]ed|forbidden|\bbanned\b|private relay",
    re.IGNORECASE,
)


def named_policy(text: str) -> Cause | None:
    """The policy that a refusal names, from its most certain sign to its least; None where it names none.

    Args:
        text: the relay's words, with the prefix of NIP-01 where it sends one.
    """
    prefix = prefix_of(text)
    meaning = understood(prefix, text).meaning
    if prefix == "rate-limited":
        return "rate_limited"
    if prefix == "pow" or (prefix != "auth-required" and _POW.search(text)):
        return "pow"
    if meaning is Meaning.AUTH:
        return "auth"
    if _PAYMENT.search(text):
        return "payment"
    if meaning is Meaning.RATE:
        return "rate_limited"
    if meaning is Meaning.RESTRICTED or _WHITELIST.search(text):
        return "whitelist"
    return None
