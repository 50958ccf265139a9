"""The groups of settings by which relays are probed, and what is published of that."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from core.settings.groups import Group, PositiveFloat, PositiveInt
from core.settings.types import RelayUrls, SecretHex


class ProberSettings(Group):
    """When and how relays are probed."""

    group_id: str = Field("bigbrotr-prober", min_length=1, description="Consumer group that shares the relays")
    interval_s: float = Field(
        3600.0, ge=10.0, allow_inf_nan=False, description="Seconds between two probes (open and read) of a relay"
    )
    full_interval_s: float = Field(
        14_400.0, ge=10.0, allow_inf_nan=False, description="Seconds between two probes with all checks"
    )
    retry_s: float = Field(
        30.0, ge=0.1, allow_inf_nan=False, description="Seconds until the second attempt at a relay that failed"
    )
    at_once: PositiveInt = Field(100, description="Relays that are probed at once, one of each host")
    at_once_overlay: PositiveInt = Field(8, description="The same in each overlay network: Tor, I2P, Lokinet")
    open_timeout_s: PositiveFloat = Field(15.0, description="Time, in seconds, for name, socket, TLS and handshake")
    read_timeout_s: PositiveFloat = Field(15.0, description="Time for the answer to a question")
    write_timeout_s: PositiveFloat = Field(15.0, description="Time for the answer to an event, and to read it back")
    nip11_timeout_s: PositiveFloat = Field(10.0, description="Time for the relay information document")
    dns_timeout_s: PositiveFloat = Field(5.0, description="Time for each kind of DNS record")
    ssl_timeout_s: PositiveFloat = Field(10.0, description="Time for a TLS handshake that shows the certificate")
    nip11_max_bytes: int = Field(
        64 * 1024, ge=1024, le=128 * 1024, description="A longer information document, in bytes, is not taken"
    )
    write: bool = Field(
        default=False, description="Publish an event at each full probe to see whether a relay takes it: `monitor.key`"
    )
    city_database: Path | None = Field(
        None, description="MMDB file that places addresses (GeoLite2-City); unset: no geo"
    )
    asn_database: Path | None = Field(None, description="MMDB file of networks (GeoLite2-ASN); unset: no net")
    allow_private: bool = Field(
        default=False, description="Probe relays at private addresses that the registry lets have some"
    )


class MonitorSettings(Group):
    """What is published of probes as NIP-66 events, and by whom."""

    key: SecretHex | None = Field(
        None, description="Secret key (64 hex digits) of the monitor; unset: nothing is published or written"
    )
    relays: RelayUrls = Field(
        default_factory=list, description="Relay URLs that NIP-66 events are published to; empty: none are"
    )
    allow_private: bool = Field(
        default=False,
        description="Publish events of relays at private addresses too, to relays that only your network reads",
    )
    renew_s: float = Field(
        3600.0, ge=60.0, allow_inf_nan=False, description="Seconds until a relay's event is published again"
    )
    name: str = Field("BigBrotr monitor", min_length=1, max_length=100, description="Name in the monitor's profile")
    about: str = Field("", max_length=1000, description="Text of its profile, such as who runs it and how to opt out")
    geohash: str | None = Field(
        None, pattern="^[0-9b-hjkmnp-z]{1,9}$", description="Where the monitor stands (NIP-52); unset: not told"
    )
