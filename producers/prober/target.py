"""What is probed."""

from __future__ import annotations

from typing import NamedTuple

from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import RelayUrl


class Target(NamedTuple):
    """A relay: its record in the registry, and the URL of that, taken apart."""

    record: RelayRecord
    url: RelayUrl
