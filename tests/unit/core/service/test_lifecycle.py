"""Exit codes and endings, seen from outside: every service here is a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.service.signals import SAME_WISH_S
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[4]
# An ending takes milliseconds, starting Python a second; a loaded machine may take many times that.
PATIENCE_S = 40.0


class Process:
    """A probe service as a child process; `port` is known once its health endpoints answer."""

    def __init__(self, behaviour: str, folder: Path, drain_s: float) -> None:
        self.port_file = folder / "port"
        self.log_file = folder / "log"
        environment = os.environ | {
            "BIGBROTR_HTTP__PORT_FILE": str(self.port_file),
            "BIGBROTR_DRAIN_S": str(drain_s),
        }
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.unit.core.service.probe_service", behaviour],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait_for(self, there: Callable[[], bool]) -> None:
        def is_there() -> bool:
            found = there()
            assert found or self.process.poll() is None, self.log
            return found

        wait_until(is_there, lambda: self.log, PATIENCE_S)

    def wait_for_log(self, text: str) -> None:
        self.wait_for(lambda: text in self.log)

    def port(self) -> int:
        self.wait_for(self.port_file.exists)
        return int(self.port_file.read_text())

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port()}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_S)


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def start_process(behaviour: str, drain_s: float = 30.0) -> Process:
        process = Process(behaviour, tmp_path, drain_s)
        started.append(process)
        return process

    yield start_process
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_closes_and_ends_with_0(start: Start, number: signal.Signals) -> None:
    probe = start("runs")
    probe.wait_for_log("probe is running")
    probe.signal(number)
    assert probe.exit_code() == 0
    assert "probe is drained" in probe.log
    assert "closed\n" in probe.log
    assert not probe.port_file.exists()


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("fails", "broken state"),
        ("fails to start", "no start today"),
        ("fails in its tick", "a broken gauge"),
        ("has a background task that fails in start", "broken figures"),
        ("has a background task that fails in run", "broken figures"),
        ("has a background task that ends by itself", "it ended by itself"),
        ("is cancelled by something else", "run was cancelled by something else"),
    ],
)
def test_a_failure_closes_and_ends_with_1(start: Start, behaviour: str, said: str) -> None:
    probe = start(behaviour)
    assert probe.exit_code() == 1
    assert said in probe.log
    assert "closed\n" in probe.log
    assert "is drained" not in probe.log


def test_what_a_person_must_set_right_is_a_sentence_and_ends_with_2(start: Start) -> None:
    probe = start("finds its settings unusable")
    assert probe.exit_code() == 2
    assert "probe cannot run: in the settings: postgres.dsn names a server" in probe.log
    assert "Traceback" not in probe.log
    assert "closed\n" in probe.log


def test_work_that_will_not_be_cancelled_does_not_keep_a_broken_process(start: Start) -> None:
    probe = start("fails in its tick and will not be cancelled")
    assert probe.exit_code() == 1
    assert "a broken gauge" in probe.log
    assert "closed\n" in probe.log


def test_background_tasks_end_first_then_what_was_opened_last(start: Start) -> None:
    probe = start("has a background task")
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 0
    ends = ["probe is drained\n", "figures ended\n", "pool ended\n", "closed\n"]
    assert sorted(ends, key=probe.log.index) == ends


def test_a_background_task_that_fails_cuts_the_drain_short(start: Start) -> None:
    probe = start("has a background task that fails in the drain", drain_s=3600)
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 1
    assert "broken figures" in probe.log
    assert "in the background task figures" in probe.log
    assert "closed\n" in probe.log
    assert "is drained" not in probe.log


@pytest.mark.parametrize("behaviour", ["fails to drain", "fails to close"])
def test_a_failure_after_the_signal_ends_with_1(start: Start, behaviour: str) -> None:
    probe = start(behaviour)
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 1
    assert "Traceback" in probe.log


def test_a_drain_that_leaves_something_undone_closes_and_ends_with_3(start: Start) -> None:
    probe = start("drains in part")
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 3
    assert "a batch was not taken" in probe.log
    assert "closed\n" in probe.log
    assert "is drained" not in probe.log


def test_work_that_ends_by_itself_ends_with_0(start: Start) -> None:
    assert start("ends by itself").exit_code() == 0


def test_a_missed_drain_deadline_ends_with_3_and_says_where_it_hangs(start: Start) -> None:
    probe = start("drains without end", drain_s=0.3)
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 3
    assert "the drain did not end within 0.3 s" in probe.log
    assert "> drain (probe_service.py:" in probe.log


def test_a_blocked_loop_does_not_keep_a_signal_from_ending_the_process(start: Start) -> None:
    probe = start("blocks the loop", drain_s=0.3)
    probe.wait_for_log("probe is running")
    time.sleep(0.3)  # into the block; whether it is reached does not change what must come out
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 3
    assert "the drain did not end" in probe.log


def test_a_second_signal_ends_at_once_with_3(start: Start) -> None:
    probe = start("drains without end", drain_s=3600)
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGTERM)
    probe.wait_for_log("stopping: SIGTERM")
    time.sleep(SAME_WISH_S + 0.1)
    probe.signal(signal.SIGINT)
    assert probe.exit_code() == 3
    assert "a second signal (SIGINT)" in probe.log


def test_one_wish_told_twice_is_not_a_second_signal(start: Start) -> None:
    probe = start("runs")
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGINT)
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 0


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("closes without end", "closing did not end"),
        ("leaves a thread", "the end of the process did not end"),
        ("leaves a stubborn task", "the end of the process did not end"),
    ],
)
def test_what_hangs_after_the_drain_does_not_keep_the_process(start: Start, behaviour: str, said: str) -> None:
    probe = start(behaviour)
    probe.wait_for_log("probe is running")
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 3
    assert said in probe.log


def test_a_service_that_waits_in_start_tells_its_health_and_stops_with_0(start: Start) -> None:
    probe = start("waits in start")
    probe.port()
    assert probe.get("/healthz") == (200, "ok\n")
    status, reasons = probe.get("/readyz")
    assert status == 503
    assert reasons.startswith("starting\nwaiting for a server that never comes for ")
    probe.signal(signal.SIGTERM)
    assert probe.exit_code() == 0
    assert "closed\n" in probe.log


def test_a_running_service_answers_all_endpoints(start: Start) -> None:
    probe = start("runs")
    probe.wait_for_log("probe is running")
    assert probe.get("/readyz") == (200, "ok\n")
    assert probe.get("/nothing")[0] == 404
    metrics = probe.get("/metrics")[1]
    assert "process_resident_memory_bytes" in metrics
    assert "bigbrotr_loop_stalls_total 0.0" in metrics
    assert "bigbrotr_received_copies" not in metrics, "what other services count is theirs to export"
    status = json.loads(probe.get("/status")[1])
    assert status["service"] == "probe"
    assert status["pid"] == probe.process.pid
    assert (status["phase"], status["ready"], status["reasons"]) == ("running", True, [])
    assert status["details"]["ticks"] >= 1
    assert status["metrics"].keys() == {"bigbrotr_loop_stalls_total", "bigbrotr_loop_lag_seconds"}
    assert status["metrics"]["bigbrotr_loop_stalls_total"] == 0


def test_a_service_that_is_not_ready_says_why(start: Start) -> None:
    probe = start("is not ready")
    probe.wait_for_log("probe is running")
    assert probe.get("/readyz") == (503, "it does not want to\n")
    assert probe.get("/healthz")[0] == 200


def test_a_service_ends_when_its_killed_supervisor_can_tell_it_nothing(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys\n"
        "os.environ['BIGBROTR_PARENT_PID'] = str(os.getpid())\n"
        "subprocess.run([sys.executable, '-m', 'tests.unit.core.service.probe_service', 'runs'], check=False)\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"BIGBROTR_HTTP__PORT_FILE": str(tmp_path / "port")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )

    def service_is_up() -> bool:
        assert supervisor.poll() is None
        return (tmp_path / "port").exists()

    wait_until(service_is_up, "the service's port", PATIENCE_S)
    supervisor.kill()
    # The end of the pipe is the end of the last process that holds it: the service.
    said = supervisor.communicate(timeout=PATIENCE_S)[1].decode()
    assert "stopping: the process that started this one is gone" in said
    assert "probe ends with exit code 0" in said


def test_a_port_that_is_taken_is_a_sentence_that_names_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start("runs")
    port = first.port()
    monkeypatch.setenv("BIGBROTR_HTTP__PORT", str(port))
    second = start("runs")
    assert second.exit_code() == 1
    assert f"cannot listen on 127.0.0.1, port {port}: address already in use; set http.port" in second.log
    assert "Traceback" not in second.log
