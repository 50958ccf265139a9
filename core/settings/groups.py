"""The groups of settings: what can be set in each, its unit, its bounds, its default and what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from core.settings.types import (
    DecodedList,
    NameServers,
    ProxyUrl,
    RelaySpellings,
    RelayUrls,
    SecretHex,
    ServiceAddresses,
    public_relays,
)

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]

MIB = 1024 * 1024


class Group(BaseModel):
    """A group of settings: unknown keys are errors, values are fixed, and no message repeats an input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _everything() -> list[dict[str, Any]]:
    return [{}]


class ConnectorSettings(Group):
    """How relays are read, and the limits for each of them."""

    group_id: str = Field("bigbrotr-connector", min_length=1, description="Consumer group that shares the relays")
    bundle_lines: PositiveInt = Field(256, description="Received copies after which a bundle is sent")
    bundle_bytes: int = Field(256 * 1024, ge=1024, le=MIB, description="Bytes after which a bundle is sent")
    bundle_age_ms: int = Field(50, ge=1, le=500, description="Age in ms after which a bundle is sent")
    frame_max_bytes: int = Field(
        2 * MIB, ge=64 * 1024, le=16 * MIB, description="A longer frame, in bytes, closes its connection"
    )
    page_limit: int = Field(500, ge=1, le=5000, description="Stored events asked for at a time")
    connect_timeout_s: PositiveFloat = Field(15.0, description="Time for connection and handshake, in seconds")
    nameservers: NameServers = Field(
        default_factory=list,
        description="Name servers for relays, seeder and finder, `address` or `address:port`; empty: the system's",
    )
    eose_timeout_s: PositiveFloat = Field(30.0, description="Silence, in seconds, after which a page has failed")
    eose_hold_s: float = Field(
        10.0, ge=0.0, le=60.0, description="Silence past an EOSE, in seconds, before what a visit reads counts as read"
    )
    ping_interval_s: PositiveFloat = Field(30.0, description="Seconds between pings")
    allow_private: bool = Field(
        default=False, description="Let relays of `connector.only` have private addresses: relays of your own"
    )
    only: RelaySpellings = Field(
        default_factory=list,
        description="Relay URLs to read, and no others, whatever the registry says; empty: those of the registry",
    )
    max_connections: PositiveInt = Field(500, description="Relays that one connector is connected to at once")
    priority_share: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="Share of the priority lane in connections, time for reading, verdicts, `in_flight_bytes` and what "
        "waits for the processor; the regular lane has the rest",
    )
    max_tor: PositiveInt = Field(50, description="Of these, relays in Tor: each takes a circuit of the proxy")
    max_i2p: PositiveInt = Field(25, description="Of these, relays in I2P")
    max_loki: PositiveInt = Field(25, description="Of these, relays in Lokinet")
    in_flight_bytes: int = Field(
        32 * MIB, ge=MIB, description="Received bytes not yet acknowledged by Kafka, beyond which sockets pause"
    )
    auth_key: SecretHex | None = Field(
        None, description="Secret key (64 hex digits) that answers NIP-42 AUTH; unset: AUTH is not answered"
    )
    tor_proxy: ProxyUrl | None = Field(None, description="`socks5://host:port` for .onion relays; unset: left out")
    i2p_proxy: ProxyUrl | None = Field(None, description="The same for .i2p relays")
    loki_proxy: ProxyUrl | None = Field(None, description="The same for .loki relays")
    refused_bytes_per_hour: PositiveInt = Field(
        64 * MIB, description="Refused bytes of one relay in an hour, after which its socket pauses"
    )
    refused_events_per_hour: PositiveInt = Field(
        10_000, description="The same for refused events, messages and control frames"
    )
    events_per_hour: PositiveInt | None = Field(
        None,
        description="Events of one relay in an hour, after which it is left until the hour is over, with a gap; "
        "unset: any number",
    )
    lookback_days: int = Field(
        3, ge=1, le=365, description="Days below its end that each visit reads again, and each day of a longer one"
    )
    late_days: int = Field(
        30, ge=0, le=3650, description="Days that are read again each week, for events that arrived late; 0: none"
    )
    filters: DecodedList[dict[str, Any]] = Field(
        default_factory=_everything,
        min_length=1,
        description="NIP-01 filters to read, a list; `{}` is everything; npub1… and note1… are taken too",
    )

    @field_validator("only")
    @classmethod
    def _are_public(cls, urls: list[str], info: ValidationInfo) -> list[str]:
        if not info.data.get("allow_private"):
            public_relays(urls)
        return urls


