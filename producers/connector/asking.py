"""Sends one REQ until it is answered: authenticates, waits for rate limits, or narrows the filter where asked to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import NamedTuple

from core.backoff import Backoff
from core.clock import CLOCK
from producers.connector.known_filters import COMMON_KINDS
from producers.connector.relay_behavior import MOST_KINDS_ASKED
from producers.connector.relay_model import SILENCE, Model, Name
from producers.relay_client.client import RelayClient
from producers.relay_client.page import Page, Seen
from producers.relay_client.page_subscription import PageSubscription
from producers.relay_client.refusals import AskOtherwiseError, is_complaint
from producers.relay_client.wording import Meaning, Said
from schemas.nostr.filters import Filter
from schemas.records.coverage import GapReason

MOST_REFUSALS = 4
"""In a row, of one question, for a reason that is not understood: with the back-off below that is half a minute."""
MOST_REFUSALS_ASIDE = 2
"""Of a question that asks in a special way, which a relay may refuse for its form."""
MOST_LOWERED = 13
"""Times that `limit` is halved, from the largest that settings allow down to one."""
MOST_SLOWED = 30
"""Rate limits in a row without one answer: at the slowest pace that is half an hour."""
MOST_UNSETTLED = 6
"""Answers in a row during which the relay asked anew who we are."""
SHOWN_S = 10.0
"""For events that serve to learn something, where none came before EOSE."""
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 60.0


class Answer(NamedTuple):
    """An answered question: what it brought, and the question itself, which is not closed yet."""

    page: Page
    asked: PageSubscription


class Asker:
    """Asks over one connection."""

    def __init__(self, client: RelayClient, model: Model, eose_timeout_s: float) -> None:
        """Ask a relay that behaves as `model` tells, learning into it; so much silence ends a page."""
        self._client = client
        self._model = model
        self._eose_timeout_s = eose_timeout_s
        self.current: PageSubscription | None = None
        """The question that is under way."""

    async def ask(self, asked: Filter, *, aside: bool = False) -> Answer | GapReason:
        """Ask for one page.

        Args:
            asked: with a `limit`, which is lowered to what the relay bears.
            aside: it asks in a special way, so that a refusal may be about that.

        Returns:
            The answer, also one without EOSE after a long silence; or why there is none.

        Raises:
            AskOtherwiseError: it has to be asked in another way from now on.
            RelayError: the connection has ended.
        """
        backoff = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        left = {
            Meaning.AUTH: (1, GapReason.AUTH_REQUIRED),
            Meaning.RESTRICTED: (1, GapReason.RESTRICTED),
            Meaning.RATE: (MOST_SLOWED, GapReason.RATE_LIMITED),
            Meaning.LIMIT: (MOST_LOWERED, GapReason.CLOSED),
            Meaning.OTHER: (MOST_REFUSALS_ASIDE if aside else MOST_REFUSALS, GapReason.CLOSED),
            None: (MOST_UNSETTLED, GapReason.AUTH_REQUIRED),
        }
        while True:
            # The limit may have been lowered meanwhile.
            asked = replace(asked, limit=min(asked.limit or 1, self._model.behavior.limit))
            answer = await self._once(asked)
            if isinstance(answer, Answer):
                return answer
            meaning = answer.meaning if answer is not None else None
            if meaning not in left:
                meaning = Meaning.OTHER
            tries, reason = left[meaning]
            if tries == 1:
                if meaning is Meaning.OTHER and not aside:
                    await self._try_by_kinds(asked)
                return reason
            left[meaning] = tries - 1, reason
            if meaning is Meaning.OTHER:
                await asyncio.sleep(backoff.next_s())

    async def show(self, asked: Filter) -> list[Seen] | None:
        """Ask aside for events that only serve to learn something; None if that is not answered.

        Raises:
            AskOtherwiseError, RelayError: as above.
        """
        answer = await self.ask(asked, aside=True)
        if not isinstance(answer, Answer):
            return None
        if not self._model.behavior.prompt and not self._client.late_s:
            # It has not shown anything before an EOSE yet.
            await answer.asked.quiet_for(SHOWN_S)
        shown = answer.asked.page().events
        await self._client.release(answer.asked)
        return shown

    async def _once(self, asked: Filter) -> Answer | Said | None:
        """Ask once: the answer, a refusal, or None where it is to be asked again at once."""
        client = self._client
        client.forget_notices()
        page = self.current = await client.request_page(asked)
        await client.wait_for(page, client.patience_s(self._eose_timeout_s))
        self.current = None
        said = client.said(page)
        refused = page.closed is not None and said is not None and said.meaning is not Meaning.OTHER
        if page.usable or (page.events and not refused):
            if client.auth.has_key and page.challenges != client.auth.challenges:
                # While it asks who we are, what it does not give may only be kept from strangers.
                await client.release(page)
                if client.auth.expired:
                    await client.auth.sign_in(page.session)
                return None
            client.pace.answered()
            client.auth.of_use()
            self._model.behavior.prompt |= page.events > 0 and page.eose is not None
            taken = page.page(complaint=client.notice is not None and is_complaint(client.notice.text))
            page.forget_late()
            return Answer(taken, page)
        if said is None and page.closed is None:
            return await self._silent(page)
        await client.release(page)
        return await self._refused(page, asked, said or Said(Meaning.OTHER))

    async def _silent(self, page: PageSubscription) -> Answer | None:
        """No word: some relays wait for AUTH, others say nothing where they have nothing."""
        client = self._client
        if client.auth.pending and await client.auth.sign_in(page.session):
            self._model.learn(Name.AUTH, SILENCE, "answered only after AUTH", int(CLOCK.now_s()))
            await client.release(page)
            return None
        return Answer(page.page(), page)

    async def _refused(self, page: PageSubscription, asked: Filter, said: Said) -> Said | None:
        client = self._client
        words = page.closed.text if page.closed is not None else client.notice.text if client.notice else ""
        match said.meaning:
            case Meaning.AUTH:
                if not await client.auth.sign_in(page.session):
                    return said
                how = "closed" if page.ended_by_relay else "notice"
                self._model.learn(Name.AUTH, how, words, int(CLOCK.now_s()))
                return None
            case Meaning.RATE:
                slow_down(client, self._model, said, words)
            case Meaning.LIMIT:
                if not self._model.take(said, words, int(CLOCK.now_s()), asked=asked, open_at_once=0):
                    return Said(Meaning.OTHER)
            case Meaning.SUBSCRIPTIONS | Meaning.FILTER | Meaning.KINDS:
                raise_if_learnt(self._model, said, words, asked, open_at_once=client.open + 1)
        return said

    async def _try_by_kinds(self, asked: Filter) -> None:
        """A filter without kinds was refused in words that are not understood: see whether one with kinds is.

        Raises:
            AskOtherwiseError: it is not.
        """
        if asked.kinds is None and isinstance(await self._once(replace(asked, kinds=COMMON_KINDS)), Answer):
            said = Said(Meaning.FILTER)
            raise_if_learnt(self._model, said, "refuses a filter without kinds only", asked, open_at_once=0)


def slow_down(client: RelayClient, model: Model, said: Said, words: str) -> None:
    """The relay asks for fewer messages."""
    client.pace.refused(said)
    if client.pace.interval_s:
        model.learn(Name.INTERVAL_S, round(client.pace.interval_s, 3), words, int(CLOCK.now_s()))


def raise_if_learnt(model: Model, said: Said, words: str, asked: Filter, *, open_at_once: int) -> None:
    """Learn from a refusal that concerns how everything is asked.

    Raises:
        AskOtherwiseError: there is another way.
    """
    ordinary = model.kinds_at_once is None and said.meaning is not Meaning.SUBSCRIPTIONS
    if ordinary and asked.kinds is not None and (len(asked.kinds) > MOST_KINDS_ASKED or said.meaning is Meaning.FILTER):
        # It takes a filter without kinds, and all lists but this one.
        return
    if model.take(said, words, int(CLOCK.now_s()), asked=asked, open_at_once=open_at_once):
        raise AskOtherwiseError(words)
