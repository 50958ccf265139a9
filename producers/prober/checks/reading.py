"""The check `read`: a question for one stored event, which ends at the first EVENT, EOSE or CLOSED.

So a relay that is empty passes, and one that serves only whom it knows does, by saying so. An event that does not fit
the question, or is not its author's, is no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from core.tasks import first_of
from producers.prober.checks.policy import named_policy
from producers.prober.checks.words import words
from producers.prober.dialogue import Dialogue
from producers.relay_client.client import AFTER_REFUSAL_S, UNTIL_SIGNED_IN_S, RelayClient
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.page_subscription import PageSubscription
from producers.relay_client.refusals import RelayError
from producers.relay_client.wording import Meaning
from schemas.nostr.filters import Filter
from schemas.nostr.messages import prefix_of
from schemas.records.probe import Cause, ReadCheck

QUESTIONS = (Filter(kinds=(1,), limit=1), Filter(kinds=(0, 10_002), limit=1))
"""The second where a relay closes the first: some give notes (kind 1) only of authors that are named, or hold other
kinds. By kinds, since many close a question without any (khatru's policy NoEmptyFilters)."""

Ending = Literal["EVENT", "EOSE", "CLOSED"]


class Read(NamedTuple):
    """How a relay answers a question.

    Attributes:
        check: the record.
        served: the question that it answered by an event or EOSE; None: none.
        auth_required: whether it served nothing before AUTH; None: not seen either way.
    """

    check: ReadCheck
    served: Filter | None = None
    auth_required: bool | None = None


class _Answer(NamedTuple):
    ended_by: Ending | None
    took_ms: int
    words: str | None
    """Of a CLOSED, or of the newest NOTICE."""
    cause: Cause | None
    wants_auth: bool

    @property
    def served(self) -> bool:
        return self.ended_by in ("EVENT", "EOSE")


@dataclass(slots=True)
class _Said:
    """What a relay has said so far to the questions: to the one that it serves, or else to the first.

    What it said to the first tells more than silence to the second.
    """

    answer: _Answer | None = None
    served: Filter | None = None
    wanted_auth: bool = False
    _asked: Filter | None = None

    def take(self, answer: _Answer, asked: Filter) -> None:
        """Take one more answer; that after AUTH is of the same question."""
        self.wanted_auth |= answer.wants_auth
        if answer.served:
            self.served = asked
        if answer.served or self._asked in (None, asked):
            self.answer, self._asked = answer, asked


async def check_read(dialogue: Dialogue, timeout_s: float) -> Read:
    """Ask for a stored event, and again after AUTH where that is demanded and there is a key.

    Args:
        dialogue: with the relay.
        timeout_s: for each answer, and for AUTH: six times that at most.
    """
    said = _Said()
    try:
        await dialogue.before_end(_ask_until_served(dialogue.client, said, timeout_s))
    except RelayError as error:
        if said.answer is None:
            return _hung_up(error, dialogue)
    # An answer holds, also where the relay hung up after it.
    assert said.answer is not None, "there is a question"
    auth_required = said.wanted_auth if said.served is not None else True if said.wanted_auth else None
    return Read(_check(said.answer, dialogue, timeout_s), said.served, auth_required)


async def _ask_until_served(client: RelayClient, said: _Said, timeout_s: float) -> None:
    for asked in QUESTIONS:
        answer = await _ask(client, asked, timeout_s)
        said.take(answer, asked)
        if answer.wants_auth and await client.auth.sign_in_within(timeout_s, client.auth.session):
            answer = await _ask(client, asked, timeout_s)
            said.take(answer, asked)
        if answer.served or answer.ended_by is None or answer.cause in ("auth", "rate_limited"):
            return


def _hung_up(error: RelayError, dialogue: Dialogue) -> Read:
    """Without an answer; some name a policy in a NOTICE, or as they close, instead of CLOSED."""
    notice = dialogue.client.notice
    said = "" if notice is None else notice.text
    in_notice = named_policy(said)
    cause = in_notice or (named_policy(str(error)) if error.state == "disconnected" else None)
    check = ReadCheck(
        ok=False,
        error=words(str(error)),
        cause=cause or "read",
        is_nostr=dialogue.is_nostr,
        # A notice that names none may be a greeting, or one of a flood: it does not tell why.
        words=words(said) if in_notice is not None else None,
    )
    return Read(check, None, True if cause == "auth" else None)


def _check(answer: _Answer, dialogue: Dialogue, timeout_s: float) -> ReadCheck:
    ended_by, cause, error, is_nostr = answer.ended_by, answer.cause, None, dialogue.is_nostr
    if is_nostr is False:
        error, cause = "what it says is no message of NIP-01", "read"
    elif ended_by is None:
        error = "answers nothing before AUTH" if cause == "auth" else f"no answer within {timeout_s:g} s"
        cause = cause or "silent"
    elif ended_by == "CLOSED" and cause is None and prefix_of(answer.words or "") == "error":
        error, cause = "closed the question because of a fault of its own", "read"
    return ReadCheck(
        ok=error is None,
        took_ms=answer.took_ms if error is None else None,
        error=error,
        ended_by=ended_by,
        cause=cause,
        is_nostr=is_nostr,
        words=answer.words,
    )


async def _ask(client: RelayClient, asked: Filter, timeout_s: float) -> _Answer:
    client.forget_notices()
    page = await client.request_page(asked)
    began_s = loop_s()
    await _wait(client, page, timeout_s)
    took_ms = round((loop_s() - began_s) * 1000)
    ended_by = _ending(page)
    try:
        await client.release(page)
    except RelayError:
        # Some answer and hang up.
        if ended_by is None:
            raise
    if ended_by in ("EVENT", "EOSE"):
        return _Answer(ended_by, took_ms, None, None, wants_auth=False)
    text = page.closed.text if page.closed is not None else client.notice.text if client.notice is not None else ""
    said = client.said(page)
    cause = named_policy(text)
    # Some hold a question without a word until the client has signed in. Silence after that is silence.
    held = ended_by is None and client.auth.challenges > 0 and client.auth.identity is None
    wants_auth = cause == "auth" or (said is not None and said.meaning is Meaning.AUTH) or (held and cause is None)
    return _Answer(ended_by, took_ms, words(text) or None, "auth" if wants_auth else cause, wants_auth)


async def _wait(client: RelayClient, page: PageSubscription, timeout_s: float) -> None:
    """Wait for the first answer; less where the relay refuses by a notice, or has asked who we are."""
    first_s = min(timeout_s, UNTIL_SIGNED_IN_S)
    await first_of(page.answered, client.refusal, timeout_s=first_s)
    if not page.answered.is_set() and not client.refusal.is_set() and not client.auth.pending:
        await first_of(page.answered, client.refusal, timeout_s=timeout_s - first_s)
    if not page.answered.is_set() and client.refusal.is_set():
        # A notice names no question: this one may still be answered.
        await first_of(page.answered, timeout_s=min(AFTER_REFUSAL_S, timeout_s))


def _ending(page: PageSubscription) -> Ending | None:
    if page.events:
        return "EVENT"
    if page.eose is not None:
        return "EOSE"
    return "CLOSED" if page.closed is not None else None
