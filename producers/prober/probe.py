"""One probe of a relay: the checks that are due, one attempt or two, and the record of it."""

from __future__ import annotations

from typing import NamedTuple

from schemas.records.probe import ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord


class Outcome(NamedTuple):
    """What came of a probe.

    Attributes:
        record: for `raw.probes`.
        document: the relay's information document, for `relays.documents` unless it is there already.
    """

    record: ProbeRecord
    document: RelayDocumentRecord | None
