"""Docker's command line, as these tests call it."""

from __future__ import annotations

import functools
import subprocess
from typing import IO

_ASK_S = 30  # an engine answers in milliseconds; one that has just started, in seconds


class DockerError(RuntimeError):
    """A command of Docker failed or took too long; the message is what it said last."""


def docker(*arguments: str, timeout_s: float = _ASK_S, stdin: IO[bytes] | None = None) -> str:
    """Run a command and return what it prints; raises DockerError."""
    command = f"docker {' '.join(arguments[:2])}"
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            ["docker", *arguments],  # noqa: S607 - wherever this machine has it
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise DockerError(f"{command} cannot be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise DockerError(f"{command} took more than {timeout_s:g} s") from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise DockerError(f"{command} failed with exit code {done.returncode}: {words}")
    return done.stdout.strip()


@functools.cache
def why_no_engine() -> str | None:
    """Why these tests cannot run here, or None where a Docker engine answers."""
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except DockerError as error:
        return f"no Docker engine answers: {error}"
    return None
