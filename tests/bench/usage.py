"""CPU time and memory of processes with all their children, as the kernel counts them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import NamedTuple

import psutil

SAMPLE_S = 0.5  # reading the memory map of every process costs milliseconds: often enough to see a peak, and no load


class Used(NamedTuple):
    """CPU seconds within the measured time; the most memory seen, and the last (bytes, shared memory in proportion)."""

    cpu_s: float
    peak_bytes: int
    end_bytes: int


class Meter:
    """Measures named process trees from `start` to `stop`."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._roots = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before: dict[str, float] = {}
        self._peak: dict[str, int] = dict.fromkeys(pids, 0)
        self._end: dict[str, int] = dict.fromkeys(pids, 0)
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._before = {name: _cpu_s(root) for name, root in self._roots.items()}
        self._sampler.start()

    def stop(self) -> dict[str, Used]:
        """Return what each tree has used since `start`."""
        cpu = {name: _cpu_s(root) - self._before[name] for name, root in self._roots.items()}
        self._done.set()
        self._sampler.join()
        return {name: Used(cpu[name], self._peak[name], self._end[name]) for name in self._roots}

    def _sample(self) -> None:
        while True:
            for name, root in self._roots.items():
                self._end[name] = _memory_bytes(root)
                self._peak[name] = max(self._peak[name], self._end[name])
            if self._done.wait(SAMPLE_S):
                return


def _tree(root: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [root, *root.children(recursive=True)]
    return []


def _cpu_s(root: psutil.Process) -> float:
    """Living processes, and children that have ended: their time goes to the parent that waited for them."""
    total = 0.0
    for process in _tree(root):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
            if process == root:
                total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def _memory_bytes(root: psutil.Process) -> int:
    total = 0
    for process in _tree(root):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            info = process.memory_full_info()
            # Linux tells the proportional share, so that PostgreSQL's shared buffers are not counted per connection.
            total += getattr(info, "pss", info.rss)
    return total
