"""The limits of information documents, by the hash of the document; their texts are not kept."""

from __future__ import annotations

from schemas.nostr.relay_document import NotADocumentError, parse_document
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import Limits
from schemas.records.relay_limits import limits

_MOST = 30_000
"""Three of each relay, in 10 MB. A relay that gives another one at each probe fills them, so that the oldest go; the
record of a relay holds on to the limits of its document."""


class Documents:
    """What documents limit; those that limit nothing are not kept.

    Args:
        most: documents that are kept.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._limits: dict[bytes, tuple[int | None, ...]] = {}

    def __len__(self) -> int:
        return len(self._limits)

    def take(self, record: RelayDocumentRecord) -> bool:
        """Keep what a document says; whether it limits anything. A text that is none limits nothing."""
        try:
            found = limits(parse_document(record.text))
        except NotADocumentError:
            return False
        if found == Limits():
            return False
        key = bytes.fromhex(record.hash)
        self._limits.pop(key, None)
        self._limits[key] = tuple(getattr(found, name) for name in Limits.model_fields)
        if len(self._limits) > self._most:
            del self._limits[next(iter(self._limits))]
        return True

    def limits(self, document: str | None) -> Limits | None:
        """The limits of a document by its hash; None where nothing is known of it."""
        found = None if document is None else self._limits.get(bytes.fromhex(document))
        return None if found is None else Limits(**dict(zip(Limits.model_fields, found, strict=True)))
