"""A host clock that a test sets for one process alone: libfaketime, where it is installed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from core.clock import boot_ns
from core.settings.model import Settings
from tests.pipeline.services import Services

_FOLDERS = ("lib/*/faketime", "lib/faketime", "lib64/faketime")
"""Below /usr or /usr/local, where Debian, Fedora, Arch and its own Makefile put it."""
_NAME = "libfaketimeMT.so.1"
"""The one that threads may use."""
_AHEAD_S = 1_000_000
_NEAR_S = 60.0
"""What a busy host takes to start a Python, generously, is far from the difference that is looked for."""
_SHOW = "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME))"


class HostClock:
    """The time of day of one process, as far before or behind the true one as `set_by` says."""

    def __init__(self, folder: Path) -> None:
        """Begin right; the offset stands in a file of `folder`."""
        self._file = folder / "host-clock"
        self.set_by(0)

    def set_by(self, seconds: int) -> None:
        """Set the clock so far ahead of the true time; a negative number: behind it."""
        # As a whole: the process reads the file each time that it looks at the clock.
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)

    def variables(self, library: Path) -> dict[str, str]:
        """The environment of a process that goes by this clock; CLOCK_MONOTONIC and CLOCK_BOOTTIME stay true."""
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


class ServicesByAnotherClock(Services):
    """Services of which the connector goes by `host_clock`."""

    def __init__(self, settings: Settings, **extra_env: str) -> None:
        super().__init__(settings, **extra_env)
        self.host_clock = HostClock(settings.data_dir)
        self._faketime = faketime()

    def variables(self, name: str) -> Mapping[str, str]:
        """Give the connector its clock."""
        return self.host_clock.variables(self._faketime) if name == "connector" else {}


@cache
def faketime() -> Path:
    """Return where libfaketime is; skip the test where it is not, or sets more than the time of day."""
    found = [
        file for root in ("/usr", "/usr/local") for each in _FOLDERS for file in Path(root).glob(f"{each}/{_NAME}")
    ]
    if not found:
        pytest.skip("libfaketime is not installed: no process can be given a clock of its own")
    with TemporaryDirectory() as folder:
        clock = HostClock(Path(folder))
        clock.set_by(_AHEAD_S)
        command, env = [sys.executable, "-c", _SHOW], clock.variables(found[0])
        shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    try:
        wall_s, boot_s = (float(each) for each in shown.stdout.split())
    except ValueError:
        pytest.skip(f"no Python runs with {found[0]}: {shown.stderr.strip()}")
    if abs(wall_s - time.time() - _AHEAD_S) > _NEAR_S or abs(boot_s - boot_ns() / 1e9) > _NEAR_S:
        pytest.skip(f"{found[0]} does not set the time of day and leave CLOCK_BOOTTIME alone")
    return found[0]
