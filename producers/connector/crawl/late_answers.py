"""Events that come after EOSE: detected, confirmed by asking again, and waited for from then on."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from core.clock import CLOCK
from producers.connector.asking import Answer, Asker
from producers.connector.coverage.claims import NOW_S, Claims, proves_late, silence_s
from producers.connector.crawl.planning.windows import WHOLE_S
from producers.connector.known_filters import REGISTERED_KINDS
from producers.connector.relay_behavior import ORDER_UNKNOWN
from producers.connector.relay_model import Model, Name
from producers.relay_client.client import RelayClient
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.page_subscription import PageSubscription
from producers.relay_client.refusals import HOUR_S, RelayError
from schemas.nostr.filters import Filter

MOST_DOUBTS = 5
"""Times on one connection that a late event makes doubtful what was read: silences double up to the longest."""
_MOST_ASKED_AGAIN = 3
"""Times that a question is asked again as long as other events come late each time."""
_MOST_HELD = 3
"""Questions that are held one after another at the end of a crawl, where the first were ended or disturbed."""
ENOUGH = 8
"""Events that came in time, on questions that stayed silent then: of a relay that is late with half of its events, all
of so many are in time once in 256 times."""
PROBE_LIMIT, PROBE_FEW = 20, 10
"""Of the question that is held; few where connections bear few events."""
_MOST_NARROWED = 4
"""Times that it is asked for fewer seconds, where as many came: a second may hold any number."""


class LateAnswers:
    """Over one connection: whether EOSE says that everything was sent."""

    def __init__(
        self,
        client: RelayClient,
        asker: Asker,
        model: Model,
        claims: Claims,
        verify: Callable[[], Awaitable[None]],
    ) -> None:
        """Watch the questions of a client for the claims of a visit.

        Args:
            client: an open one, being read.
            asker: asks over it.
            model: of the relay.
            claims: what is not claimed before answers are known to be whole.
            verify: called once, as soon as they are, before anything is claimed.
        """
        self._verify = verify
        self._verified = False
        self._client = client
        self._asker = asker
        self._model = model
        self._claims = claims
        self._doubts = 0
        self._since_s = 0.0
        if model.late_s:
            client.late_s = silence_s(model.late_s)

    async def begin(self) -> bool:
        """Hold a question open past its EOSE, while others are asked; whether answers are late.

        What it asks for must be there, or its silence tells nothing: of a relay that is read by lists of kinds, one
        list after another is tried. One that has nothing at all is silent to each.

        Raises:
            RelayError: answers are later than any question is kept open, or the connection has ended.
        """
        if self._model.late_s or not self._claims.rest_s:
            await self._settle()
            return False
        if self._claims.held is not None:
            return False
        bases = deque(self._claims.reading.values())
        shown = 0
        while bases:
            base = bases.popleft()
            page = await self._probe(base)
            if page is None:
                return False
            shown += page.events
            enough = shown >= ENOUGH or (not bases and shown > 0)
            self._claims.hold(page)
            if not enough or self._is_alone():
                await page.quiet_for(self._claims.rest_s)
            if page.late or page.taken_late or page.closed is not None or enough:
                return await self.found()
            self._claims.held = None
            await self._client.release(page)
            if not page.events and base.kinds is None:
                # What relays withhold may have filled it.
                bases.append(replace(base, kinds=REGISTERED_KINDS[: self._model.behavior.most_kinds]))
        self._claims.trust()
        await self._settle()
        return False

    async def found(self) -> bool:
        """Whether answers were late, or seemed so, and what this visit has read is to be read again.

        Raises:
            RelayError: as above.
        """
        suspect = next((page for page in self._watched() if self._is_suspect(page)), None)
        if suspect is not None:
            return await self._is_late(suspect)
        held = self._claims.held
        if held is not None and (held.late or held.closed is not None):
            # It can show nothing any more; another one is held.
            self._claims.connection_lost()
            await self._client.release(held)
        await self._settle()
        return False

    async def none_to_come(self) -> bool:
        """Wait until what was read counts; False if answers were late after all.

        Raises:
            RelayError: as above.
        """
        for _ in range(_MOST_HELD):
            if self._model.late_s or not self._claims.rest_s:
                break
            if await self.begin():
                return False
            if self._claims.held is not None:
                await self._claims.held.quiet_for(self._claims.rest_s)
            if await self.found():
                return False
        return not await self.found()

    def _is_alone(self) -> bool:
        """Whether the relay takes no other question beside the one that is held."""
        most = self._model.subscriptions
        return most is not None and self._client.open >= most

    async def _probe(self, base: Filter) -> PageSubscription | None:
        """An answered question for some events that are not of now; None where there is no answer."""
        for tries in range(1, _MOST_NARROWED + 1):
            until_s = int(CLOCK.now_s()) - 2 * NOW_S
            since_s = self._claims.probe_since
            limit = min(self._model.behavior.limit, PROBE_FEW if self._model.cut else PROBE_LIMIT)
            since_s = since_s if since_s is not None and since_s <= until_s else None
            answer = await self._asker.ask(replace(base, since=since_s, until=until_s, limit=limit))
            if isinstance(answer, Answer):
                self._claims.sample = answer.page.events
            if not isinstance(answer, Answer) or answer.asked.eose is None or answer.asked.closed is not None:
                if isinstance(answer, Answer):
                    await self._client.release(answer.asked)
                return None
            if not answer.asked.full:
                return answer.asked
            self._claims.narrow(answer.page.events)
            if tries == _MOST_NARROWED or self._claims.probe_since == since_s:
                return answer.asked
            await self._client.release(answer.asked)
        return None

    async def _settle(self) -> None:
        if self._claims.rest_s and not self._model.late_s:
            return
        held, self._claims.held = self._claims.held, None
        if held is not None:
            self._claims.trust()
            await self._client.release(held)
        if not self._verified:
            self._verified = True
            await self._verify()
        self._claims.settle()

    def _watched(self) -> list[PageSubscription]:
        held = self._claims.held
        return [*([held] if held is not None else []), *self._client.late_pages()]

    def _is_suspect(self, page: PageSubscription) -> bool:
        auth = self._client.auth
        if page.asked_at_s < self._since_s:
            # Closed as early as all before it.
            return False
        return proves_late(page, session=auth.session, challenges=auth.challenges, now_s=CLOCK.now_s())

    async def _is_late(self, suspect: PageSubscription) -> bool:
        """Ask again what was answered late, and see whether what is stored comes late again."""
        self._doubts += 1
        late, gap_s = suspect.late | suspect.taken_late, suspect.late_gap_s
        suspect.forget_late()
        if self._claims.held is suspect:
            self._claims.held = None
            await self._client.release(suspect)
        taken_back = self._claims.doubt()
        if self._doubts > MOST_DOUBTS:
            self._claims.drop()
            raise RelayError("answers_late", "stored events come later than any question is kept open", HOUR_S)
        if self._model.late_s:
            return self._learn(max(gap_s, 2 * self._model.late_s))
        for _ in range(_MOST_ASKED_AGAIN):
            answer = await self._asker.ask(suspect.asked)
            if not isinstance(answer, Answer):
                break
            again = answer.asked
            while not late & (again.late | again.taken_late) and again.closed is None:
                again.disturbed.clear()
                if await again.quiet_for(self._claims.hold_s):
                    break
            came = again.late | again.taken_late
            await self._client.release(again)
            gap_s = max(gap_s, again.late_gap_s)
            if not came:
                # What had just been stored came before EOSE this time.
                self._since_s = again.asked_at_s
                self._claims.trust()
                await self._settle()
                return taken_back
            if late & came:
                break
            # Others than before: it may be filled just now, or pick its events at random.
            late |= came
        return self._learn(gap_s)

    def _learn(self, gap_s: float) -> bool:
        self._claims.drop()
        self._since_s = loop_s()
        self._model.learn(Name.LATE_S, round(gap_s, 1), "stored events came after EOSE, twice", int(CLOCK.now_s()))
        self._client.late_s = silence_s(gap_s)
        # What was seen of order and sizes was seen of parts of answers.
        # Each question costs this silence, so that few large windows are read sooner than many.
        self._model.behavior = replace(self._model.behavior, **ORDER_UNKNOWN, window_s=WHOLE_S)
        return True
