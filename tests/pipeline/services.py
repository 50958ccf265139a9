"""Services as processes of their own, as an operator runs them: `python -m bigbrotr service NAME`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from bigbrotr.services import BY_NAME, FLOW
from core.parent import PARENT_VARIABLE
from core.settings.model import Settings
from tests.environment import environment
from tests.waiting import wait_until

NAMES = FLOW
STOP_S = 30.0  # above every drain deadline, so that only a service that hangs is killed
READY_POLL_S = 0.05  # a start takes seconds, and three services are asked


class Services:
    """Starts, kills and stops services of one world; their logs lie in its folder."""

    def __init__(self, settings: Settings, **extra_env: str) -> None:
        self._folder = settings.data_dir
        self._env = environment(settings, **{PARENT_VARIABLE: str(os.getpid()), **extra_env})
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        """Start services that do not run."""
        for name in names:
            (self._folder / f"{name}.port").unlink(missing_ok=True)
            port = {"BIGBROTR_HTTP__PORT_FILE": str(self._folder / f"{name}.port")}
            env = {**self._env, **self.variables(name), **port}
            with self.log(name).open("ab") as log:
                self._running[name] = subprocess.Popen(
                    [sys.executable, "-m", "bigbrotr", "service", name],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=env,
                )

    def variables(self, name: str) -> Mapping[str, str]:
        """Return what this service alone is told; subclasses may have something to say."""
        return {}

    def wait_until_ready(self, limit_s: float = 120.0) -> None:
        """Wait until every running service says that it can do its work."""
        waiting = set(self._running)

        def all_are_ready() -> bool:
            self.check()
            waiting.difference_update([name for name in waiting if self._is_ready(name)])
            return not waiting

        def unready() -> str:
            return "\n".join(["the readiness of:", *(f"{name}: {self.tail(name)}" for name in waiting)])

        wait_until(all_are_ready, unready, limit_s, READY_POLL_S)

    def _is_ready(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url(name)}/readyz", timeout=5) as answer:
                return bool(answer.status == HTTPStatus.OK)
        except (OSError, ValueError):
            return False

    def details(self, name: str) -> dict[str, Any]:
        """Return what a service says of its work; nothing while it does not answer."""
        return dict(self._status(name).get("details", {}))

    def reasons(self, name: str) -> list[str]:
        """Return why a service is not ready, as `/readyz` says it; nothing while it does not answer."""
        return list(self._status(name).get("reasons", []))

    def metric(self, name: str, sample: str) -> float | None:
        """Return a sample of a service, labels included; None while it does not answer, or has none."""
        try:
            with urllib.request.urlopen(f"{self.url(name)}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except (OSError, ValueError):
            return None
        return next((float(line.split()[1]) for line in lines if line.split()[0] == sample), None)

    def _status(self, name: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self.url(name)}/status", timeout=5) as answer:
                return dict(json.load(answer))
        except (OSError, ValueError):
            return {}

    def url(self, name: str) -> str:
        """Return where a running service serves its health; OSError or ValueError while it does not yet."""
        return f"http://127.0.0.1:{int((self._folder / f'{name}.port').read_text())}"

    def kill(self, name: str) -> None:
        """End a service as a power cut would."""
        process = self._running.pop(name)
        assert process.poll() is None, f"{name} had ended before it was killed:\n{self.tail(name)}"
        process.kill()
        process.wait()

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a service a signal."""
        self._running[name].send_signal(number)

    def stop(self) -> dict[str, int]:
        """Ask every service to stop, in the order of the flow; return their exit codes (-9: it had to be killed)."""
        return {name: self.stop_one(name) for name in BY_NAME if name in self._running}

    def stop_one(self, name: str) -> int:
        """Ask a service to stop; return its exit code."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def check(self) -> None:
        """Fail when a service has ended by itself."""
        for name, process in self._running.items():
            assert process.poll() is None, f"{name} ended with code {process.returncode}:\n{self.tail(name)}"

    def pid(self, name: str) -> int:
        """Return a running service's process id."""
        return self._running[name].pid

    def log(self, name: str) -> Path:
        """Return where a service logs to."""
        return self._folder / f"{name}.log"

    def tail(self, name: str) -> str:
        """Return a service's last words."""
        return self.log(name).read_text(errors="replace")[-3000:]
