"""Asks a relay over an open connection which events it has and we do not, by comparing sets (NIP-77).

Whatever a relay does instead of comparing ends in `ReconcileRefused`: the same seconds can always be paged through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from producers.relay_client.client import RelayClient
from producers.relay_client.negentropy_session import Said
from schemas.negentropy.client import MOST_NEEDED, Reconciliation
from schemas.negentropy.wire import NegentropyError, TooManyError
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Closed, NegErr, NegMsg, Notice, prefix_of
from schemas.ranges import Range

UNTIL_END_S = 2**31
"""Relays in JavaScript shift 32-bit integers (NIP-77's reference, nostr-tools): they misread later times."""
IDS_AT_ONCE = 50
"""Ids in a REQ; common limits are 100 and more."""


_ASKED_TIMES = 2
"""A relay that is being filled may give at the second time what it did not at the first."""
_TOO_MANY = re.compile(r"too (many|large|big)|too_(many|large|big)", re.IGNORECASE)


class Refusal(StrEnum):
    """Why a relay did not compare."""

    UNSUPPORTED = "unsupported"
    """It does not know the message, or has it switched off."""
    SILENT = "silent"
    """It says nothing."""
    MALFORMED = "malformed"
    """What it says is no message of the protocol, or goes beyond what one may cost."""
    BLOCKED = "blocked"
    """It does not want to, for a reason of its own."""
    TOO_MANY = "too_many"
    """More records than it compares, or more needed ids than we ask for by id: fewer seconds may do."""
    AUTH_REQUIRED = "auth_required"
    """It wants to know who asks; a page does that."""
    RATE_LIMITED = "rate_limited"
    """Not now."""
    CLOSED = "closed"
    """It ended a comparison that had begun, for instance because of its age."""


_BY_PREFIX = {
    "blocked": Refusal.BLOCKED,
    "restricted": Refusal.BLOCKED,
    "closed": Refusal.CLOSED,
    "auth-required": Refusal.AUTH_REQUIRED,
    "rate-limited": Refusal.RATE_LIMITED,
}


class ReconcileRefused(Exception):  # noqa: N818 - a refusal is an answer
    """The relay does not compare these seconds: page through them.

    Attributes:
        reason: which refusal.
        at_most: so many records it would compare, where it said that.
    """

    def __init__(self, reason: Refusal, text: str, at_most: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.at_most = at_most


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison brought.

    Attributes:
        need: ids that only the relay has, each with the seconds, both included, to which it says that it belongs: those
            of the range in which it was listed. No message of the protocol tells the second itself.
        shared: (created_at, id) of what both have.
        rounds: messages of the relay.
        sent_bytes: of our messages as frames carry them, in hex,
        received_bytes: and of the relay's.
    """

    need: dict[str, Range]
    shared: list[tuple[int, str]]
    rounds: int
    sent_bytes: int
    received_bytes: int


async def reconcile(
    client: RelayClient,
    base: Filter,
    since: int | None,
    until: int,
    held: Sequence[tuple[int, str]],
    *,
    idle_s: float,
    most_needed: int = MOST_NEEDED,
) -> Reconciled:
    """Compare what a relay has of a filter in some seconds with what we hold.

    Args:
        client: an open one, being read.
        base: the filter; its own bounds and limit are left out.
        since: first second, None for all before `until`.
        until: last second, below `UNTIL_END_S`.
        held: (created_at, id) of everything that we hold of these seconds and this filter, read before this call.
        idle_s: so many seconds without an answer are a refusal.
        most_needed: so many ids may the relay have more than we.

    Raises:
        ReconcileRefused: the relay does not do it.
        RelayError: the connection has ended.
        ValueError: `until` is too late.
    """
    if until >= UNTIL_END_S:
        raise ValueError(f"until: must be below {UNTIL_END_S}: many relays cannot compare later times")
    ours = Reconciliation(
        ((created_at, bytes.fromhex(event_id)) for created_at, event_id in held), most_needed=most_needed
    )
    first = ours.initiate()
    sent_bytes, received_bytes, rounds = 2 * len(first), 0, 0
    async with client.exchanges.opened(replace(base, since=since, until=until, limit=None), first) as exchange:
        while True:
            said = _payload(await exchange.next(idle_s))
            received_bytes += 2 * len(said)
            rounds += 1
            answer = _answer(ours, said)
            if answer is None:
                break
            sent_bytes += 2 * len(answer)
            await exchange.reply(answer)
    have = {event_id.hex() for event_id in ours.have}
    return Reconciled(
        need={
            event_id.hex(): (_within(first_s, since or 0, until), _within(last_s, since or 0, until))
            for event_id, (first_s, last_s) in sorted(ours.need.items())
        },
        shared=[item for item in held if item[1] not in have],
        rounds=rounds,
        sent_bytes=sent_bytes,
        received_bytes=received_bytes,
    )


async def fetch(client: RelayClient, base: Filter, ids: Sequence[str], *, limit: int, idle_s: float) -> list[str]:
    """Ask for events by id; those that come enter the archive as any others do.

    Args:
        client: an open one, being read.
        base: the filter that they were found with; nothing else is taken.
        ids: which.
        limit: of events that the relay gives at a time.
        idle_s: so many seconds of silence end a page.

    Returns:
        Ids that the relay did not give, although it was asked twice: it may have deleted them meanwhile, or withhold
        them.

    Raises:
        ReconcileRefused: it refuses to be asked.
        RelayError: the connection has ended.
    """
    missing = list(ids)
    for _ in range(_ASKED_TIMES):
        missing = await _ask(client, base, missing, min(limit, IDS_AT_ONCE), idle_s)
    return missing


async def _ask(client: RelayClient, base: Filter, ids: list[str], at_once: int, idle_s: float) -> list[str]:
    missing: list[str] = []
    for start in range(0, len(ids), at_once):
        slice_ = ids[start : start + at_once]
        asked = replace(base, ids=tuple(slice_), since=None, until=None, limit=len(slice_))
        page = await client.request_page(asked)
        await client.wait_for(page, idle_s)
        missing += [event_id for event_id in slice_ if event_id not in page.ids]
        await client.release(page)
        if not page.usable:
            raise _refused(page.closed)
    return missing


def _within(second: int, since: int, until: int) -> int:
    """The nearest second that was asked for: ranges reach beyond those, and a relay's bounds may be anything."""
    return min(max(second, since), until)


def _payload(said: Said | None) -> bytes:
    """The bytes of a message of the protocol."""
    if not isinstance(said, NegMsg):
        raise _refused(said)
    try:
        return bytes.fromhex(said.payload)
    except ValueError:
        raise ReconcileRefused(Refusal.MALFORMED, "the relay sent something that is not hex") from None


def _answer(ours: Reconciliation, said: bytes) -> bytes | None:
    try:
        return ours.answer(said)
    except TooManyError as error:
        raise ReconcileRefused(Refusal.TOO_MANY, str(error)) from error
    except NegentropyError as error:
        raise ReconcileRefused(Refusal.MALFORMED, str(error)) from error


def _refused(said: NegErr | Closed | Notice | None) -> ReconcileRefused:
    if said is None:
        return ReconcileRefused(Refusal.SILENT, "the relay did not answer")
    text = f"the relay said: {said.text}"
    if isinstance(said, Notice):
        return ReconcileRefused(Refusal.UNSUPPORTED, text)
    at_most = said.at_most if isinstance(said, NegErr) else None
    reason = _BY_PREFIX.get(prefix_of(said.text), Refusal.UNSUPPORTED)
    # "rate-limited: too many requests" is about something else.
    if reason is not Refusal.RATE_LIMITED and (at_most is not None or _TOO_MANY.search(said.text)):
        reason = Refusal.TOO_MANY
    return ReconcileRefused(reason, text, at_most)
