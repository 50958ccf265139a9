"""Models of what probes found out, without words: errors may name addresses of this host, which relays repeat, too."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.rest.endpoints.relays.parts import Trimmed
from schemas.records.probe import Cause


class CheckAnswer(Trimmed):
    """The outcome of a check."""

    ok: bool
    took_ms: int | None = Field(description="Milliseconds; null where it failed or is not measured")


class OpenAnswer(CheckAnswer):
    """The websocket: name, socket, TLS and handshake."""

    cause: Cause | None = Field(description="The step that failed, or how we are refused")
    status: int | None = Field(description="Of HTTP, where the handshake was refused")


class ReadAnswer(CheckAnswer):
    """A question for stored events."""

    ended_by: Literal["EVENT", "EOSE", "CLOSED"] | None
    cause: Cause | None
    is_nostr: bool | None = Field(description="false: what it said is no message of NIP-01")


class WriteAnswer(CheckAnswer):
    """An event of the monitor's own."""

    cause: Cause | None
    accepted: bool | None
    read_back: bool | None


class Nip11Answer(CheckAnswer):
    """The information document."""

    cause: Cause | None
    status: int | None = Field(description="Of HTTP")
    content_type: str | None
    document: str | None = Field(description="SHA-256 of its bytes")


class SslAnswer(CheckAnswer):
    """The certificate."""

    problem: str | None
    issuer: str | None
    valid_from: int | None = Field(validation_alias="valid_from_s", description="Unix seconds")
    valid_until: int | None = Field(validation_alias="valid_until_s", description="Unix seconds")
    protocol: str | None


class GeoAnswer(CheckAnswer):
    """Where a database places the address."""

    country: str | None
    city: str | None
    geohash: str | None


class NetAnswer(CheckAnswer):
    """Which network the address belongs to."""

    asn: int | None
    organization: str | None


class HttpAnswer(CheckAnswer):
    """What HTTP says of the server."""

    server: str | None
    powered_by: str | None


class ChecksAnswer(Trimmed):
    """The outcome of each check; null: it was not tried."""

    open: OpenAnswer | None
    read: ReadAnswer | None
    write: WriteAnswer | None
    nip11: Nip11Answer | None
    ssl: SslAnswer | None
    dns: CheckAnswer | None
    geo: GeoAnswer | None
    net: NetAnswer | None
    http: HttpAnswer | None


class ObservedAnswer(Trimmed):
    """What the relay was seen to do; null: not seen either way."""

    auth_required: bool | None = Field(description="Served nothing before AUTH (NIP-42)")
    counts: bool | None = Field(description="Answers COUNT (NIP-45)")
    hints: bool | None = Field(description="Says with EOSE whether it gave all (NIP-67)")
    reconciles: bool | None = Field(description="Answers NEG-OPEN (NIP-77)")
    largest_page: int | None = Field(description="Most events that one answer held")
    clock_difference_s: float | None = Field(description="Its HTTP Date less the prober's time, seconds")
