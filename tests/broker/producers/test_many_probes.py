"""A thousand relays, each at an address of its own, and a prober that is a process of its own."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from core.settings import Settings
from producers.prober.service import ProberService
from schemas.records.probe import ProbeRecord
from tests.broker.producers.harness import publish, records
from tests.broker.producers.lone_service import running
from tests.pipeline.services import Services
from tests.relays.many_hosts import many_hosts
from tests.waiting import until

pytestmark = [
    pytest.mark.broker,
    pytest.mark.storms,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc"),
]

RELAYS = 1_000
AT_ONCE = 100
SOCKETS = 2
"""Of a probe without TLS: the websocket, and the request for the document."""
MOST_BYTES = 150 * 1024 * 1024
"""The process takes 77 MB before it has a relay, and 102 MB were seen here. A hundred relays that each send a frame of
512 KiB and a document of 64 KiB at one time would add 57 MB to the former, and the records of a thousand 5 MB."""


async def test_a_thousand_relays_are_probed_a_hundred_at_once_in_little_memory_and_go_to_another_when_it_is_killed(
    quick: Settings,
) -> None:
    values = {"allow_private": True, "at_once": AT_ONCE, "read_timeout_s": 120.0, "retry_s": 0.1}
    settings = quick.model_copy(
        update={
            "kafka": quick.kafka.model_copy(update={"session_timeout_s": 6.0}),
            "prober": quick.prober.model_copy(update=values),
        }
    )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    services = Services(settings)
    try:
        # Of a hundred relays none answers before all were asked: fewer at once would never come to an end, and ten
        # times the time of the slowest of a hundred is what the limit implies for a thousand.
        async with many_hosts(large_document) as relays:
            relays.wave = AT_ONCE
            urls = relays.urls(RELAYS)
            await publish(settings, urls)
            services.start("prober")

            async def probed() -> bool:
                services.check()
                found = services.details("prober").get("probes", {})
                return bool(found.get("verdicts") == {"works": RELAYS} and found.get("under_way") == 0)

            await until(probed, "all are probed", poll_s=0.5)
            assert (relays.waves, relays.opened.total()) == (RELAYS // AT_ONCE, RELAYS)
            assert relays.most <= SOCKETS * AT_ONCE
            found = Counter(ProbeRecord.decode(each.value or b"").url for each in await records(settings, "raw.probes"))
            assert found == Counter(urls)
            assert len(await records(settings, "relays.documents")) == RELAYS
            assert peak_bytes(pid(services)) < MOST_BYTES
            relays.wave = 0
            other = ProberService(settings)
            async with running(other):
                await until(lambda: 0 < holds(other) < RELAYS, "they share")
                services.kill("prober")
                await until(lambda: holds(other) == RELAYS, "it has all")
                await until(lambda: relays.opened.total() >= 2 * RELAYS, "it probes all")
            assert relays.most <= SOCKETS * 2 * AT_ONCE
    finally:
        services.stop()


def large_document(host: str) -> str:
    """Of each relay another one, larger than most are."""
    return json.dumps({"name": host, "description": "x" * 20_000})


def holds(service: ProberService) -> int:
    found = service.status()["probes"]
    assert isinstance(found, dict)
    return sum(found["verdicts"].values())


def pid(services: Services) -> int:
    with urllib.request.urlopen(f"{services.url('prober')}/status", timeout=5) as answer:
        return int(json.load(answer)["pid"])


def peak_bytes(number: int) -> int:
    """The most memory that a process has held at once."""
    status = Path(f"/proc/{number}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
