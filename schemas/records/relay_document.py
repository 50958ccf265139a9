"""The `relays.documents` topic: each NIP-11 document that relays gave, once; the key is the SHA-256 of its bytes."""

from __future__ import annotations

from pydantic import Field

from schemas.records.document import Document


class RelayDocumentRecord(Document):
    """One relay information document, as it was sent. What it says is read by `schemas.nostr.relay_document`."""

    version: int = Field(1, ge=1)
    hash: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the bytes that were sent, as in the key")
    text: str = Field(
        description="these bytes as text: UTF-8, or the character set that the answer names where they are not"
    )
    first_seen_ms: int = Field(ge=0, description="when a prober of ours met it first; a later one may write it again")
