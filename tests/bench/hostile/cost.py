"""What a byte of a hostile relay costs, as ratios that do not depend on how busy the machine is."""

from __future__ import annotations

from typing import Any

from tests.pipeline.services import NAMES

_MB = 1e6
_MINUTE_S = 60.0


def costs(before: dict[str, Any], after: dict[str, Any], sent_bytes: int) -> dict[str, Any]:
    """Processor time of each service and bytes on disk beyond what there was without the load, by what was sent.

    Args:
        before: the phase without the load, as it is reported.
        after: the one with it.
        sent_bytes: by the hostile relay, in the second one.
    """
    if not sent_bytes:
        return {"cpu_ms_per_mb": {}, "disk_bytes_per_byte": {}}
    seconds = after["seconds"]
    cores = {name: after["processes"][name]["cores"] - before["processes"][name]["cores"] for name in NAMES}
    grown = {
        kind: sum(after[f"{kind}_bytes_per_min"].values()) - sum(before[f"{kind}_bytes_per_min"].values())
        for kind in ("topics", "tables")
    }
    return {
        "cpu_ms_per_mb": {
            name: round(max(0.0, more) * seconds * 1000 / (sent_bytes / _MB), 1) for name, more in cores.items()
        },
        "disk_bytes_per_byte": {
            kind: round(max(0, more) * seconds / _MINUTE_S / sent_bytes, 3) for kind, more in grown.items()
        },
    }
