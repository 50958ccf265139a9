"""What a real name server says of a host, and what is made of one that fails, is silent or answers nonsense."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from producers.addresses.dns_client import DnsClient
from producers.prober.checks.dns import check_dns
from schemas.records.probe import MOST_VALUES, DnsCheck
from schemas.relay_urls.relay_url import normalize
from tests.relays.dns_server import NameServer, name_server, wire_name

LONG_S = 60.0
SHORT_S = 0.1
HOST = "relay.hosted.example.com"
URL = normalize(f"wss://{HOST}/path")


@asynccontextmanager
async def serving(answers: dict[str, list[str]] | None = None) -> AsyncIterator[tuple[NameServer, DnsClient]]:
    async with name_server(answers) as server:
        client = DnsClient([server.address], tries=1)
        try:
            yield server, client
        finally:
            await client.close()


async def ask(client: DnsClient, timeout_s: float = LONG_S) -> DnsCheck:
    found = await check_dns(URL, client, timeout_s)
    assert found is not None
    found.encode()
    return found


async def test_addresses_aliases_name_servers_and_the_time_they_hold_are_recorded() -> None:
    async with serving({"edge.example.net": ["9.9.9.10", "9.9.9.9", "2001:db8::1"]}) as (server, client):
        server.aliases[HOST] = "edge.example.net"
        server.servers["example.com"] = ["ns2.example.com", "NS1.example.com"]
        server.ttl_s = 300
        found = await ask(client)
    assert found.took_ms is not None
    assert found == DnsCheck(
        ok=True,
        took_ms=found.took_ms,
        a=("9.9.9.10", "9.9.9.9"),
        aaaa=("2001:db8::1",),
        cname=("edge.example.net",),
        ns=("ns1.example.com", "ns2.example.com"),
        ttl_s=300,
    )


async def test_one_family_is_enough_and_name_servers_need_not_be_known() -> None:
    async with serving({HOST: ["2001:db8::1"]}) as (_, client):
        found = await ask(client)
    assert (found.ok, found.error, found.a, found.aaaa, found.ns, found.ttl_s) == (
        True, None, (), ("2001:db8::1",), (), 0,
    )  # fmt: skip


async def test_a_name_that_is_not_there_has_no_address() -> None:
    async with serving() as (_, client):
        assert await ask(client) == DnsCheck(ok=False, error="the name has no address")


async def test_a_name_server_that_fails_is_said() -> None:
    async with serving({HOST: ["9.9.9.9"]}) as (server, client):
        server.failing.add(HOST)
        found = await ask(client)
    assert (found.ok, found.a) == (False, ())
    assert (found.error or "").startswith("host name: ")


async def test_a_name_server_that_is_silent_is_given_up_at_the_deadline() -> None:
    async with serving() as (server, client):
        server.silent |= {HOST, "example.com"}
        assert await ask(client, SHORT_S) == DnsCheck(ok=False, error="no answer within 0.1 s")


async def test_thousands_of_addresses_are_bounded_and_the_same_ones_each_time() -> None:
    many = [str(ip_address(0x08080000 + number)) for number in range(400)]
    async with serving({HOST: many}) as (server, client):
        first = await ask(client)
        server.answers[HOST] = many[::-1]
        second = await ask(client)
    assert len(first.a) == MOST_VALUES
    assert first.a == second.a


async def test_a_time_beyond_the_largest_is_none() -> None:
    async with serving({HOST: ["9.9.9.9"]}) as (server, client):
        server.ttl_s = 2**31
        assert (await ask(client)).ttl_s == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x81\x80",
        b"\x81\x80" + b"\xff" * 8,
        # A record whose name points at itself, one that is cut off, and an address of three bytes.
        b"\x81\x80\0\1\0\1\0\0\0\0" + wire_name(HOST) + b"\0\1\0\1" + b"\xc0\x2e\0\1\0\1\0\0\0\0\0\4\1\2\3\4",
        b"\x81\x80\0\1\0\1\0\0\0\0" + wire_name(HOST) + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0",
        b"\x81\x80\0\1\0\1\0\0\0\0" + wire_name(HOST) + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\3\1\2\3",
    ],
)
async def test_nonsense_is_no_answer(answer: bytes) -> None:
    async with serving() as (server, client):
        server.odd = {HOST: answer, "example.com": answer}
        found = await ask(client, SHORT_S)
    assert not found.ok
    assert found.error


async def test_names_of_hostile_bytes_are_cleaned() -> None:
    label = b"\x04a\x1b\x00\xff"
    alias = b"\xc0\x0c\0\5\0\1\0\0\0\0" + (len(label) + 1).to_bytes(2) + label + b"\0"
    address = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x08\x08\x08\x08"
    async with serving() as (server, client):
        server.odd = {HOST: b"\x81\x80\0\1\0\2\0\0\0\0" + wire_name(HOST) + b"\0\1\0\1" + alias + address}
        found = await ask(client, SHORT_S)
    assert found.cname == (r"a\027\000\255",)


@pytest.mark.parametrize("url", ["wss://8.8.8.8", "wss://[2001:4860:4860::8888]", f"ws://{'a' * 56}.onion"])
async def test_addresses_and_overlay_names_are_not_asked_for(url: str) -> None:
    async with serving() as (server, client):
        assert await check_dns(normalize(url), client, LONG_S) is None
    assert not server.asked


async def test_a_client_that_is_closed_says_so() -> None:
    async with serving() as (_, client):
        await client.close()
        assert (await ask(client)).error == "host name: the resolver is closed"
