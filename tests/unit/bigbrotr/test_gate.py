"""Children that wait at a gate begin when it opens, and those that are started later at once."""

from __future__ import annotations

import subprocess
import sys

from bigbrotr.supervise.gate import Gate

WAITING = [sys.executable, "-c", "import sys; sys.stdin.buffer.read(); print('begun')"]


def child(gate: Gate) -> subprocess.Popen[bytes]:
    return subprocess.Popen(WAITING, stdin=gate.descriptor, stdout=subprocess.PIPE)


def test_all_begin_when_it_opens() -> None:
    gate = Gate()
    # A child that inherited the other end would keep the gate shut for all.
    before = [child(gate), child(gate)]
    gate.open()
    assert [one.communicate(timeout=30)[0] for one in [*before, child(gate)]] == [b"begun\n"] * 3
    gate.close()


def test_they_begin_when_nothing_is_started_any_more() -> None:
    gate = Gate()
    waiting = child(gate)
    gate.close()
    assert waiting.communicate(timeout=30)[0] == b"begun\n"
