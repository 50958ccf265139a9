"""Answers that come after their EOSE: noticed, made sure of by asking again, and waited for from then on."""

from __future__ import annotations

from dataclasses import replace

from core.clock import CLOCK
from producers.relays.asking import Answer, Asker
from producers.relays.claims import NOW_S, Claims, proves_late, silence_s
from producers.relays.dialogue import Dialogue
from producers.relays.loop_clock import loop_s
from producers.relays.model import Model, Name
from producers.relays.refusals import HOUR_S, RelayError
from producers.relays.subscriptions import PageSubscription

MOST_DOUBTS = 5
"""Times on one connection that a late event makes doubtful what was read: silences double up to the longest."""
_MOST_HELD = 3
"""Questions that are held one after another at the end of a crawl, where the first were ended or disturbed."""
_LENGTH_S = 3600
"""Of a range that is asked for only to be held: little of an hour is more than a page."""


class LateAnswers:
    """Over one connection: whether EOSE says that everything was sent."""

    def __init__(self, dialogue: Dialogue, asker: Asker, model: Model, claims: Claims) -> None:
        """Watch the questions of a dialogue for the claims of a visit."""
        self._dialogue = dialogue
        self._asker = asker
        self._model = model
        self._claims = claims
        self._doubts = 0
        self._since_s = 0.0
        if model.late_s:
            dialogue.late_s = silence_s(model.late_s)

    async def close(self, page: PageSubscription) -> None:
        """Close an answered question, unless it is the one that is held open past its EOSE.

        Raises:
            RelayError: the connection has ended.
        """
        if self._model.late_s or not self._claims.answered(page):
            await self._dialogue.release(page)
        elif self._model.subscriptions is not None and self._dialogue.open >= self._model.subscriptions:
            # There is no room for another question beside it.
            await page.quiet_for(self._claims.rest_s)

    async def found(self) -> bool:
        """Whether answers were late, so that all that this visit has read is to be read again.

        Raises:
            RelayError: they are later than any question is kept open, or the connection has ended.
        """
        suspect = next((page for page in self._watched() if self._is_suspect(page)), None)
        if suspect is not None:
            return await self._is_late(suspect)
        held = self._claims.held
        if held is not None and (held.late or held.closed is not None):
            # It can show nothing any more; another one is held.
            self._claims.connection_lost()
            await self._dialogue.release(held)
        await self._settle()
        return False

    async def none_to_come(self) -> bool:
        """Wait until what was read counts; False if answers were late after all.

        Raises:
            RelayError: as above.
        """
        for _ in range(_MOST_HELD):
            if not self._claims.waiting or self._model.late_s:
                break
            held = self._claims.held or await self._hold_any()
            if held is not None:
                await held.quiet_for(self._claims.rest_s)
            if await self.found():
                return False
        return not await self.found()

    async def _settle(self) -> None:
        held = self._claims.settle()
        if held is not None:
            await self._dialogue.release(held)

    async def _hold_any(self) -> PageSubscription | None:
        """No question could be held so far, for all were full or reached now: ask one that is neither, most likely."""
        until_s = int(CLOCK.now_s()) - 2 * NOW_S
        base = next(iter(self._claims.reading.values()))
        limit = self._model.habits.limit
        answer = await self._asker.ask(replace(base, since=until_s - _LENGTH_S, until=until_s, limit=limit))
        if not isinstance(answer, Answer):
            return None
        if self._claims.answered(answer.asked):
            return answer.asked
        await self._dialogue.release(answer.asked)
        return None

    def _watched(self) -> list[PageSubscription]:
        held = self._claims.held
        return [*([held] if held is not None else []), *self._dialogue.late_pages()]

    def _is_suspect(self, page: PageSubscription) -> bool:
        auth = self._dialogue.auth
        if page.asked_at_s < self._since_s:
            # Closed as early as all before it.
            return False
        return proves_late(page, session=auth.session, challenges=auth.challenges, now_s=CLOCK.now_s())

    async def _is_late(self, suspect: PageSubscription) -> bool:
        """Ask again what was answered late, and see whether what is stored comes late again."""
        self._doubts += 1
        late, gap_s = set(suspect.late), suspect.late_gap_s
        suspect.forget_late()
        if self._claims.held is suspect:
            self._claims.held = None
            await self._dialogue.release(suspect)
        self._claims.doubt()
        if self._doubts > MOST_DOUBTS:
            self._claims.drop()
            raise RelayError("answers_late", "stored events come later than any question is kept open", HOUR_S)
        if self._model.late_s:
            return self._learn(max(gap_s, 2 * self._model.late_s))
        answer = await self._asker.ask(suspect.asked)
        if not isinstance(answer, Answer):
            return self._learn(gap_s)
        again = answer.asked
        while not late & again.late and again.closed is None:
            again.disturbed.clear()
            if await again.quiet_for(self._claims.hold_s):
                break
        twice = bool(late & again.late)
        gap_s = max(gap_s, again.late_gap_s)
        again.forget_late()
        await self._dialogue.release(again)
        if twice:
            return self._learn(gap_s)
        # What had just been stored came before EOSE this time.
        self._since_s = again.asked_at_s
        self._claims.trust()
        return False

    def _learn(self, gap_s: float) -> bool:
        self._claims.drop()
        self._since_s = loop_s()
        self._model.learn(Name.LATE_S, round(gap_s, 1), "stored events came after EOSE, twice", int(CLOCK.now_s()))
        self._dialogue.late_s = silence_s(gap_s)
        return True
