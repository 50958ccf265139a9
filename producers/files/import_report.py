"""How far the import of a file is, and what became of its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class ImportReport:
    """What became of a file.

    Attributes:
        lines: lines that are not blank, or elements of arrays.
        bundled: of those, how many go to `raw.bundles`; once the import has returned, all of them are there.
        refused: the others, by reason; they are in `rejections`.
        bundles: by partition of `raw.bundles`, the offsets of the records that were written, in order, and how many
            lines each has. Outputs and rejections of the processor name them as their source.
        sent: how many lines these are: Kafka has acknowledged them.
        read_bytes: of the file, compressed or not.
        seconds: how long it took.
    """

    lines: int = 0
    bundled: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    bundles: dict[int, dict[int, int]] = field(default_factory=dict)
    sent: int = 0
    read_bytes: int = 0
    seconds: float = 0.0


Progress = Callable[[ImportReport], None]
