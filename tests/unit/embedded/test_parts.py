"""Ports, locks, state and settings files of the embedded servers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import KafkaSettings, Settings
from deploy.embedded.broker_address import BrokerAddress
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.lock import FileLock, is_locked, locked
from deploy.embedded.paths import DataPaths
from deploy.embedded.ports import LOOPBACK, keep_or_choose
from deploy.embedded.servers import postgres_binaries
from deploy.embedded.servers.kafka import prepare
from deploy.embedded.servers.kafka_properties import escaped
from deploy.embedded.servers.postgres_user import Account
from deploy.embedded.servers.process import Identity, end_left_over
from deploy.embedded.stack import PARTITIONS, Servers, filled_in
from deploy.embedded.state import read_state
from deploy.embedded.supervised import cause_in


def test_ports_stay_while_they_are_free_and_change_when_taken(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = keep_or_choose(file, ("one", "two"))
    assert first["one"] != first["two"]
    assert keep_or_choose(file, ("one", "two")) == first
    with socket.socket() as taker:
        taker.bind((LOOPBACK, first["one"]))
        taker.listen()
        second = keep_or_choose(file, ("one", "two"))
    assert second["two"] == first["two"]
    assert second["one"] not in first.values()
    assert keep_or_choose(file, ("one", "two")) == second


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"one": "x"}'])
def test_a_damaged_ports_file_is_made_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(content)
    chosen = keep_or_choose(file, ("one",))
    assert json.loads(file.read_text())["one"] == chosen["one"]


def test_a_lock_excludes_and_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = """if True:
        import sys
        from deploy.embedded.lock import FileLock
        lock = FileLock(sys.argv[1])
        lock.acquire(timeout_s=0)
        print(flush=True)
        sys.stdin.read()
    """
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    assert is_locked(path)
    assert not FileLock(path).try_acquire(shared=True)
    with pytest.raises(EmbeddedError, match=r"another process has held .*lock"), locked(path, timeout_s=0.1):
        pass
    holder.kill()
    holder.communicate()
    with locked(path, timeout_s=0):
        assert is_locked(path)
    assert not is_locked(path)


def test_shared_holders_keep_out_only_who_wants_it_alone(tmp_path: Path) -> None:
    one, two, alone = (FileLock(tmp_path / "lock") for _ in range(3))
    assert one.try_acquire(shared=True)
    assert two.try_acquire(shared=True)
    assert not alone.try_acquire()
    one.release()
    assert not alone.try_acquire()
    two.release()
    assert alone.try_acquire()
    alone.release()


@pytest.mark.parametrize("content", [None, "", "{", "{}", '{"guard": 1, "servers": {}}', '{"guard": [1, 2.0]}'])
def test_a_state_that_is_absent_damaged_or_of_another_version_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "state.json").write_text(content)
    assert read_state(tmp_path) is None


def test_a_process_number_that_is_used_again_is_not_taken_for_the_server() -> None:
    mine = Identity.of(os.getpid())
    assert mine.process() is not None
    earlier = Identity(mine.pid, mine.created_s - 60)
    assert earlier.process() is None
    end_left_over(earlier)  # we are still here


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_properties_are_written_as_java_reads_them(value: str) -> None:
    written = escaped(value)
    assert written.isascii()
    assert written.encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16") == value


def test_the_number_of_partitions_is_ours_only_where_none_is_set() -> None:
    servers = Servers(BrokerAddress("127.0.0.1:1"), None)
    assert filled_in(Settings(), servers).kafka.partitions == PARTITIONS
    assert filled_in(Settings(kafka=KafkaSettings(partitions=16)), servers).kafka.partitions == 16


def test_kafka_refuses_a_data_directory_that_it_would_take_for_two(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="comma"):
        prepare(DataPaths.of(tmp_path / "a,b"), list[str]().append)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_programs_in_a_closed_folder_are_copied_to_where_their_user_reaches_them() -> None:
    somebody = Account("somebody", 65_534, 65_534)
    with tempfile.TemporaryDirectory() as closed, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        package = postgres_binaries.installed_binaries().parents[1]
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, Path(closed) / part.name, symlinks=True)
        own = Path(closed) / package.name / "pginstall" / "bin"
        cache = Path(folder) / "cache"
        found = postgres_binaries.reachable_binaries(somebody, own, cache)
        assert found.is_relative_to(folder)
        assert b"PostgreSQL" in subprocess.check_output([found / "initdb", "--version"], user=65_534, cwd="/")
        marker = (found / "postgres").stat().st_ino
        assert (postgres_binaries.reachable_binaries(somebody, own, cache) / "postgres").stat().st_ino == marker, (
            "copied once"
        )
        assert postgres_binaries.reachable_binaries(Account("ourselves"), own, cache) == own


def test_the_cause_of_an_end_is_found_in_a_log(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    assert cause_in(log) is None
    log.write_text("LOG:  database system is ready\n" * 10_000)
    assert cause_in(log) is None
    full = 'PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device'
    with log.open("a") as file:
        file.write(f"2026-11-30 UTC [7] {full}\nLOG:  aborting startup due to startup process failure\n")
    assert (cause_in(log) or "").endswith(full)
