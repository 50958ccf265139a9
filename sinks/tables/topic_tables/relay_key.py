"""Records about a relay, whose key is its normalised URL."""

from __future__ import annotations

from typing import TypeVar

from schemas.records.probe import ProbeRecord
from schemas.records.relay import RelayRecord
from schemas.records.relay_health import RelayHealth
from sinks.tables.topic_table import check_url

R = TypeVar("R", ProbeRecord, RelayHealth, RelayRecord)


def relay_key(key: bytes | None) -> str:
    """Read the key.

    Raises:
        ValueError: names what is wrong.
    """
    if key is None:
        raise ValueError("key: is missing; it is the relay's URL")
    url = key.decode()
    check_url(url)
    return url


def relay_record(model: type[R], key: bytes | None, value: bytes | None) -> tuple[str, R | None]:
    """Read a record: the URL of its key, and what it says; None: a tombstone.

    Raises:
        ValueError: names what is wrong.
    """
    url = relay_key(key)
    record = None if value is None else model.decode(value)
    if record is not None and record.url != url:
        raise ValueError("url: is not the record's key")
    return url, record
