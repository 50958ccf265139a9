"""The `relays.health` topic: the health of a relay derived from probes, compacted; the key is the normalised URL."""

from __future__ import annotations

from pydantic import Field

from schemas.records.document import Document


class RelayHealth(Document):
    """The state of a relay, derived from its probes and connections."""

    version: int = Field(1, ge=1)
    url: str = Field(min_length=1, description="normalised URL, as in the key")
    online: bool
    since_s: int | None = Field(None, description="in this state since")
    uptime: float | None = Field(None, ge=0, le=1, description="share of probes that found it online")
    quality: float | None = Field(None, ge=0, le=1)
    max_limit: int | None = Field(None, ge=1, description="events that one REQ is answered with at most")
    auth_required: bool | None = None
    duplicate_of: str | None = Field(None, description="normalised URL of the relay that this one is an alias of")
    judged_at_ms: int = Field(ge=0)
