"""Relays serve exactly what the demo says they do, and its process ends with the one that started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deploy.demo.events import generate
from schemas.digest import Digest
from schemas.nostr.event import encode_event, parse_event
from tests.relays.client import fill, stored
from tests.relays.demo_process import COMMAND, demo_relays
from tests.relays.local_relay import local_relay
from tests.relays.python_relay import python_relay

pytestmark = pytest.mark.e2e


async def test_the_report_is_what_the_relays_serve() -> None:
    with demo_relays(relays=2, events=700, copies=1.5, trickle_per_s=50, for_s=5) as demo:
        before, after = demo.offer, demo.trickle_ended()
        digest, ids = Digest(), set()
        for url in demo.urls:
            for event_id in await stored(url):
                digest.add_pair(event_id, url)
                if event_id not in ids:
                    digest.add_event(event_id)
                    ids.add(event_id)
    assert before["events"] == 700
    assert after["events"] > before["events"]
    assert after["digest"]["all"] == digest.hexdigest()
    assert after["digest"]["all"] != before["digest"]["all"]


async def test_both_implementations_keep_every_demo_event_unchanged(tmp_path: Path) -> None:
    events = generate(400, seed=1, base_time_s=int(time.time()))
    wanted = {event.id: encode_event(parse_event(event.wire)) for event in events}
    async with local_relay() as url:
        assert await fill(url, events) == {}
        assert {i: encode_event(parse_event(raw)) for i, raw in (await stored(url)).items()} == wanted
    with python_relay(tmp_path) as url:
        assert await fill(url, events) == {}
        assert {i: encode_event(parse_event(raw)) for i, raw in (await stored(url)).items()} == wanted


def test_the_relays_die_with_a_starter_that_is_killed() -> None:
    # A second child of the starter holds the write end of the pipe too, so the end of input alone would not tell.
    command = [*COMMAND, "--events", "10", "--relays", "2", "--copies", "1"]
    starter_code = (
        "import os, subprocess, sys, time\n"
        "read, write = os.pipe()\n"
        f"demo = subprocess.Popen({command!r}, stdin=read)\n"
        "sleeper = subprocess.Popen(['sleep', '60'], pass_fds=[write])\n"
        "print(demo.pid, sleeper.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter_code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        assert starter.stderr
        demo_pid, sleeper_pid = map(int, starter.stderr.readline().split())
        demo = psutil.Process(demo_pid)
        assert json.loads(starter.stdout.readline())["events"] == 10
        starter.kill()
        try:
            psutil.wait_procs([demo], timeout=60)
            assert not demo.is_running()
        finally:
            os.kill(sleeper_pid, signal.SIGKILL)
