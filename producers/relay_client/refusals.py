"""Why a relay is not read now, each with how long to stay away: one place for every way in which a relay says no."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from http import HTTPStatus

MINUTE_S = 60.0
HOUR_S = 3600.0
LONGEST_RETRY_AFTER_S = 24 * HOUR_S
"""A relay that asks for more is looked at once a day all the same: it may have been a mistake."""

_UNWANTED = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.PAYMENT_REQUIRED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
}
"""A relay is there, and does not want us."""

_COMPLAINT = re.compile(
    r"error|invalid|could not|cannot|can't|too (many|large|big|long)|unsupported|not supported|failed|bad (req|msg)",
    re.IGNORECASE,
)


class RelayError(Exception):
    """A relay cannot be read now.

    Attributes:
        state: one word for status and metrics.
        wait_s: stay away at least so long.
    """

    def __init__(self, state: str, text: str, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.state = state
        self.wait_s = wait_s


class AskOtherwiseError(RelayError):
    """The relay is to be asked in another way, which was learnt: connect anew and do so."""

    def __init__(self, words: str) -> None:
        super().__init__("learning", f"is asked in another way from now on; it said: {words}")


def not_a_relay(text: str) -> RelayError:
    """What answers speaks something else (echo servers, other protocols): look again some hours later."""
    return RelayError("not_a_relay", text, 6 * HOUR_S)


def over_budget(pause_s: float) -> RelayError:
    """The relay sent more refused input in an hour than it may."""
    return RelayError("over_budget", "sent more refused input in an hour than the budget allows", pause_s)


def refused_by_relay(prefix: str, text: str) -> RelayError:
    """The relay closed what it was asked, with the prefix of NIP-01 and NIP-42."""
    said = f"the relay said: {text or prefix or 'CLOSED'}"
    match prefix:
        case "auth-required":
            return RelayError("auth_required", said, HOUR_S)
        case "restricted" | "blocked":
            return RelayError("restricted", said, HOUR_S)
        case "rate-limited":
            return RelayError("rate_limited", said, MINUTE_S)
        case _:
            return RelayError("closed", said)


def refused_upgrade(status: int, headers: Mapping[str, str], now_s: float) -> RelayError:
    """The host answered the websocket handshake with an HTTP status other than 101."""
    asked = retry_after_s(headers.get("Retry-After", ""), now_s)
    # Without a word of theirs: a limit passes in a minute, a ban does not.
    default = {429: MINUTE_S, 503: MINUTE_S, 403: 10 * MINUTE_S, 401: 10 * MINUTE_S}.get(status, 0.0)
    if status == HTTPStatus.TOO_MANY_REQUESTS or asked is not None:
        state = "rate_limited"
    elif status in _UNWANTED:
        state = "refused"
    else:
        # A host that is overloaded and does not say until when may be so for days, and a proxy answers for dead relays.
        state = "unreachable" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "not_a_relay"
    return RelayError(state, f"the handshake was answered with HTTP {status}", default if asked is None else asked)


def retry_after_s(value: str, now_s: float) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3), bounded; None if it says nothing usable."""
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) < 16:  # noqa: PLR2004 - more digits are no number of seconds
        return min(float(text), LONGEST_RETRY_AFTER_S)
    try:
        at_s = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max(0.0, at_s - now_s), LONGEST_RETRY_AFTER_S)


def is_complaint(notice: str) -> bool:
    """Whether a notice says that something went wrong. Many only greet or advertise."""
    return _COMPLAINT.search(notice) is not None
