"""PostgreSQL servers beside the embedded one: of every version that is installed, and set up as a test needs them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.servers.launch import Launch
from deploy.embedded.servers.postgres import is_ready
from deploy.embedded.servers.postgres_binaries import installed_binaries, reachable_binaries
from deploy.embedded.servers.postgres_user import Account, server_account
from deploy.embedded.servers.process import server_environment, spawn
from tests.waiting import wait_until

OTHERS = "TEST_POSTGRES_PROGRAMS"
"""The variable that names folders with `postgres` and `initdb`, separated as in PATH."""
_SYSTEM = Path("/usr/lib/postgresql")  # where Debian's packages put each version
OWNER = "tester"
"""The superuser of each."""
_SMALL = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_locks_per_transaction": "512",
}


@cache
def installed() -> Mapping[int, Path]:
    """The folder of the programs of each major version that is installed here."""
    named = os.environ.get(OTHERS, "").split(os.pathsep)
    folders = [installed_binaries(), *map(Path, filter(None, named)), *_SYSTEM.glob("*/bin")]
    found: dict[int, Path] = {}
    for folder in folders:
        if (version := _version(folder)) is not None:
            found.setdefault(version, folder)
    return found


def with_tls() -> Path | None:
    """The programs of the newest version here that was built with TLS; the embedded one was not."""
    built = [each for _, each in sorted(installed().items()) if b"libssl.so" in (each / "postgres").read_bytes()]
    return built[-1] if built else None


def _version(folder: Path) -> int | None:
    try:
        done = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\d+", done.stdout)
    return int(match[0]) if match else None


def free_port() -> int:
    """A port of the loopback that nothing listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def address(port: int, *, user: str = OWNER, password: str = "", database: str = "postgres") -> str:
    """The address of a database on a port of the loopback."""
    secret = f":{quote(password, safe='')}" if password else ""
    return f"postgresql://{user}{secret}@127.0.0.1:{port}/{database}"


@contextmanager
def own_postgres(
    programs: Path,
    *,
    encoding: str = "UTF8",
    access: Sequence[str] = ("host all all 127.0.0.1/32 trust",),
    files: Mapping[str, str] | None = None,
    **options: str,
) -> Iterator[int]:
    """A server of one's own for the length of the block; gives its port.

    Args:
        programs: the folder with `postgres` and `initdb`.
        encoding: of its databases.
        access: the lines of pg_hba.conf.
        files: further files of its data directory, by name.
        options: its settings beside those of a small server.
    """
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="bigbrotr-test-"))
    try:
        account.own(folder)
        reachable = _reachable(programs, account)
        data = folder / "data"
        made = ["--username", OWNER, "--auth=trust", "--encoding", encoding, "--locale=C", "--no-sync"]
        _run([reachable / "initdb", "--pgdata", data, *made], account)
        for name, text in {"pg_hba.conf": "\n".join(access) + "\n", **(files or {})}.items():
            (data / name).write_text(text)
            (data / name).chmod(0o600)
            account.own(data / name)
        port = free_port()
        settings = [part for key, value in (_SMALL | options).items() for part in ("-c", f"{key}={value}")]
        launch = Launch(
            name="postgres",
            argv=[str(reachable / "postgres"), "-D", str(data), "-p", str(port), *settings],
            data=str(data),
            log=str(folder / "log"),
            address=address(port),
            port=port,
            uid=account.uid,
            gid=account.gid,
            stop_signal=signal.SIGQUIT,
            death_signal=signal.SIGQUIT,
        )
        process = spawn(launch)
        try:
            wait_until(
                lambda: process.poll() is not None or is_ready(launch, process.pid),
                lambda: Path(launch.log).read_text(errors="replace")[-2000:],
            )
            assert process.poll() is None, Path(launch.log).read_text(errors="replace")[-2000:]
            yield port
        finally:
            process.send_signal(launch.stop_signal)
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reachable(programs: Path, account: Account) -> Path:
    if programs == installed_binaries():
        return reachable_binaries(account)
    return programs


def _run(argv: Sequence[Any], account: Account) -> None:
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd="/",
        env=server_environment(),
        **account.popen(),
    )
    if done.returncode:
        raise EmbeddedError(f"{argv[0]} failed: {done.stderr or done.stdout}")
