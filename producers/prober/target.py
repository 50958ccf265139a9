"""What is probed."""

from __future__ import annotations

from typing import NamedTuple

from core.clock import CLOCK
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import RelayUrl


class Target(NamedTuple):
    """A relay: its record in the registry, and the URL of that, taken apart."""

    record: RelayRecord
    url: RelayUrl


def named_target(url: RelayUrl, *, allow_private: bool) -> Target:
    """A relay that a person names, whatever the registry has of it; `allow_private`: at a private address too."""
    return Target(
        RelayRecord(
            url=url.url,
            spelling=url.spelling,
            network=url.network,
            source="operator",
            allow_private=allow_private,
            updated_at_ms=CLOCK.now_ms(),
        ),
        url,
    )
