"""The `raw.probes` topic: one complete probe of a relay. What was not tried is null; a failure has its reason."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from schemas.records.document import Document


class Check(Document):
    """The outcome of one check: milliseconds it took, what it found, or why it failed."""

    ok: bool
    took_ms: int | None = Field(None, ge=0)
    error: str | None = None
    found: dict[str, Any] = Field(default_factory=dict)


class ProbeRecord(Document):
    """One probe: the outcome of each check that was tried, by its NIP-66 name (open, read, nip11, ssl, …)."""

    version: int = Field(1, ge=1)
    url: str = Field(min_length=1, description="normalised URL, as in the key")
    checks: dict[str, Check]
    probed_at_ms: int = Field(ge=0)
