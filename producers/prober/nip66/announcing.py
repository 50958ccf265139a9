"""What the monitor says of itself: its announcement (kind 10166, NIP-66), profile (0) and relay list (10002). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import orjson

from core.settings.monitoring import MonitorSettings, ProberSettings
from producers.prober.nip66.relay_event import address_of, prefixes
from producers.relay_client.page import Seen
from schemas.nostr.signing import Draft

DAY_S = 86_400
"""After which it is published again, unchanged: some relays keep events for a time only."""
PROFILE_KIND, RELAY_LIST_KIND, MONITOR_KIND = 0, 10_002, 10_166


class _Made(NamedTuple):
    """A check that is made, and the time that it has; None where it looks up what is on this machine."""

    name: str
    timeout_s: float | None


def announcements(monitor: MonitorSettings, prober: ProberSettings) -> tuple[Draft, ...]:
    """All three, each of which takes the place of the one before."""
    profile = {"name": monitor.name, "about": monitor.about, "bot": True}
    return (
        Draft(PROFILE_KIND, [], orjson.dumps({key: value for key, value in profile.items() if value}).decode()),
        # It writes there and reads nothing (NIP-65).
        Draft(RELAY_LIST_KIND, [["r", address_of(url), "write"] for url in monitor.relays], ""),
        Draft(MONITOR_KIND, _announced(monitor, prober), ""),
    )


def is_held(draft: Draft, author: str, held: Iterable[Seen], now_s: int) -> bool:
    """Whether a relay has just this of the author, from the last day. The id names all of an event."""
    return any(
        seen.kind == draft.kind and now_s - seen.at < DAY_S and draft.unsigned(author, seen.at).id == seen.id
        for seen in held
    )


def frequency_s(monitor: MonitorSettings, prober: ProberSettings) -> int:
    """How often the event of a relay is renewed, in seconds: not without a probe."""
    return round(max(monitor.renew_s, prober.interval_s))


def _announced(monitor: MonitorSettings, prober: ProberSettings) -> list[list[str]]:
    made = _checks(monitor, prober)
    return [
        ["frequency", str(frequency_s(monitor, prober))],
        # In the order of the NIP's example; its prose has the time first.
        *(["timeout", check.name, str(round(check.timeout_s * 1000))] for check in made if check.timeout_s is not None),
        *(["c", check.name] for check in made),
        *(["g", prefix] for prefix in prefixes(monitor.geohash)),
    ]


def _checks(monitor: MonitorSettings, prober: ProberSettings) -> list[_Made]:
    made = [_Made("open", prober.open_timeout_s), _Made("read", prober.read_timeout_s)]
    if prober.write and monitor.key is not None:
        made.append(_Made("write", prober.write_timeout_s))
    made += [
        _Made("nip11", prober.nip11_timeout_s),
        _Made("ssl", prober.ssl_timeout_s),
        _Made("dns", prober.dns_timeout_s),
        _Made("http", None),
    ]
    if prober.city_database is not None:
        made.append(_Made("geo", None))
    if prober.asn_database is not None:
        made.append(_Made("net", None))
    return made
