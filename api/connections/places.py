"""Which connections there are, whose they are, and which of them must end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple, Protocol

from api.clients import ClientAddresses
from api.connections.bounds import Bounds
from api.rates import Rates

Peer = tuple[str, int] | None
"""Address and port of the other end, as ASGI has it."""


class Connection(Protocol):
    """A connection that was let in."""

    def is_overdue(self, now_s: float) -> bool:
        """Whether it has been slower than it may be, by the clock of the loop."""
        ...


class Refusal(NamedTuple):
    """Why a connection or a request is not let in."""

    status: HTTPStatus
    detail: str


class _Place(NamedTuple):
    client: str | None
    connection: Connection


class Places:
    """The connections of a server.

    Args:
        bounds: how many there may be, and what they may take.
        addresses: tell clients. A trusted proxy is none: its connections count to all, and requests by what it
            forwards.

    Attributes:
        is_ending: the server stops.
    """

    def __init__(self, bounds: Bounds, addresses: ClientAddresses) -> None:
        self.bounds = bounds
        self.addresses = addresses
        self.is_ending = False
        self._acts = Rates(bounds.acts_per_minute, bounds.clients)
        self._of_client: Counter[str] = Counter()
        self._places: dict[asyncio.Transport, _Place] = {}

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._places)

    def enter(self, transport: asyncio.Transport, connection: Connection, peer: Peer) -> Refusal | None:
        """Give a new connection a place, or say why there is none."""
        client = None if self.is_forwarded(peer) else self.client_of(peer, ())
        if len(self._places) >= self.bounds.connections:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "all connections are taken; try again in a moment")
        if client is not None:
            refusal = self.charge(client) or self.take_share(client)
            if refusal is not None:
                return refusal
        self._places[transport] = _Place(client, connection)
        return None

    def hand_over(self, transport: asyncio.Transport, connection: Connection) -> None:
        """Have another object stand for a connection, which became a websocket."""
        self._places[transport] = self._places[transport]._replace(connection=connection)

    def leave(self, transport: asyncio.Transport) -> None:
        """Free the place of a connection that is lost; may be called again."""
        place = self._places.pop(transport, None)
        if place is not None and place.client is not None:
            self.give_back(place.client)

    def client_of(self, peer: Peer, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The client of a request or a websocket, by its scope's `client` and `headers`."""
        forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for")
        return self.addresses.client(_address_of(peer), forwarded.decode("latin-1"))

    def is_forwarded(self, peer: Peer) -> bool:
        """Whether a request is from a trusted proxy, whose connections are not those of one client."""
        return self.addresses.is_trusted(_address_of(peer))

    def take_share(self, client: str) -> Refusal | None:
        """Count one more connection of a client, or say why it has enough of them."""
        most = self.bounds.client_connections
        if self._of_client[client] >= most:
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"{most} of your connections are open; close one first")
        self._of_client[client] += 1
        return None

    def give_back(self, client: str) -> None:
        """Count one connection of a client less."""
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]

    def charge(self, client: str, acts: int = 1) -> Refusal | None:
        """Charge a client for connections, requests or frames, or say that it makes too many."""
        for _ in range(acts):
            if not self._acts.take(client).is_granted:
                return Refusal(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"more than {self.bounds.acts_per_minute} connections, requests and messages in a minute; wait one",
                )
        return None

    def cut(self, now_s: float) -> None:
        """Cut the connections that are too slow, and the most unread ones while too much waits for all readers."""
        for transport, place in list(self._places.items()):
            if place.connection.is_overdue(now_s):
                transport.abort()
        waiting = {transport: transport.get_write_buffer_size() for transport in self._places}
        excess = sum(waiting.values()) - self.bounds.all_unsent_bytes
        for transport in sorted(waiting, key=lambda each: -waiting[each]) if excess > 0 else []:
            transport.abort()
            excess -= waiting[transport]
            if excess <= 0:
                break

    def end(self) -> None:
        """Cut all connections."""
        for transport in list(self._places):
            transport.abort()


def _address_of(peer: Peer) -> str:
    """The address of a peer; empty where it has none, as in a socket of Unix."""
    return str(peer[0]) if peer else ""
