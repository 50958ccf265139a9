"""What a fetch holds is bounded as it travels, compressed: unpacked it may be a thousand times as much."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.archive.connection import Pool
from core.settings import Settings
from tests.broker.sinks.material import event, feed
from tests.broker.sinks.writing.test_groups import member
from tests.waiting import until

pytestmark = pytest.mark.broker
EVENTS = 400
CONTENT = "a" * 1_000_000
# The process itself takes 90 MB; the rest is what it has unpacked and decoded of 400 MB that lie in a few fetches.
MOST_BYTES = 320 * 1024 * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
async def test_large_events_that_compress_well_are_not_unpacked_at_once(
    settings: Settings, pool: Pool, tmp_path: Path
) -> None:
    async with feed(settings) as fed:
        for number in range(EVENTS):
            await fed.events([event(number, content=CONTENT)])

    async def complete() -> bool:
        return bool(await pool.fetchval("SELECT count(*) = $1 FROM events", EVENTS))

    async with member(settings, tmp_path / "sink") as sink:
        await until(complete, "the archive holds everything")
        assert peak_bytes(sink.pid) < MOST_BYTES
        assert await sink.stop() == 0


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held at once."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
