"""The user that PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded.errors import EmbeddedError

_NAME = "bigbrotr-postgres"
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Account:
    """A user to run a server as; without numbers it is the current user."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def popen(self) -> dict[str, Any]:
        """What subprocess needs to start a program as this user, without the groups of ours."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    """Ourselves, or for root a system user that is made once; raises EmbeddedError when it cannot be made."""
    if os.geteuid() != 0:
        return Account(name=str(os.geteuid()))
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        entry = _make()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make() -> pwd.struct_passwd:
    trouble = "neither useradd nor adduser is here"
    if command := _command():
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
        trouble = done.stderr.strip() or f"exit code {done.returncode}"
    try:
        return pwd.getpwnam(_NAME)  # whether made by us, or by another process at the same moment
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and the user {_NAME} cannot be made ({trouble}): run as another user",
        ) from None


def _command() -> list[str] | None:
    if useradd := shutil.which("useradd"):
        return [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/",
            "--shell",
            "/bin/false",
            _NAME,
        ]
    if adduser := shutil.which("adduser"):  # busybox
        return [adduser, "-S", "-D", "-H", "-h", "/", "-s", "/bin/false", _NAME]
    return None
