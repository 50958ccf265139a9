"""A time in which everything is measured: without the hostile relay, then beside it."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from core.settings.model import Settings
from core.tasks import cancel
from tests.bench.hostile.arrivals import Arrivals
from tests.bench.hostile.counters import counted, read_counters
from tests.bench.hostile.health_probe import HealthProbe
from tests.bench.hostile.sizes import per_minute, tables_bytes, topics_bytes
from tests.bench.hostile.spread import spread
from tests.bench.usage import Meter, Used
from tests.pipeline.services import NAMES, Services

MB = 1e6
_LEAST_DISK_BYTES = 5_000_000_000
"""What a load fills is measured, and need not be filled up: the machine is used for other things too."""
_LEAST_MEMORY_BYTES = 1_000_000_000
_LOOK_S = 0.5


@dataclass(frozen=True)
class Place:
    """What is measured: services of a world, where Kafka keeps its segments, and the processes by name."""

    settings: Settings
    services: Services
    kafka: Path
    pids: Mapping[str, int]


@dataclass(frozen=True)
class Phase:
    """What was measured.

    Attributes:
        began: monotonic seconds, as `ended`.
        stopped: why it ended early.
        load_average: processes of the whole machine that wanted a core in the last minute.
        topics: bytes a minute by which each grew, as `tables`.
    """

    began: float
    ended: float
    stopped: str | None
    load_average: float
    probes: list[HealthProbe]
    used: dict[str, Used]
    topics: dict[str, int]
    tables: dict[str, int]
    counters: dict[str, int]

    def result(self, arrivals: Arrivals) -> dict[str, Any]:
        """As it is reported; call it when the last of its honest events has had its time."""
        seconds = self.ended - self.began
        delays_s, missing = arrivals.delays_s(self.began, self.ended)
        return {
            "seconds": round(seconds, 1),
            "stopped": self.stopped,
            "load_average": self.load_average,
            "honest": {
                "sent": len(delays_s),
                "archived": len(delays_s) - missing,
                "delay_s": spread(delays_s)._asdict(),
            },
            "healthz_s": {
                probe.name: {
                    **spread(probe.latencies_s)._asdict(),
                    "asked": len(probe.latencies_s),
                    "failed": probe.failed,
                }
                for probe in self.probes
            },
            "processes": {
                name: {
                    "cores": round(max(0.0, use.cpu_s) / seconds, 3),
                    "peak_mb": round(use.peak_bytes / MB),
                    "end_mb": round(use.end_bytes / MB),
                }
                for name, use in self.used.items()
            },
            "topics_bytes_per_min": self.topics,
            "tables_bytes_per_min": self.tables,
            "counted": self.counters,
        }


async def measure_phase(place: Place, seconds: float) -> Phase:
    """Measure for so long, or until a service has ended or the machine is short of something."""
    settings, services = place.settings, place.services
    counters = await asyncio.to_thread(read_counters, services)
    topics, tables = topics_bytes(place.kafka, settings), await tables_bytes(settings)
    probes = [HealthProbe(services, name) for name in NAMES]
    meter = Meter(place.pids)
    meter.start()
    asking = [asyncio.create_task(probe.run()) for probe in probes]
    began = time.monotonic()
    stopped = None
    while stopped is None and time.monotonic() < began + seconds:
        await asyncio.sleep(_LOOK_S)
        stopped = _why_stop(services, place.kafka)
    ended = time.monotonic()
    used = await asyncio.to_thread(meter.stop)
    await cancel(*asking)
    return Phase(
        began,
        ended,
        stopped,
        round(os.getloadavg()[0], 1),
        probes,
        used,
        per_minute(topics, topics_bytes(place.kafka, settings), ended - began),
        per_minute(tables, await tables_bytes(settings), ended - began),
        counted(counters, await asyncio.to_thread(read_counters, services)),
    )


def _why_stop(services: Services, kafka: Path) -> str | None:
    try:
        services.check()
    except AssertionError as error:
        return str(error)
    if shutil.disk_usage(kafka).free < _LEAST_DISK_BYTES:
        return "the disk is nearly full"
    if psutil.virtual_memory().available < _LEAST_MEMORY_BYTES:
        return "the memory is nearly full"
    return None
