"""The REQs and COUNTs of one connection: answered one after another, so that none takes the places of others."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from api.context import Context
from api.live.feed import Feed, LiveEvent
from api.read_errors import BusyError, ReadError
from api.relay import answers
from api.relay.authentication import Login
from api.relay.messages import Count, Req
from api.relay.outbox import Outbox
from api.relay.stored import Stored, stored
from api.relay.subscription import Subscription
from core.archive.connection import Connection
from core.archive.queries.cost import Deadline
from core.archive.queries.counting import count
from core.archive.queries.newest import TooCostlyError
from core.archive.queries.view import View

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FILTER_BYTES = 128 * 1024
"""REQs of the open subscriptions of a connection, as they were sent: their filters stay in memory."""


class Requests:
    """What a client asked for and has not closed.

    Args:
        context: of the API.
        feed: gives new events.
        client: who is charged for queries.
        login: the public keys that the client has proved.
        outbox: takes the answers.
    """

    def __init__(self, context: Context, feed: Feed, *, client: str, login: Login, outbox: Outbox) -> None:
        self._context = context
        self._feed = feed
        self._client = client
        self._login = login
        self._outbox = outbox
        self._subscriptions: dict[str, Subscription] = {}
        self._pending: OrderedDict[tuple[type, str], Subscription | Count] = OrderedDict()
        """By sort and id, of which each is there once, what is to be answered."""
        self._has_pending = asyncio.Event()

    def no_place(self, asked: Req | Count) -> str | None:
        """Why a request cannot be added beside the others; None where it can."""
        most = self._context.settings.api.subscriptions
        if isinstance(asked, Count):
            counts = sum(isinstance(each, Count) and each.subid != asked.subid for each in self._pending.values())
            return f"rate-limited: {most} COUNTs of this connection wait already" if counts >= most else None
        others = [each.req for subid, each in self._subscriptions.items() if subid != asked.subid]
        if len(others) >= most:
            return f"rate-limited: {most} subscriptions of this connection are open; CLOSE one first"
        if sum(each.size_bytes for each in others) + asked.size_bytes > _FILTER_BYTES:
            return f"rate-limited: the open REQs of this connection hold {_FILTER_BYTES} bytes; CLOSE one first"
        return None

    def add(self, asked: Req | Count) -> None:
        """Answer a request after those that wait; one of the same sort and id is replaced."""
        if isinstance(asked, Count):
            self._pending[Count, asked.subid] = asked
        else:
            self.end(asked.subid)
            subscription = Subscription(asked, self._outbox, self._shows)
            self._subscriptions[asked.subid] = self._pending[Req, asked.subid] = subscription
        self._has_pending.set()

    def end(self, subid: str) -> None:
        """End a subscription, if there is one of this id."""
        self._pending.pop((Req, subid), None)
        if (subscription := self._subscriptions.pop(subid, None)) is not None:
            subscription.end()

    def end_all(self) -> None:
        """End all subscriptions."""
        for subid in list(self._subscriptions):
            self.end(subid)

    async def answer_all(self) -> None:
        """Answer requests as they come, without end."""
        while True:
            await self._has_pending.wait()
            if not self._pending:
                self._has_pending.clear()
                continue
            _, asked = self._pending.popitem(last=False)
            if isinstance(asked, Count):
                await self._answer_count(asked)
            else:
                await self._answer_req(asked)

    async def _answer_req(self, subscription: Subscription) -> None:
        req = subscription.req

        async def work(connection: Connection) -> Stored:
            return await stored(connection, req.filters, self._view(), self._context.settings)

        found = await self._read(work, one_moment=True)
        if not subscription.is_open:
            return
        if isinstance(found, str):
            self._close(subscription, found)
            return
        subscription.follow(self._feed, found.offsets, lambda: self._end_missed(subscription), self._client)
        await subscription.send_stored(found.texts)
        if subscription.is_open:
            subscription.finish_stored(found.hints)
            self._end_missed(subscription)

    def _end_missed(self, subscription: Subscription) -> None:
        """End a subscription that no new events follow, once its stored ones have been sent."""
        if subscription.missed is not None and subscription.has_stored and subscription.is_open:
            self._close(subscription, subscription.missed)

    def _close(self, subscription: Subscription, text: str) -> None:
        self.end(subscription.req.subid)
        self._outbox.put(subscription.req.refusal(text))

    async def _answer_count(self, asked: Count) -> None:
        async def work(connection: Connection) -> bytes:
            api = self._context.settings.api
            most, deadline = api.count_exact, Deadline(api.query_timeout_s)
            found = await count(connection, asked.filters, self._view(), exact_up_to=most, deadline=deadline)
            return answers.count(asked.subid, found.number, is_exact=found.is_exact)

        found = await self._read(work, one_moment=False)
        self._outbox.put(asked.refusal(found) if isinstance(found, str) else found)

    async def _read(self, work: Callable[[Connection], Awaitable[T]], *, one_moment: bool) -> T | str:
        """What work gives, or why the archive gave no answer, as the text of a CLOSED."""
        try:
            return await self._context.reader.read(self._client, work, one_moment=one_moment)
        except BusyError as error:
            return f"rate-limited: {error}"
        except (ReadError, TooCostlyError) as error:
            return f"error: {error}"
        except Exception:
            logger.exception("a request of the relay could not be answered")
            return "error: the archive could not answer; the log of the service says why"

    def _view(self) -> View:
        only_current = self._context.settings.api.versions == "current"
        return replace(self._context.view, readers=self._login.keys, only_current=only_current)

    def _shows(self, live: LiveEvent) -> bool:
        return self._view().admits(live.audience)
