"""A real PostgreSQL as one child process: its own user when we are root, TCP on the loopback with a password."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from core.files import write_whole
from deploy.embedded.errors import EmbeddedError, Report
from deploy.embedded.paths import DataPaths
from deploy.embedded.ports import LOOPBACK, keep_or_choose
from deploy.embedded.servers.launch import Launch
from deploy.embedded.servers.postgres_binaries import reachable_binaries
from deploy.embedded.servers.postgres_user import Account, server_account
from deploy.embedded.servers.process import data_handle, server_environment

_INIT_TIMEOUT_S = 120  # takes 1 s; a busy machine with a slow disk much longer
_OWNER = "bigbrotr"
_PASSWORD_BYTES = 24  # beyond guessing
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # the path of a socket below a data directory may be too long (107 bytes)
    "max_connections": "200",  # several services with a pool each, tests, and a person with psql
    "max_locks_per_transaction": "512",  # a query over all months of all tables locks each partition and its indexes
    "shared_buffers": "256MB",  # holds the hot indexes of some million events, and fits a small machine
    "max_wal_size": "2GB",  # bulk writes must not force a checkpoint every few seconds
    "min_wal_size": "256MB",  # reused files are cheaper than new ones
    "wal_buffers": "16MB",  # a batch of 5,000 events is some megabytes
    "wal_level": "minimal",  # nothing replicates from an embedded server
    "max_wal_senders": "0",  # as the former demands
    "maintenance_work_mem": "128MB",  # indexes of a new month
    "random_page_cost": "1.1",  # solid state disks
    "jit": "off",  # compiling costs more than the short queries of a sink could save
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def _run(argv: list[str], data: Path, account: Account, text: str = "") -> None:
    with data_handle(data, account) as (reachable, inherited):
        done = subprocess.run(  # noqa: S603 - our own command line
            [part.replace("{data}", reachable) for part in argv],
            input=text,
            capture_output=True,
            text=True,
            timeout=_INIT_TIMEOUT_S,
            check=False,
            cwd="/",
            env=server_environment(),
            pass_fds=inherited,
            **account.popen(),
        )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise EmbeddedError(f"{Path(argv[0]).name} failed with exit code {done.returncode}: {words}")


def _initialise(programs: Path, paths: DataPaths, account: Account, password: str) -> None:
    """Make the database cluster; it appears under its name only when complete.

    UTF8, as events are. The C locale, as it orders by bytes: the order of an index then depends on no C library, whose
    new versions order text differently and so break indexes; and comparing bytes is fastest.
    """
    fresh = paths.root / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    account.own(fresh)
    with tempfile.TemporaryDirectory(prefix="bigbrotr-") as folder:
        account.own(Path(folder))
        password_file = Path(folder) / "password"
        write_whole(password_file, password, private=True)
        account.own(password_file)
        options = ["--encoding=UTF8", "--locale=C", "--auth-host=scram-sha-256", "--auth-local=reject"]
        owner = [f"--username={_OWNER}", f"--pwfile={password_file}"]
        _run([str(programs / "initdb"), "--pgdata={data}", *owner, *options], fresh, account)
    _single(programs, fresh, account, f'CREATE DATABASE "{_OWNER}"')
    fresh.rename(paths.postgres)


def _single(programs: Path, data: Path, account: Account, statement: str) -> None:
    """Execute a statement without a server, and without the password."""
    _run([str(programs / "postgres"), "--single", "-D", "{data}", "postgres"], data, account, f"{statement}\n")


def _password(programs: Path, paths: DataPaths, account: Account, report: Report) -> str:
    """The password of this data directory; with it the database cluster, made if there is none."""
    file = paths.run / "postgres.password"
    if paths.postgres.exists() and file.exists():
        return file.read_text(encoding="ascii")
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    write_whole(file, password, private=True)
    if paths.postgres.exists():  # somebody has removed the run folder, which is no data
        _single(programs, paths.postgres, account, f"ALTER ROLE \"{_OWNER}\" PASSWORD '{password}'")
    else:
        report("making the database")
        _initialise(programs, paths, account, password)
    return password


def prepare(paths: DataPaths, report: Report) -> Launch:
    """Make the database cluster once and choose the port; call it only while no server runs for it.

    Raises ArtifactsMissingError when the binaries are not installed, EmbeddedError when they fail.
    """
    account = server_account()
    programs = reachable_binaries(account)
    port = keep_or_choose(paths.run / "postgres.ports.json", ("postgres",))["postgres"]
    password = _password(programs, paths, account, report)
    options = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
    return Launch(
        name="postgres",
        argv=[str(programs / "postgres"), "-D", "{data}", "-p", str(port), *options],
        data=str(paths.postgres),
        log=str(paths.run / "postgres.log"),
        address=f"postgresql://{_OWNER}:{password}@{LOOPBACK}:{port}/{_OWNER}",
        port=port,
        uid=account.uid,
        gid=account.gid,
        stop_signal=signal.SIGINT,  # "fast": sessions are ended and a checkpoint is written
        death_signal=signal.SIGQUIT,  # "immediate": it ends its children itself, and recovers at the next start
    )


def is_ready(launch: Launch, pid: int) -> bool:
    """Whether the server accepts connections, as its pid file says (pidfile.h: pid in line 1, status in line 8).

    A file that a killed predecessor left is told by its pid.
    """
    try:
        lines = (Path(launch.data) / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004
