"""The monitor finds each server to be what it is, again and again, and holds nothing of it afterwards."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from producers.prober.means import Means, open_means
from schemas.records.probe import ProbeRecord
from tests.environment import environment
from tests.relays.dns_server import name_server
from tests.relays.probed.case import Case, Ground, at
from tests.relays.probed.documents import BARE, BOMB
from tests.relays.probed.failing import CERTIFICATES, FAILING
from tests.relays.probed.foreign import FOREIGN
from tests.relays.probed.lying import LYING
from tests.relays.probed.member import Member, Page
from tests.relays.probed.policies import POLICIES, REFUSING
from tests.relays.probed.probing import faults, probed, probed_one, settings
from tests.relays.probed.serving import over_tls
from tests.relays.probed.whole import PROBED, ground, served
from tests.waiting import until

ROUNDS = 2
MOST_BYTES = 150 << 20
"""What the monitor may take (issue 16), of which its modules are a half."""
LIMIT_S = 120.0
"""Of what takes some ten seconds: it ends a test that would hang."""
POLL_S = 0.02


def sockets_to(ports: Collection[int | None]) -> list[Any]:
    """Those of this process that are open to these ports; those of the servers themselves are not."""
    open_ = psutil.Process().net_connections("inet")
    return [each for each in open_ if each.raddr and each.raddr.port in ports]


async def test_each_is_what_it_is_and_stays_so(tmp_path: Path) -> None:
    tasks = len(asyncio.all_tasks())
    async with ground(tmp_path) as on, served(on, PROBED) as urls:
        wrong: list[str] = []
        ports = {urlsplit(url).port for url in urls.values()} | {urlsplit(f"//{on.names.address}").port}
        for number in range(1, ROUNDS + 1):
            async with asyncio.timeout(LIMIT_S):
                outcomes = await probed(PROBED, urls, on.names.address)
            for name, case in PROBED.items():
                record = outcomes[name].record
                assert ProbeRecord.decode(record.encode()) == record
                found = faults(case.expected, record.model_dump(mode="json"))
                wrong += [f"\n{name}, probe {number}: {fault}" for fault in found]
            await until(lambda: not sockets_to(ports), "the end of the sockets of the probes")
        assert not wrong, "".join(wrong)
    await until(lambda: len(asyncio.all_tasks()) <= tasks, "the end of all that the probes began")


async def test_a_relay_that_comes_and_goes_is_what_it_is_at_the_time() -> None:
    async with Member() as relay, patient() as means:
        found = []
        for is_up in (True, False, True, False, True):
            relay.wall = None if is_up else Page(status=HTTPStatus.BAD_GATEWAY)
            record = await probed_one(relay.url, means, full=False)
            found.append((record.verdict, record.cause, record.attempts))
    assert found == [("works", None, 1), ("broken", "handshake", 2)] * 2 + [("works", None, 1)]


@asynccontextmanager
async def patient(nameserver: str = "127.0.0.1:1") -> AsyncIterator[Means]:
    """What probes are made with where nothing waits for a time-out."""
    async with open_means(settings(Case(at(Member), "works"), nameserver)) as means:
        yield means


class Trap:
    """A server that nothing is to connect to."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    def connected(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.transport.abort()


@asynccontextmanager
async def trap() -> AsyncIterator[Trap]:
    """Listen on the loopback, of either family."""
    laid = Trap()
    server = await asyncio.start_server(laid.connected, "127.0.0.1", 0)
    laid.port = server.sockets[0].getsockname()[1]
    other = None
    with suppress(OSError):
        other = await asyncio.start_server(laid.connected, "::1", laid.port)
    try:
        yield laid
    finally:
        for each in filter(None, (server, other)):
            each.close()
            await each.wait_closed()


PRIVATE = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "0.0.0.0", "::"]
"""All of these can lead to the loopback."""


async def test_no_url_and_no_name_leads_to_a_private_address() -> None:
    async with trap() as laid, name_server() as names, patient(names.address) as means:
        hosts = {f"[{address}]" if ":" in address else address for address in PRIVATE}
        for number, address in enumerate(PRIVATE):
            names.answers[f"n{number}.probed.example.com"] = [address]
            hosts.add(f"n{number}.probed.example.com")
        names.answers["all.probed.example.com"] = PRIVATE
        names.aliases["alias.probed.example.com"] = "all.probed.example.com"
        hosts |= {"all.probed.example.com", "alias.probed.example.com"}
        for scheme in ("ws", "wss"):
            for host in sorted(hosts):
                record = await probed_one(f"{scheme}://{host}:{laid.port}", means, allow_private=False)
                assert (record.verdict, record.cause) == ("broken", "address"), (host, record)
                assert record.checks.nip11 is not None
                assert not record.checks.nip11.ok
        assert not laid.connections


