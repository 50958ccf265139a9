"""Docker's command line, as these tests call it."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable
from typing import IO

from testcontainers.core.config import testcontainers_config

_ASK_S = 30  # an engine answers in milliseconds; one that has just started, in seconds
_WITHOUT_REAPER = "TESTCONTAINERS_RYUK_DISABLED"

last_words: dict[str, Callable[[], str]] = {}
"""What gives the last words of containers that run now, by a name: a failed test's report has them all."""


class DockerError(RuntimeError):
    """A command of Docker failed or took too long; the message is what it said last."""


def docker(*arguments: str, timeout_s: float = _ASK_S, stdin: IO[bytes] | None = None) -> str:
    """Run a command and return what it prints; raises DockerError."""
    command = f"docker {' '.join(arguments[:2])}"
    try:
        done = subprocess.run(
            ["docker", *arguments],
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
    """Why these tests cannot run here, or None where a Docker engine and Compose answer."""
    try:
        docker("version", "--format", "{{.Server.Version}}")
    except DockerError as error:
        return f"no Docker engine answers: {error}"
    try:
        docker("compose", "version", "--short")
    except DockerError as error:
        return f"Docker has no Compose: {error}"
    return None


def use_no_reaper_that_is_not_here() -> None:
    """Let testcontainers do without its helper that removes what a killed run has left, where its image is not here.

    It would be pulled, which is not possible on every machine, and nothing else could start without it.
    """
    if _WITHOUT_REAPER in os.environ:
        return
    try:
        docker("image", "inspect", testcontainers_config.ryuk_image)
    except DockerError:
        os.environ[_WITHOUT_REAPER] = "true"
