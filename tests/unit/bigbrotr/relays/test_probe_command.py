"""`bigbrotr probe`: what it prints of relays that work and of others, without any server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from http import HTTPStatus
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.asyncio.server import ServerConnection

from bigbrotr.cli import cli
from bigbrotr.console.probe_view import probe_lines
from schemas.records.probe import (
    Checks,
    DnsCheck,
    NetCheck,
    Nip11Check,
    Observed,
    OpenCheck,
    ProbeRecord,
    ReadCheck,
    SslCheck,
    WriteCheck,
)
from schemas.relay_urls.relay_url import Network
from tests.relays.hostile import Hostile, say
from tests.unit.producers.prober.speaking import PROMPT, Speaking

SOME_DO_NOT, USAGE = 3, 2
TIMEOUTS = {f"BIGBROTR_PROBER__{name}_TIMEOUT_S": "5" for name in ("OPEN", "READ", "NIP11", "DNS", "SSL")}


async def command(*arguments: str, **environment: str) -> tuple[int | None, list[str], str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bigbrotr", "probe", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | TIMEOUTS | environment,
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    return process.returncode, out.decode().splitlines(), err.decode()


@pytest.mark.slow
async def test_relays_that_work_are_shown_with_each_check() -> None:
    async with Speaking(speeches=PROMPT) as one, Speaking(speeches=PROMPT) as other:
        code, lines, told = await command("--allow-private", one.url, other.url, one.url)
    assert code == 0, told
    assert {line for line in lines if not line.startswith(" ")} == {f"{one.url}  works", f"{other.url}  works"}
    assert [line.split()[0] for line in lines if line.startswith(" ")].count("open") == 2
    assert "2 of 2 relays work" in told


@pytest.mark.slow
async def test_a_line_of_json_is_the_record() -> None:
    async with Speaking(speeches=PROMPT) as works, Hostile(refuse=lambda _: (HTTPStatus.FORBIDDEN, {})) as refuses:
        code, lines, _ = await command("--json", "--allow-private", works.url, refuses.url)
    assert code == SOME_DO_NOT
    found = {line["url"]: line for line in map(json.loads, lines)}
    assert {url: line["verdict"] for url, line in found.items()} == {works.url: "works", refuses.url: "refuses_us"}
    for line in found.values():
        record = ProbeRecord.model_validate(line)
        assert (record.is_full, record.attempts) == (True, 1)
        assert "document" in line


@pytest.mark.slow
@pytest.mark.parametrize(("host", "at_once"), [("127.0.0.2", "1"), ("127.0.0.1", "100")])
async def test_relays_are_probed_one_of_a_host_and_no_more_than_set(host: str, at_once: str) -> None:
    most = 0

    async def count(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        nonlocal most
        most = max(most, one.sockets + other.sockets)
        await say(websocket, "EOSE", message[1])

    speeches = {**PROMPT, "REQ": count}
    async with Speaking(speeches=speeches) as one, Speaking(speeches=speeches, host=host) as other:
        urls = (one.url, other.url)
        code, _, told = await command("--allow-private", *urls, BIGBROTR_PROBER__AT_ONCE=at_once)
    assert code == 0, told
    assert most == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "Missing argument 'URL...'"),
        (("http://relay.example",), "http://relay.example: scheme: must be ws or wss"),
        (("relay.example",), "relay.example: url: must begin with ws:// or wss://"),
        (("ws://127.0.0.1:7777",), "--allow-private lets it through"),
    ],
)
def test_what_is_no_relay_is_named_and_nothing_probed(arguments: tuple[str, ...], expected: str) -> None:
    done = CliRunner().invoke(cli, ["probe", *arguments])
    assert (done.exit_code, done.stdout) == (USAGE, "")
    assert expected in done.stderr


def test_each_check_has_a_line_with_what_there_is_to_say() -> None:
    record = ProbeRecord(
        url="wss://relay.example",
        network=Network.CLEARNET,
        is_full=True,
        verdict="refused_by_policy",
        cause="pow",
        detail="pow: 28 bits needed",
        checks=Checks(
            open=OpenCheck(ok=True, took_ms=1234, address="192.0.2.1"),
            read=ReadCheck(ok=True, took_ms=5, ended_by="EVENT", is_nostr=True),
            write=WriteCheck(ok=False, accepted=False, words="pow: \x1b[31m28", error="refused the event"),
            nip11=Nip11Check(ok=False, status=404, error="the answer is HTTP 404"),
            ssl=SslCheck(ok=False, problem="expired", names=("a.example", "b.example")),
            dns=DnsCheck(ok=True, a=("192.0.2.1",), ttl_s=60),
            net=NetCheck(ok=True, asn=64496, organization="Example"),
        ),
        observed=Observed(counts=True, hints=False, largest_page=500),
        probed_at_ms=0,
    )
    assert list(probe_lines(record)) == [
        "wss://relay.example  refused by policy (pow): pow: 28 bits needed",
        "  open   ok 1,234 ms, address 192.0.2.1",
        "  read   ok 5 ms, ended_by EVENT",
        "  write  failed: refused the event, accepted no, words pow: \\x1b[31m28",
        "  nip11  failed: the answer is HTTP 404, status 404",
        "  ssl    failed, problem expired, names a.example b.example",
        "  dns    ok, a 192.0.2.1, ttl_s 60",
        "  net    ok, asn 64496, organization Example",
        "  seen   counts yes, hints no, largest_page 500",
    ]
