"""Describes a probe of a relay for people. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from bigbrotr.console.snapshot_view import printable
from schemas.records.probe import Check, ProbeRecord

_SHOWN_BY_CHECK = {
    "open": ("address", "status"),
    "read": ("ended_by", "words"),
    "write": ("accepted", "read_back", "words"),
    "nip11": ("status", "content_type", "document"),
    "ssl": ("problem", "issuer", "names", "protocol", "cipher"),
    "dns": ("a", "aaaa", "cname", "ns", "ttl_s"),
    "geo": ("country", "city", "geohash", "timezone"),
    "net": ("asn", "organization"),
    "http": ("server", "powered_by"),
}
"""Members of each check that a line has room for, in order."""


def probe_lines(record: ProbeRecord) -> Iterator[str]:
    """The URL with the verdict, a line for each check that was tried, and one for what was seen beside."""
    cause = "" if record.cause is None else f" ({record.cause})"
    detail = "" if record.detail is None else f": {record.detail}"
    yield printable(f"{record.url}  {record.verdict.replace('_', ' ')}{cause}{detail}")
    for name, members in _SHOWN_BY_CHECK.items():
        check: Check | None = getattr(record.checks, name)
        if check is not None:
            yield printable(f"  {name:<6} {_outcome(check)}{_members(check, members)}")
    seen = ", ".join(
        f"{name} {_value(value)}" for name, value in record.observed.model_dump().items() if value is not None
    )
    if seen:
        yield f"  seen   {seen}"


def _outcome(check: Check) -> str:
    time = "" if check.took_ms is None else f" {check.took_ms:,} ms"
    return f"{'ok' if check.ok else 'failed'}{time}{'' if check.error is None else f': {check.error}'}"


def _members(check: Check, members: tuple[str, ...]) -> str:
    values = ((name, getattr(check, name)) for name in members)
    return "".join(f", {name} {_value(value)}" for name, value in values if value is not None and value != ())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
