"""A stack is started, attached to, extended and stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

import asyncpg
import psutil
import pytest
from pydantic import SecretStr

from core.settings import KafkaSettings, PostgresSettings, Settings
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.paths import DataPaths
from deploy.embedded.stack import PARTITIONS, Servers, attach, ensure_servers, running_stack
from deploy.embedded.state import read_state
from tests.broker.embedded.support import (
    Holder,
    addresses,
    guard_process,
    is_alive,
    read_both,
    read_row,
    server_processes,
    told,
    write_both,
    write_row,
)

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


def test_a_second_start_finds_the_data_and_the_addresses_of_the_first(tmp_path: Path) -> None:
    first_reports: list[str] = []
    with running_stack(tmp_path, report=first_reports.append) as servers:
        first = addresses(servers)
        asyncio.run(write_both(*first, b"a"))
        processes = [guard_process(tmp_path), *server_processes(tmp_path)]
    assert not any(is_alive(process) for process in processes)
    assert attach(tmp_path) is None

    second_reports: list[str] = []
    with running_stack(tmp_path, report=second_reports.append) as servers:
        assert addresses(servers) == first
        assert asyncio.run(read_both(*first)) == (b"a", b"a")
    assert "making the database" in first_reports
    assert "making the database" not in second_reports
    assert second_reports[-1] == "starting kafka and postgres"


def test_listens_on_the_loopback_only_and_asks_for_the_password(servers: Servers) -> None:
    broker, dsn = addresses(servers)
    ports = {int(broker.rsplit(":", 1)[1]), int(dsn.rsplit(":", 1)[1].split("/", maxsplit=1)[0])}
    sockets = [one for one in psutil.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    listening = [(one.pid, *one.laddr) for one in sockets]
    pids = {pid for pid, _, port in listening if port in ports}
    ours = [(ip, port) for pid, ip, port in listening if pid in pids]
    assert ports <= {port for _, port in ours}
    assert len(ours) == 3, "broker, controller, database"
    assert {ip for ip, _ in ours} == {"127.0.0.1"}

    without_password = dsn.replace(dsn.split(":")[2].split("@")[0], "guess")

    async def connect() -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(without_password)

    asyncio.run(connect())


def test_the_database_takes_utf8_orders_by_bytes_and_locks_many_partitions(servers: Servers) -> None:
    async def ask() -> list[str]:
        connection = await asyncpg.connect(addresses(servers)[1])
        names = ("server_encoding", "max_locks_per_transaction", "fsync", "data_checksums")
        answers = [await connection.fetchval("SELECT current_setting($1)", name) for name in names]
        answers.append(await connection.fetchval("SELECT datcollate FROM pg_database WHERE datname = 'bigbrotr'"))
        await connection.close()
        return answers

    assert asyncio.run(ask()) == ["UTF8", "512", "on", "on", "C"]


def test_a_second_process_attaches_and_keeps_the_servers_when_the_first_is_killed(tmp_path: Path) -> None:
    with Holder(tmp_path, ("postgres",)) as first:
        dsn = first.addresses()[1]
        guard = guard_process(tmp_path)
        processes = server_processes(tmp_path)
        with running_stack(tmp_path, names=("postgres",)) as servers:
            assert servers.dsn == SecretStr(dsn)
            assert guard_process(tmp_path) == guard
            first.kill()
            asyncio.run(write_row(dsn, b"b"))
            assert asyncio.run(read_row(dsn)) == b"b"
        assert not any(is_alive(process) for process in [guard, *processes])


def test_processes_that_start_together_share_one_stack(tmp_path: Path) -> None:
    names = ("postgres",)
    with Holder(tmp_path, names) as one, Holder(tmp_path, names) as two, Holder(tmp_path, names) as three:
        assert one.addresses() == two.addresses() == three.addresses()
        processes = [guard_process(tmp_path), *server_processes(tmp_path)]
        for holder in (one, two, three):
            holder.leave()
        assert not any(is_alive(process) for process in processes)


def test_servers_that_the_settings_name_are_used_and_only_the_other_is_started(tmp_path: Path) -> None:
    elsewhere = KafkaSettings(bootstrap_servers="127.0.0.1:1", partitions=8)
    with ensure_servers(Settings(data_dir=tmp_path, kafka=elsewhere)) as settings:
        assert settings.kafka == elsewhere
        assert settings.postgres.dsn is not None
        assert set(told(tmp_path).servers) == {"postgres"}
        # Somebody who wants the other one too gets it from the same guard.
        guard = guard_process(tmp_path)
        with ensure_servers(Settings(data_dir=tmp_path)) as both:
            assert both.postgres.dsn == settings.postgres.dsn
            assert both.kafka.bootstrap_servers not in {None, elsewhere.bootstrap_servers}
            assert both.kafka.partitions == PARTITIONS
            assert guard_process(tmp_path) == guard


def test_nothing_is_started_when_the_settings_name_both(tmp_path: Path) -> None:
    database = PostgresSettings(dsn=SecretStr("postgresql://me@127.0.0.1:1/none"))
    named = Settings(data_dir=tmp_path, kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"), postgres=database)
    with ensure_servers(named) as settings:
        assert settings == named
    assert list(tmp_path.iterdir()) == []


def test_the_data_outlives_the_run_folder(tmp_path: Path) -> None:
    def dsn(servers: Servers) -> str:
        assert servers.dsn is not None
        return servers.dsn.get_secret_value()

    with running_stack(tmp_path, names=("postgres",)) as servers:
        asyncio.run(write_row(dsn(servers), b"c"))
    shutil.rmtree(tmp_path / "embedded")  # with the password in it
    with running_stack(tmp_path, names=("postgres",)) as servers:
        assert asyncio.run(read_row(dsn(servers))) == b"c"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
def test_root_keeps_its_data_below_a_folder_that_only_root_may_enter() -> None:
    with tempfile.TemporaryDirectory(prefix="clôsed ") as folder:  # made for its owner only
        data_dir = Path(folder) / "data"
        with running_stack(data_dir) as servers:
            asyncio.run(write_both(*addresses(servers), b"d"))
            database = told(data_dir).servers["postgres"].process
            assert database is not None
            assert psutil.Process(database.pid).uids().real != 0
        assert Path(folder).stat().st_mode & 0o077 == 0


def test_a_server_that_does_not_start_is_named_with_its_own_words_and_nothing_stays(tmp_path: Path) -> None:
    with running_stack(tmp_path, names=("postgres",)):
        pass
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    with (
        pytest.raises(EmbeddedError, match=r"(?s)postgres does not start.*database files are incompatible"),
        running_stack(tmp_path, names=("postgres",)),
    ):
        pass
    assert attach(tmp_path) is None


def test_a_preparation_that_fails_leaves_neither_a_guard_nor_the_other_server(tmp_path: Path) -> None:
    refused = tmp_path / "two,directories"
    with pytest.raises(EmbeddedError, match="a comma"), running_stack(refused):
        pass
    assert attach(refused) is None
    current = read_state(DataPaths.of(refused).run)
    assert current is not None, "the guard starts beside the preparation"
    assert current.guard.process() is None
    assert [one for one in current.servers.values() if one.process is not None and one.process.process()] == []
