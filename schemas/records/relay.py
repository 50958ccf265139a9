"""The `relays` topic: the registry of relays, compacted; the key is the normalised URL."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.records.document import Document
from schemas.relay_urls.relay_url import Network

Lane = Literal["regular", "priority"]
"""Priority relays keep a live subscription and a connection budget of their own; regular ones are crawled in turn."""


class RelayRecord(Document):
    """The registry's entry for one relay URL."""

    url: str = Field(description="normalised URL, as in the key")
    spelling: str | None = Field(
        default=None, description="the URL as it was first given, which is how it is dialled; null: like url"
    )
    network: Network
    source: str = Field(description="who named it: publish, seed, event, api")
    lane: Lane = "regular"
    allowed: bool = Field(default=True, description="false: never connect")
    allow_private: bool = Field(default=False, description="the operator's own relay: may have a private address")
    updated_at_ms: int = Field(ge=0)
