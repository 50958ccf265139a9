"""Queries the health endpoints of a service: its /status, and the counters with labels from its /metrics."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from prometheus_client.parser import text_string_to_metric_families

# A service on this machine answers in milliseconds; one that does not within this time is shown as not answering.
_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Health:
    """What a service says of itself; `problem` is why it is not ready, None when it is."""

    problem: str | None
    metrics: dict[str, float] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


async def ask(session: aiohttp.ClientSession, host: str, port: int | None) -> Health:
    """Ask the service that listens there; never raises: what went wrong is the `problem`."""
    if port is None:
        return Health("starting")
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            async with session.get(f"{url}/status") as response:
                status = orjson.loads(await response.read())
            async with session.get(f"{url}/metrics") as response:
                text = await response.text()
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Health("does not answer" if isinstance(error, TimeoutError) else f"does not answer: {error}")
    return Health(
        problem=None if status["ready"] else "; ".join(status["reasons"]) or "not ready",
        metrics=status["metrics"],
        rejected=_by_reason(text, "bigbrotr_rejected"),
        quarantined=_by_reason(text, "bigbrotr_quarantined"),
        details=status["details"],
    )


def _by_reason(text: str, name: str) -> dict[str, int]:
    # The parser reads whole families, and most of the text is about others.
    lines = "\n".join(line for line in text.splitlines() if name in line)
    counts: dict[str, int] = {}
    for family in text_string_to_metric_families(lines):
        for sample in family.samples:
            if sample.name == f"{name}_total":
                reason = sample.labels["reason"]
                counts[reason] = counts.get(reason, 0) + int(sample.value)
    return counts
