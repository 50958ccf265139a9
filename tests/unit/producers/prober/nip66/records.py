"""Probes as records, and a monitor's settings."""

from __future__ import annotations

from typing import Any

from core.settings import Settings
from producers.prober.nip66.facts import Facts, after
from producers.prober.nip66.relay_event import relay_event
from schemas.records.probe import Checks, GeoCheck, NetCheck, Observed, OpenCheck, ProbeRecord, ReadCheck, SslCheck
from tests.unit.producers.prober.speaking import KEY

OPEN = OpenCheck(ok=True, took_ms=120, address="93.184.216.34")
READ = ReadCheck(ok=True, took_ms=35, ended_by="EVENT", is_nostr=True)
FULL = Checks(
    open=OPEN,
    read=READ,
    ssl=SslCheck(ok=True, issuer="Example CA", valid_until_s=1_900_000_000),
    geo=GeoCheck(ok=True, country="FI", city="Helsinki", geohash="ud9", timezone="Europe/Helsinki"),
    net=NetCheck(ok=True, asn=64500, organization="Example hosting"),
)
URL = "wss://relay.example.com"


def record(url: str = URL, *, at_s: int = 1_790_000_000, **given: Any) -> ProbeRecord:
    """A short probe that found the relay online, unless it says otherwise."""
    fields = {"is_full": False, "verdict": "works", "checks": Checks(open=OPEN, read=READ), "network": "clearnet"}
    return ProbeRecord.model_validate({"url": url, "probed_at_ms": at_s * 1000, **fields, **given})


def full(url: str = URL, *, checks: Checks = FULL, **given: Any) -> ProbeRecord:
    """A full one."""
    return record(url, is_full=True, checks=checks, **given)


def tags_of(
    text: str | None = None, *, observed: Observed | None = None, url: str = URL, **checks: Any
) -> dict[str, list[str]]:
    """Tags of the event of a relay by a full probe: values by name."""
    found = full(url, checks=FULL.model_copy(update=checks), observed=observed or Observed())
    return by_name(relay_event(found, after(Facts(), found, text)).tags)


def by_name(tags: list[list[str]]) -> dict[str, list[str]]:
    """Values of tags by their names; of a label, its namespace too."""
    found: dict[str, list[str]] = {}
    for name, *values in tags:
        found.setdefault(name, []).append("/".join(values))
    return found


def settings(*relays: str, prober: dict[str, Any] | None = None, **monitor: Any) -> Settings:
    """Of a monitor that publishes to these relays."""
    given = {"key": KEY.get_secret_value(), "relays": list(relays), **monitor}
    return Settings.model_validate({"monitor": given, "prober": prober or {}})
