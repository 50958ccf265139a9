"""How much one connection, one client and all of them may take."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings.groups import MIB
from core.settings.serving import ApiSettings

_ACTS_OF_A_REQUEST = 10
"""Beside what `api.requests_per_minute` is about, a client connects, pings, closes subscriptions and sends what is
refused: ten such acts for each request are far above what programs do, and cost less than a thirtieth of a core."""


@dataclass(frozen=True)
class Bounds:
    """The bounds; those that are not settings have defaults.

    Attributes:
        connections: of all clients.
        client_connections: of one client.
        message_bytes: of a websocket message.
        unsent_bytes: that wait for the reader of a websocket.
        acts_per_minute: connections, requests and websocket frames of one client; as many may come at once.
        clients: whose acts are remembered.
        head_bytes: of the line and the headers of a request; browsers send about 1 KB, with long cookies 8 KB.
        headers: of a request; browsers send about 20.
        head_s: from the first byte of a request to the end of its headers, and for a websocket to be accepted.
        body_s: from the first byte of a request to its end; `api.message_bytes` at 7 KB/s.
        keep_alive_s: that an HTTP connection may be idle; it takes a place of others.
        read_s: in which a reader must have taken `read_bytes` of an answer, or all that waits: 3 KB/s.
        read_bytes: the same.
        close_s: for what was sent to be read before the connection is cut.
        after_answer_s: for a client to read an answer that was given before its request had ended.
        ping_s: between pings, and until a client that answers none is gone; below the idle time-outs of proxies (60 s).
        fragments: of a websocket message; libraries for clients send one, and an empty one counts no bytes.
        waiting_messages: of one connection, until the application takes them; reading pauses at the first one, and
            what had arrived with it may be some hundred.
        all_unsent_bytes: that wait for all readers together; above it the connections with most of them are cut.
    """

    connections: int
    client_connections: int
    message_bytes: int
    unsent_bytes: int
    acts_per_minute: int
    clients: int
    head_bytes: int = 16 * 1024
    headers: int = 100
    head_s: float = 10.0
    body_s: float = 20.0
    keep_alive_s: int = 15
    read_s: float = 20.0
    read_bytes: int = 64 * 1024
    close_s: float = 5.0
    after_answer_s: float = 1.0
    ping_s: float = 30.0
    fragments: int = 64
    waiting_messages: int = 1000
    all_unsent_bytes: int = 256 * MIB


def bounds_of(settings: ApiSettings) -> Bounds:
    """The bounds that settings give."""
    return Bounds(
        connections=settings.connections,
        client_connections=settings.client_connections,
        message_bytes=settings.message_bytes,
        unsent_bytes=settings.unsent_bytes,
        acts_per_minute=_ACTS_OF_A_REQUEST * settings.requests_per_minute,
        clients=settings.clients,
    )
