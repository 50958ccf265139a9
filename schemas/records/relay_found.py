"""The `relays.found` topic: where and when a relay URL was found; the registry decides whether it is read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.records.document import Document


class RelayFound(Document):
    """One occurrence of a relay URL, or a command to the registry about it."""

    url: str = Field(min_length=1, description="normalised URL, as in the key")
    raw: str | None = Field(None, description="the text as it was met, if it differs")
    source: Literal["seed", "event", "api", "operator"]
    place: str | None = Field(None, description="where in the source, for example `10002 r`, or the name of the list")
    event_id: str | None = Field(None, description="the event that names it")
    command: Literal["add", "allow", "deny"] = "add"
    found_at_ms: int = Field(ge=0)
