"""Words and figures of a snapshot, and all of it as one line for a log. Pure functions of their arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from bigbrotr.services import DISCOVERY
from bigbrotr.status.snapshot import Probing, Rates, RelayState, ServiceState, Snapshot

# Kafka and PostgreSQL set up files of 16 MiB and more at a time, and stop when there is no room for one.
LOW_DISK_BYTES = 128 * 1024 * 1024
GOOD = {"running", "live", "ready", "reachable", "connected", "up"}
"""States of servers, services and relays in which nothing is wrong."""
_ONE_DIGIT_BELOW = 9.95  # a rate of which a digit after the point says more than its rounding
_DAY_S = 86_400


def printable(text: str) -> str:
    """Write everything that is no visible character, control codes and marks of direction included, as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def number(value: float | None) -> str:
    """Write a count with thousands apart, or a dash for what is not known."""
    return "-" if value is None else f"{value:,.0f}"


def about(value: float | None, *, exact: bool) -> str:
    """Write a count; one that is estimated is called so."""
    return number(value) if exact or value is None else f"about {number(value)}"


def per_second(value: float | None) -> str:
    """Write a rate, or a dash for what is not known."""
    if value is None:
        return "-"
    return f"{value:.1f}/s" if 0 < value < _ONE_DIGIT_BELOW else f"{value:,.0f}/s"


def duration(seconds: float) -> str:
    """Write a time that passes: `0:07:30`, `2 d 13:00:05`."""
    days, rest = divmod(int(seconds), _DAY_S)
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return f"{days} d {hour:02}:{minute:02}:{second:02}" if days else f"{hour}:{minute:02}:{second:02}"


def size(value_bytes: int) -> str:
    """Write bytes in the unit that gives one to four digits."""
    amount = float(value_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:  # noqa: PLR2004 - the step between binary units
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def by_reason(reasons: Mapping[str, int]) -> str:
    """Write counts by reason, most frequent first: `bad_signature 3, not_json 1`."""
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items(), key=lambda r: (-r[1], r[0])))


def relay_summary(relays: Iterable[RelayState]) -> str:
    """Write how many relays are in which state: `3 live, 1 waiting`."""
    counts = Counter(relay.state for relay in relays)
    return ", ".join(f"{count} {state}" for state, count in counts.most_common()) or "none"


def probe_summary(probing: Probing) -> str:
    """Write how many relays have which verdict, and how far probes are: `works 812, broken 3; 12 under way, 4 due`."""
    turns = f"{probing.under_way:,} under way, {probing.due:,} due"
    late = f" for up to {duration(probing.late_s)}" if probing.due else ""
    return f"{by_reason(probing.verdicts) or 'no relays'}; {turns}{late}"


def lags(now: Snapshot) -> str:
    """Write the lag of each service that has one: `processor 3, sink 17`; of one that finds relays, where it runs."""
    running = {service.name for service in now.services}
    shown = {name: lag for name, lag in now.lags.items() if name not in DISCOVERY or name in running}
    return ", ".join(f"{name} {number(lag)}" for name, lag in shown.items())


def plain_line(now: Snapshot, rate: Rates, uptime_s: float) -> str:
    """Write a snapshot as one log line."""
    counts = now.counts
    parts = [
        f"up {duration(uptime_s)}",
        f"relays: {relay_summary(now.relays)}",
        f"received {number(counts.received)} ({per_second(rate.received)})",
        f"verified {number(counts.verified)}",
        f"duplicates {number(counts.duplicates)}",
        f"rejected {number(sum(counts.rejected.values()))}"
        + (f" ({by_reason(counts.rejected)})" if counts.rejected else ""),
        f"archived {about(counts.archived, exact=counts.archived_exact)} ({per_second(rate.archived)})",
        f"lag {lags(now)}",
    ]
    if counts.quarantined:
        parts.insert(6, f"quarantined {by_reason(counts.quarantined)}")
    if now.probing is not None:
        parts.append(f"probes: {probe_summary(now.probing)}")
    parts += [f"{name}: {state}" for name, state in now.servers.items() if state not in GOOD]
    parts += [f"{service.name}: {trouble}" for service in now.services if (trouble := service_trouble(service))]
    parts += [trouble for trouble in [disk_trouble(now.disk)] if trouble]
    return " | ".join(parts)


def disk_trouble(disk: Mapping[str, int]) -> str:
    """Describe that the disk of the data directory is nearly full, or return nothing."""
    free_bytes = disk.get("free_bytes", LOW_DISK_BYTES)
    if free_bytes >= LOW_DISK_BYTES:
        return ""
    return f"the disk is nearly full, {size(free_bytes)} are free: make room, and the servers go on by themselves"


def service_trouble(service: ServiceState) -> str:
    """Describe what is wrong with a service, or return nothing."""
    if service.state != "running":
        return f"{service.state} {service.note}".strip()
    return service.problem or ""
