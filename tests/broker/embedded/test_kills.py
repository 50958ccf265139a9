"""Whatever is killed, no server is left behind, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.stack import attach, running_stack
from tests.broker.embedded.support import (
    Holder,
    addresses,
    guard_process,
    is_alive,
    kill_all,
    read_both,
    server_processes,
    told,
    write_both,
)
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.storms, pytest.mark.timeout(240)]


def test_a_killed_holder_leaves_no_server(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder.addresses()
        processes = [guard_process(tmp_path), *server_processes(tmp_path)]
        assert len(processes) > 3
        holder.kill()
        wait_until(lambda: not any(is_alive(process) for process in processes), "the end of guard and servers")


def test_a_killed_guard_leaves_no_server_and_no_lock(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder.addresses()
        guard, processes = guard_process(tmp_path), server_processes(tmp_path)
        guard.kill()
        wait_until(lambda: not any(is_alive(process) for process in processes), "the end of the servers")
        assert attach(tmp_path) is None


def test_everything_killed_at_once_is_recovered(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        reached = holder.addresses()
        asyncio.run(write_both(*reached, b"f"))
        processes = [guard_process(tmp_path), *server_processes(tmp_path)]
        kill_all(processes[::-1])  # the guard last, or it would let the servers end in order
        holder.kill()
        wait_until(lambda: not any(is_alive(process) for process in processes), "the end of guard and servers")
    # What the killed left: a state that names them, both servers' lock files, and logs that were not closed.
    assert told(tmp_path).guard.pid == processes[0].pid
    assert (tmp_path / "postgres" / "postmaster.pid").exists()
    assert (tmp_path / "kafka" / ".lock").exists()
    with running_stack(tmp_path) as servers:
        assert addresses(servers) == reached
        assert asyncio.run(read_both(*reached)) == (b"f", b"f")


def test_a_killed_server_comes_back_at_its_address(tmp_path: Path) -> None:
    with running_stack(tmp_path) as servers:
        reached = addresses(servers)
        asyncio.run(write_both(*reached, b"g"))
        kill_all(server_processes(tmp_path))
        wait_until(lambda: all(one.restarts >= 1 and one.ready for one in told(tmp_path).servers.values()), "restarts")
        assert asyncio.run(read_both(*reached)) == (b"g", b"g")
        assert {name: one.address for name, one in told(tmp_path).servers.items()} == {
            "kafka": reached[0],
            "postgres": reached[1],
        }
