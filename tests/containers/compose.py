"""testcontainers' DockerCompose, with a time limit for each command and no variables but those of its `.env`."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testcontainers.compose import DockerCompose

from tests.containers.engine import DockerError

UP_S = 240  # a whole stack is up in half a minute, on a machine with other work in two
_KEPT = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it said."""

    exit_code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"exit code {self.exit_code}\n{self.stdout[-4000:]}\n{self.stderr[-4000:]}"


class Compose(DockerCompose):
    """Commands of one project, in the folder of its compose.yaml."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, compose_file_name="compose.yaml", wait=False)

    def ask(self, *arguments: str, timeout_s: float = UP_S) -> Result:
        """Run a command, however it ends; one that takes too long raises DockerError."""
        done = self._timed([*self.docker_compose_command(), *arguments], timeout_s)
        return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def do(self, *arguments: str, timeout_s: float = UP_S) -> str:
        """Run a command that must succeed, and return what it prints."""
        result = self.ask(*arguments, timeout_s=timeout_s)
        if result.exit_code != 0:
            raise DockerError(f"docker compose {' '.join(arguments)}: {result}")
        return result.stdout

    def _run_command(self, cmd: str | list[str], context: str | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run what a method of DockerCompose wants to be run."""
        assert isinstance(cmd, list)
        done = self._timed(cmd, UP_S)
        if done.returncode != 0:
            raise DockerError(f"{' '.join(cmd)}: exit code {done.returncode}\n{done.stderr.decode(errors='replace')}")
        return done

    def _timed(self, command: list[str], timeout_s: float) -> subprocess.CompletedProcess[bytes]:
        # A variable of the shell wins over the same one in .env, and this machine's are not the tests'.
        env = {name: value for name, value in os.environ.items() if name in _KEPT}
        try:
            return subprocess.run(
                command,
                cwd=self.context,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            words = (error.stderr or b"").decode(errors="replace")[-2000:]
            raise DockerError(f"{' '.join(command)} took more than {timeout_s:g} s: {words}") from error
