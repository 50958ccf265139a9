"""The key of records about a relay."""

from __future__ import annotations

from sinks.tables.topic_table import check_url


def relay_key(key: bytes | None) -> str:
    """Read it: the relay's normalised URL.

    Raises:
        ValueError: names what is wrong.
    """
    if key is None:
        raise ValueError("key: is missing; it is the relay's URL")
    url = key.decode()
    check_url(url)
    return url
