"""What the checks of a probe say together. Pure: the same checks give the same verdict."""

from __future__ import annotations

from typing import NamedTuple

from schemas.records.probe import Cause, Checks, OpenCheck, ReadCheck, Verdict, WriteCheck

_POLICIES: frozenset[Cause] = frozenset({"auth", "payment", "pow", "whitelist"})
_REFUSALS: frozenset[Cause] = frozenset({"forbidden", "rate_limited", "challenge_page"})


class Judged(NamedTuple):
    """A verdict, what it is for, and the same in words."""

    verdict: Verdict
    cause: Cause | None = None
    detail: str | None = None


def judged(checks: Checks) -> Judged:
    """Judge the checks of one attempt.

    The first step that fails decides. A relay that gives what it is asked and takes no event of ours is refusing by
    policy only where it was asked to take one, or says in its document that it would not.
    """
    if checks.open is None or not checks.open.ok:
        return _unopened(checks.open)
    if checks.read is None:
        return Judged("broken", "read", "nothing was asked")
    return _unread(checks.read) or _unwritten(checks.write) or Judged("works")


def _unopened(check: OpenCheck | None) -> Judged:
    if check is None:
        return Judged("broken", "connect", "no connection was tried")
    cause = check.cause or "handshake"
    return _refused(cause, check.error) or Judged("broken", cause, check.error)


def _unread(check: ReadCheck) -> Judged | None:
    """What is wrong with an answer to a question; None where nothing is."""
    if check.is_nostr is False:
        return Judged("not_nostr", None, check.error or "what it says is no message of NIP-01")
    said = check.words or check.error
    if (refused := _refused(check.cause, said)) is not None:
        return refused
    return None if check.ok else Judged("broken", check.cause or "read", said)


def _refused(cause: Cause | None, said: str | None) -> Judged | None:
    """The verdict of a cause that is no failure."""
    if cause in _POLICIES:
        return Judged("refused_by_policy", cause, said)
    return Judged("refuses_us", cause, said) if cause in _REFUSALS else None


def _unwritten(check: WriteCheck | None) -> Judged | None:
    """The policy by which an event was not taken; None where it was, was not tried, or failed in another way."""
    if check is None or check.cause not in _POLICIES:
        return None
    return Judged("refused_by_policy", check.cause, check.words or check.error)
