"""What is written down about running services is believed only as long as it is true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bigbrotr.status.totals import Totals
from bigbrotr.supervise import running
from bigbrotr.supervise.bounded_log import BoundedLog


def test_only_the_living_are_named(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    mine = running.started_at_s(os.getpid())
    assert mine is not None
    alive = running.RunningService("sink", os.getpid(), 1234, mine)
    dead = running.RunningService("processor", gone.pid, 1235, mine)
    another_with_my_number = running.RunningService("connector", os.getpid(), 1236, mine - 3600)
    running.write(tmp_path, [alive, dead, another_with_my_number])
    assert running.read(tmp_path) == [alive]


def test_a_file_that_is_broken_or_missing_names_no_process(tmp_path: Path) -> None:
    assert running.read(tmp_path) == []
    for content in ("", "{", '[{"name": "sink"}]', "[1]", "null"):
        (tmp_path / running.FILE_NAME).write_text(content)
        assert running.read(tmp_path) == []
    running.remove(tmp_path)
    running.remove(tmp_path)


def test_a_full_log_is_moved_aside(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "logs" / "sink.log", max_bytes=100)
    for number in range(10):
        log.write(b"%030d\n" % number)
    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["sink.log", "sink.log.1"]
    assert all(file.stat().st_size <= 100 for file in files)
    assert (tmp_path / "logs" / "sink.log").read_bytes().endswith(b"9\n")


def test_a_log_that_cannot_be_written_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    log = BoundedLog(tmp_path / "file" / "sink.log")
    log.write(b"lost\n")
    assert log.lost_bytes == 5


def test_totals_go_on_when_a_service_counts_from_zero_again() -> None:
    totals = Totals()
    for value in (10, 25, 4, 9):
        totals.add("sink", {"rows": value})
    totals.add("other", {"rows": 100})
    assert totals.get("rows") == 25 + 9 + 100
    totals.add("sink", {"rejected:bad_row": 2, "rejected:too_large": 0})
    assert totals.group("rejected:") == {"bad_row": 2}
    assert totals.get("never heard of") == 0