class ProcessorSettings(Group):
    """How bundles are validated."""

    group_id: str = Field("bigbrotr-processor", min_length=1, description="Consumer group that shares the bundles")
    seen_ids_per_partition: PositiveInt = Field(
        100_000, description="Most known ids kept in memory for each partition, about 350 bytes each"
    )
    bundles_in_flight: int = Field(
        32, ge=1, le=1024, description="Bundles of a partition that wait for their outputs' acknowledgement at once"
    )
    ask_archive: bool = Field(
        default=True,
        description="Ask the archive for ids that are not in memory, so that known events are not published again; "
        "without `postgres.dsn` it is not asked",
    )
    verify_threads: int = Field(2, ge=1, le=64, description="Threads that check signatures")
    archive_ephemeral: bool = Field(default=False, description="Keep ephemeral kinds (20000-29999) too")
    drain_s: PositiveFloat = Field(8.0, description="Time, in seconds, for a drain when partitions are revoked")


class RegistrySettings(Group):
    """Which of the relays that are found are read."""

    group_id: str = Field("bigbrotr-registry", min_length=1, description="Consumer group that shares the domains")
    admissions_per_domain_day: PositiveInt = Field(
        10, description="Found relays of one registrable domain that are admitted in a UTC day; the others wait"
    )
    admissions_per_day: PositiveInt = Field(
        2_000, description="The same of all domains together; relays that people or seed lists name do not count"
    )
    candidates_per_domain: PositiveInt = Field(
        100, description="Most relays of one registrable domain that are remembered and not admitted"
    )
    candidates: PositiveInt = Field(20_000, description="The same of all domains together, about 2 KiB each")
    drain_s: PositiveFloat = Field(8.0, description="Time, in seconds, for a drain when partitions are revoked")


class SinkSettings(Group):
    """How verified events become rows."""

    group_id: str = Field(
        "bigbrotr-sink", min_length=1, description="Consumer group that shares events, sightings and coverage"
    )
    batch_events: PositiveInt = Field(5000, description="Records after which a batch is written")
    batch_age_ms: int = Field(500, ge=1, le=60_000, description="Age in ms after which a batch is written")
    drain_s: PositiveFloat = Field(8.0, description="Time, in seconds, for the open batch when partitions are revoked")
    storm_inputs: int = Field(
        1000,
        ge=10,  # fewer say nothing
        le=100_000,  # their offsets are kept in a row
        description="Consecutive records of a partition that are considered together: see storm_share",
    )
    storm_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="More than this share of them that cannot be stored stops the sink; 1: never",
    )


DeletionPolicy = Literal["flag", "hide", "erase"]


class PolicySettings(Group):
    """What becomes of events that their authors have deleted, or that have expired."""

    deletion: DeletionPolicy = Field(
        "flag",
        description="Events that their author deleted (NIP-09): kept and marked, hidden by our own readers too, or "
        "erased",
    )
    expiration: DeletionPolicy = Field("flag", description="The same for events that have expired (NIP-40)")
    vanish: DeletionPolicy = Field("flag", description="The same for events of authors who vanished (NIP-62)")
    protected: Literal["flag", "hide"] = Field(
        "hide",
        description="Protected events (NIP-70), which only their authors may publish: given by API and relay as others "
        "are, or not given; `export` writes them in either case",
    )
    own_urls: RelayUrls = Field(
        default_factory=list,
        description="Relay URLs of this archive: requests to vanish bind if they name one of these or ALL_RELAYS",
    )


class DiscoverySettings(Group):
    """Which relays are found in events."""

    enabled: bool = Field(
        default=True, description="Publish the relays that accepted events name to `relays.found`, for the registry"
    )
    allow_private: bool = Field(
        default=False, description="Also those with private addresses and local names; link-local ones never"
    )


class HttpSettings(Group):
    """Where a service serves /metrics, /healthz, /readyz and /status."""

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; nothing here asks for a password")
    port: int = Field(0, ge=0, le=65_535, description="Port to listen on; 0: a free one, named in the log")
    port_file: Path | None = Field(None, description="File that the port is written to once it is known")
    services: ServiceAddresses = Field(
        default_factory=list,
        description="Services elsewhere that `status` asks, each `host:port`; every address of a host is an instance",
    )


class LogSettings(Group):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level to log")
    format: Literal["text", "json"] = Field("text", description="Plain lines, or one JSON object a line")
