"""The group of settings by which the archive is served: REST and the read-only relay."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.settings.groups import MIB, Group, PositiveFloat, PositiveInt
from core.settings.types import AddressRanges, PublicKeyHex, PublicUrl


class ApiSettings(Group):
    """Where and how the archive is served to programs and Nostr clients, and the bounds for each of them."""

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; nothing here asks for a password")
    port: int = Field(0, ge=0, le=65_535, description="Port to listen on; 0: a free one, named in the log")
    public_url: PublicUrl | None = Field(
        None, description="`https://…` as clients know it, for AUTH and links; unset: by the Host of each request"
    )
    trusted_proxies: AddressRanges = Field(
        default_factory=list,
        description="Addresses or networks whose X-Forwarded-For is believed; empty: each connection is its own client",
    )
    versions: Literal["all", "current"] = Field(
        "all", description="Versions of replaceable and addressable events that the relay gives"
    )
    database_connections: int = Field(8, ge=2, le=100, description="Queries of all clients that run at once")
    client_queries: int = Field(3, ge=1, le=100, description="Of these, queries of one client")
    share_while_behind: float = Field(
        0.25, gt=0, le=1, description="Share of the time for all queries together while the sink is behind"
    )
    queue_s: PositiveFloat = Field(5.0, description="Seconds that a query waits for its turn, then it is refused")
    query_timeout_s: PositiveFloat = Field(10.0, description="Seconds after which the database ends a statement")
    page_events: int = Field(500, ge=1, le=5000, description="Most events of a page of REST, or of a filter of a REQ")
    filters: int = Field(10, ge=1, le=100, description="Most filters of a request")
    filter_values: int = Field(1000, ge=10, le=10_000, description="Most values of all lists of its filters")
    count_exact: int = Field(10_000, ge=100, le=1_000_000, description="Larger counts are estimated")
    requests_per_minute: PositiveInt = Field(
        600, description="Requests of one client in a minute: of REST, each page that is streamed, REQ and COUNT"
    )
    clients: PositiveInt = Field(20_000, description="Clients whose rates are remembered, about 200 bytes each")
    connections: PositiveInt = Field(2_500, description="Connections of all clients at once")
    client_connections: PositiveInt = Field(50, description="Of these, connections of one client")
    subscriptions: int = Field(20, ge=1, le=1000, description="Most subscriptions of a websocket connection")
    message_bytes: int = Field(
        128 * 1024, ge=1024, le=MIB, description="A longer message or body, in bytes, is refused"
    )
    unsent_bytes: int = Field(
        4 * MIB, ge=MIB, le=64 * MIB, description="Bytes that wait for a slow reader, after which it is cut off"
    )
    live_bytes: int = Field(
        16 * MIB, ge=MIB, le=1024 * MIB, description="Bytes of new events that are kept to follow a REQ without a seam"
    )
    name: str = Field("BigBrotr archive", min_length=1, max_length=100, description="Name in the relay's document")
    about: str = Field("", max_length=2000, description="Text of that document (NIP-11)")
    contact: str = Field("", max_length=200, description="Contact of the operator in it, such as `mailto:…`")
    pubkey: PublicKeyHex | None = Field(None, description="Public key of the operator in it, 64 hex digits")
