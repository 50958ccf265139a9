"""Crashes at the worst moment: a container's first process is killed while there is work in hand."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tests.containers.engine import docker
from tests.containers.flowing.asking import status
from tests.containers.stack import Stack

log = logging.getLogger(__name__)

WORK_S = 180  # until there is work again: after a crash of the broker 20 s, and minutes where much else runs

# Asked and done in one process, since a container takes longer to start than a batch to be written.
_STRIKE = """
import json, os, signal, sys, time, urllib.request
pid, key, limit_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
deadline = time.monotonic() + limit_s
while time.monotonic() < deadline:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8080/status", timeout=5) as answer:
            in_hand = json.load(answer)["details"].get(key)
    except OSError:  # the service starts
        continue
    if in_hand:
        os.kill(pid, signal.SIGKILL)
        print(in_hand)
        break
"""


@dataclass(frozen=True)
class Crash:
    """Whom to kill, and when: as soon as the service `witness` tells of something under `in_hand` in its /status."""

    victim: str
    witness: str
    in_hand: str


def strike(stack: Stack, crash: Crash) -> int:
    """Kill, see the restart policy start the container again, and return how much was in hand.

    `docker kill` would be a wish to stop, which no policy undoes.
    """
    (victim,), (witness,) = stack.names(crash.victim), stack.names(crash.witness)
    before = stack.inspect(victim)
    # From a container, since the user that runs the tests need not be root on this machine.
    said = docker(
        "run", "--rm", "--pid", "host", "--network", f"container:{witness}", "--user", "0", "--entrypoint", "python",
        stack.variables["BIGBROTR_IMAGE"], "-c", _STRIKE, str(before["State"]["Pid"]), crash.in_hand, str(WORK_S),
        timeout_s=WORK_S + 30,
    )  # fmt: skip
    assert said, f"{crash.witness} had nothing in hand for {WORK_S} s: to kill {crash.victim} proves nothing"

    def is_back() -> bool:
        now = stack.inspect(victim)
        return bool(now["State"]["Running"]) and now["RestartCount"] == before["RestartCount"] + 1

    stack.until(f"{victim} was started again by its restart policy", is_back)
    log.warning("%s was killed when %s had %s %s", crash.victim, crash.witness, said, crash.in_hand)
    return int(said)


def wait_for_work(stack: Stack) -> None:
    """Wait until the sink has read events that are not rows yet."""
    (sink,) = stack.names("sink")
    stack.until("the sink has work in hand", lambda: status(sink)["details"].get("open_events", 0) > 0, WORK_S)
