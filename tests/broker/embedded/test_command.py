"""`bigbrotr embedded start|env|stop`, as somebody at a shell uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded.servers.postgres_binaries import installed_binaries
from tests.broker.embedded.support import guard_process, is_alive, server_processes

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]
_BIGBROTR = str(Path(sys.executable).with_name("bigbrotr"))


def bigbrotr(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_BIGBROTR, "--data-dir", str(data_dir), "embedded", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | variables,
    )


def own_files_only(*paths: Path) -> bool:
    return all(path.stat().st_mode & 0o777 == 0o600 for path in paths)


def test_the_servers_stay_until_they_are_stopped_and_a_shell_reaches_them(tmp_path: Path) -> None:
    nothing = bigbrotr(tmp_path, "env")
    assert nothing.returncode == 1
    assert "embedded start" in nothing.stderr

    started = bigbrotr(tmp_path, "start", "--json")
    assert started.returncode == 0, started.stderr
    told = json.loads(started.stdout)
    processes = [guard_process(tmp_path), *server_processes(tmp_path)]
    assert all(is_alive(process) for process in processes)

    again = bigbrotr(tmp_path, "start", "--json")
    assert json.loads(again.stdout) == told
    assert all(is_alive(process) for process in processes)

    variables = json.loads(bigbrotr(tmp_path, "env", "--json").stdout)
    assert variables["BIGBROTR_KAFKA__BOOTSTRAP_SERVERS"] == told["bootstrap_servers"]
    assert own_files_only(Path(variables["KCAT_CONFIG"]), Path(variables["KAFKA_COMMAND_CONFIG"]))
    assert variables["BIGBROTR_KAFKA__PASSWORD"] not in started.stdout
    lines = bigbrotr(tmp_path, "env").stdout
    script = 'eval "$1"; "$2" topics create --json'
    made = subprocess.run(
        ["/bin/bash", "-c", script, "-", lines, _BIGBROTR], capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr
    psql = installed_binaries() / "psql"
    script = f'eval "$1"; "{psql}" -At -c "select 40 + 2" "$BIGBROTR_POSTGRES__DSN"'
    assert subprocess.check_output(["/bin/bash", "-c", script, "-", lines], text=True, timeout=60) == "42\n"

    stopped = bigbrotr(tmp_path, "stop", "--json")
    assert json.loads(stopped.stdout)["stopped"] is True
    assert not any(is_alive(process) for process in processes)
    assert json.loads(bigbrotr(tmp_path, "stop", "--json").stdout)["stopped"] is False


def test_one_message_says_what_is_missing_where_nothing_can_be_fetched(tmp_path: Path) -> None:
    failed = bigbrotr(
        tmp_path / "data",
        "start",
        BIGBROTR_CACHE_DIR=str(tmp_path / "cache"),
        BIGBROTR_MAVEN_REPOSITORY="http://127.0.0.1:9",
    )
    assert failed.returncode == 1
    message = failed.stderr.strip().splitlines()[-1]
    for part in ("Apache Kafka 4.3.1", "46 jars", "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS", "BIGBROTR_POSTGRES__DSN"):
        assert part in message
    assert "Traceback" not in failed.stderr
    assert bigbrotr(tmp_path / "data", "stop", "--json").stdout.count("false") == 1
