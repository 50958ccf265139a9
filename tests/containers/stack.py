"""One Compose project, as an operator handles it, and what tests want to know of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testcontainers.compose import ComposeContainer

from bigbrotr.services import FLOW, SERVING
from tests.containers.compose import UP_S, Compose, Result
from tests.containers.engine import DockerError, docker, last_words
from tests.containers.recipe import Recipe
from tests.pipeline.archive import Archive
from tests.waiting import wait_until

SERVICES = (*FLOW, *SERVING)
SERVERS = ("kafka", "postgres")
POLL_S = 0.2  # a question to the engine costs 0.1 s of a core
TAIL_LINES = 25  # what a container said last, in the report of a test that failed
STOP_S = 90  # above every stop_grace_period

log = logging.getLogger(__name__)


class Stack(Recipe):
    """What an operator does with the stack."""

    def __init__(self, folder: Path, **variables: str) -> None:
        super().__init__(folder, **variables)
        self.compose = Compose(folder)
        self.archive = Archive(self.settings("reader"))

    def up(
        self,
        *services: str,
        scale: Mapping[str, int] | None = None,
        wait: bool = True,
    ) -> None:
        """Bring up services (default: all), and wait until they are healthy."""
        scaled = [word for name, count in (scale or {}).items() for word in ("--scale", f"{name}={count}")]
        waiting = ["--wait", "--wait-timeout", str(UP_S)] if wait else []
        self.compose.do("up", "--detach", "--no-build", *waiting, *scaled, *services)

    def run(
        self, service: str, *arguments: str, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> Result:
        """Run a service once, alone, with another command line where one is given; whatever comes of it."""
        extra = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
        return self.compose.ask("run", "--rm", "--no-deps", "--no-TTY", *extra, *options, service, *arguments)

    def exec(self, service: str, *command: str, index: int = 1) -> Result:
        """Run a command inside a container that runs."""
        return self.compose.ask("exec", "--no-TTY", "--index", str(index), service, *command)

    def restart(self, *services: str) -> None:
        """Stop services and start them again, as `docker compose restart` does."""
        self.compose.do("restart", *services)

    def stop(self, *services: str) -> dict[str, int]:
        """Stop services (default: all) and return the exit codes of their containers, by name."""
        self.compose.do("--profile", "*", "stop", *services, timeout_s=STOP_S)
        return {each.Name or "": each.ExitCode or 0 for each in self.ps(*services)}

    def start(self, *services: str) -> None:
        """Start containers that were stopped."""
        self.compose.do("start", *services)

    def ps(self, *services: str) -> list[ComposeContainer]:
        """Every container of these services (default: all), whether it runs or not."""
        found = self.compose.get_containers(include_all=True)
        return [each for each in found if not services or each.Service in services]

    def names(self, service: str) -> list[str]:
        """The names of a service's containers, in order."""
        return sorted(each.Name or "" for each in self.ps(service))

    def inspect(self, container: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        (found,) = json.loads(docker("container", "inspect", container))
        return dict(found)

    def logs(self, *services: str, tail: int | None = None) -> str:
        """What containers have said (default: all)."""
        lines = () if tail is None else ("--tail", str(tail))
        return self.compose.do("--profile", "*", "logs", "--no-color", "--no-log-prefix", *lines, *services)

    def reports(self) -> list[dict[str, Any]]:
        """What the filler says it has brought to the relays: one report once they are filled, one at its end."""
        lines = self.logs("filler").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"')]

    def filled(self, limit_s: float = 120.0) -> dict[str, Any]:
        """Wait until the relays are filled and return the filler's report of it."""
        self.until("the filler's report", lambda: bool(self.reports()), limit_s)
        return self.reports()[0]

    async def wait_archived(self, report: Mapping[str, Any], limit_s: float = 120.0) -> None:
        """Wait until as many events and pairs are archived as a report of the filler counts."""
        await self.archive.until_counts(report["events"], report["pairs"], limit_s)

    def until(self, what: str, condition: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Wait for a condition. The limit is far above what is normal: it only ends a test that would hang."""
        wait_until(condition, what, limit_s, POLL_S)

    def tails(self) -> str:
        """How each container is, and what it said last; never a failure of its own."""
        try:
            states = [f"{each.Name}: {each.State} {each.Health} (exit code {each.ExitCode})" for each in self.ps()]
            said = self.compose.do("--profile", "*", "logs", "--no-color", "--timestamps", "--tail", str(TAIL_LINES))
        except DockerError as error:
            return f"nothing can be said of the containers: {error}"
        return "\n".join([*sorted(states), said])

    def down(self) -> None:
        """Remove everything, the data too."""
        self.compose.do("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5", timeout_s=STOP_S)


@contextmanager
def running_stack(folder: Path, **variables: str) -> Iterator[Stack]:
    """A stack that is not up yet, and of which nothing is left at the end."""
    stack = Stack(folder, **variables)
    last_words[stack.project] = stack.tails
    try:
        yield stack
    except BaseException:
        log.warning("%s", stack.tails())  # a failed fixture is reported after this has removed all
        raise
    finally:
        del last_words[stack.project]
        stack.down()
