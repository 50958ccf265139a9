"""The `relays.commands` topic: what people and seed lists want of a relay, compacted; newest of each key holds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.records.document import Document

LONGEST_REASON = 200
"""Characters; it is for people."""
Action = Literal["add", "remove", "deny"]
Wisher = Literal["operator", "seed"]


class RelayCommand(Document):
    """What is wanted of a relay, or with `deny` of all relays of a host."""

    target: str = Field(min_length=1, description="normalised URL; or, of `deny`, a host name with all beneath it")
    action: Action
    source: Wisher = "operator"
    spelling: str | None = Field(default=None, description="as it was given; null: like target")
    lane: Literal["regular", "priority", "ignored"] = "regular"
    allow_private: bool = Field(default=False, description="the operator's own relay: may have a private address")
    reason: str = Field("", max_length=LONGEST_REASON, description="for people, such as `asked to be left alone`")
    at_ms: int = Field(ge=0)

    def key(self) -> bytes:
        """The key: seeds never replace what a person wants."""
        return f"{self.source} {self.target}".encode()
