"""What a fetch holds is bounded as it travels, compressed: unpacked it may be a thousand times as much."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings
from schemas.records.bundle import encode_line
from schemas.topics import RAW_LIMIT_BYTES
from tests.broker.processors.harness import all_committed, processor, produce

pytestmark = pytest.mark.broker
BUNDLES = 500
# The process itself takes 75 MB; the rest is what it has unpacked of half a gibibyte that lies in one fetch.
MOST_BYTES = 400 * 1024 * 1024


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held at once."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
async def test_a_backlog_that_compresses_well_is_not_unpacked_at_once(ours: Settings, tmp_path: Path) -> None:
    value = encode_line("wss://a.example", 1, b'{"content":"%b"}' % (b"a" * (RAW_LIMIT_BYTES - 100)))
    made = [(0, value)] * BUNDLES
    for start in range(0, BUNDLES, 50):
        await produce(ours, made[start : start + 50])
    with processor(ours, tmp_path) as process:
        await all_committed(ours, made)
        assert peak_bytes(process.popen.pid) < MOST_BYTES
        assert await process.stop() == 0, process.log()