async def test_of_a_name_with_a_link_local_address_the_others_are_tried() -> None:
    """Also where a relay may have a private address: no server may have that one."""
    async with Member() as relay, name_server() as names, patient(names.address) as means:
        names.answers["both.probed.example.com"] = ["169.254.169.254", "fe80::1", "127.0.0.1"]
        record = await probed_one(relay.url.replace("127.0.0.1", "both.probed.example.com"), means)
        assert record.verdict == "works"
        assert record.checks.open is not None
        assert record.checks.open.address == "127.0.0.1"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_leads_anywhere(status: int) -> None:
    async with trap() as laid, patient() as means:
        for path in ("", "/inbox", "/inbox/"):
            for scheme in ("http", "ws"):
                away = Page(status=status, headers={"Location": f"{scheme}://127.0.0.1:{laid.port}{path}/"})
                async with Member(page=away, wall=away) as walled, Member(page=away) as open_:
                    record = await probed_one(walled.url + path, means)
                    assert (record.verdict, record.cause) == ("broken", "redirect")
                    record = await probed_one(open_.url + path, means)
                    assert record.verdict == "works"
                    assert record.checks.nip11 is not None
                    assert (
                        record.checks.nip11.error == f"a redirect to another URL, which is not followed (HTTP {status})"
                    )
        assert not laid.connections


PROBLEMS = {"expired": "expired", "not yet valid": "not_yet_valid", "for another host": "wrong_host"}
TRUSTED = Case(
    over_tls("valid.probed.example.com", lambda on: on.authority.sign("trusted", hosts=["valid.probed.example.com"])),
    "works",
    facts={"checks.ssl.ok": True, "checks.ssl.names": ["valid.probed.example.com"], "checks.dns.a": ["127.0.0.1"]},
)


def chosen() -> Iterator[tuple[str, Case]]:
    """A part of the servers for the command, which tries once, writes, and trusts their authority."""
    yield "trusted", TRUSTED
    for name, case in CERTIFICATES.items():
        yield name, case
    for name in ("paid, as its document says", "work that it did not tell of", "AUTH that is refused"):
        yield name, POLICIES[name]
    for name in ("403", "429 with a time", "a challenge with 200"):
        yield name, REFUSING[name]
    for name in ("no such name", "nothing listens", "404", "308 to itself", "a flood", "no proxy"):
        yield name, FAILING[name]
    yield "a limit", LYING["a limit of 5000, and a hundred are given"]
    yield "no relay", FOREIGN["much of something"]
    for name, case in BARE.items():
        if case.short is None:
            yield name, case
    yield from BOMB.items()


def command(on: Ground, urls: Mapping[str, str], log: Path) -> tuple[int, list[dict[str, Any]], int]:
    """Run it; its exit code, its lines, and the most memory that it was seen to take, in bytes."""
    chosen_settings = settings(Case(at(Member), "works", key=True, write=True), on.names.address)
    variables = environment(chosen_settings, SSL_CERT_FILE=str(on.authority.certificate))
    lines = log.with_suffix(".jsonl")
    with lines.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "bigbrotr", "probe", "--json", "--allow-private", *urls.values()],
            stdout=out,
            stderr=err,
            env=variables,
        )
        most = 0
        try:
            while process.poll() is None:
                with suppress(psutil.NoSuchProcess):
                    most = max(most, psutil.Process(process.pid).memory_info().rss)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_S)
        finally:
            process.kill()
    return process.returncode, [json.loads(line) for line in lines.read_bytes().splitlines()], most


async def test_the_command_finds_the_same_within_bounded_memory(tmp_path: Path) -> None:
    cases = dict(chosen())
    async with ground(tmp_path) as on, served(on, cases) as urls:
        on.names.answers["*.at.probed.example.com"] = ["127.0.0.1"]
        # Each has a name of its own, since one of each host is probed at a time.
        named = {
            name: url.replace("127.0.0.1", f"n{number}.at.probed.example.com")
            for number, (name, url) in enumerate(urls.items())
        }
        code, lines, most = await asyncio.to_thread(command, on, named, tmp_path / "log")
    told = (tmp_path / "log").read_text()
    assert code == 3, told
    records = {line["url"]: line for line in lines}
    wrong = [
        f"\n{name}: {fault}"
        for name, case in cases.items()
        for fault in faults(case.expected | {"attempts": 1} | _problem(name), records[named[name]])
    ]
    assert not wrong, "".join(wrong)
    assert all(line["document"] is None for line in lines if not line["checks"]["nip11"]["ok"])
    assert "Traceback" not in told
    assert most < MOST_BYTES


def _problem(name: str) -> dict[str, object]:
    return {"checks.ssl.problem": PROBLEMS[name]} if name in PROBLEMS else {}
