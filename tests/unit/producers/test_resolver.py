"""Names: a slow name server costs its own domain only, and what it said last serves while it says nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import psutil
import pytest

from producers.addresses.address_guard import AddressRefusedError, allowed_addresses
from producers.addresses.dns_client import DnsClient
from producers.addresses.last_addresses import LastAddresses
from producers.addresses.resolver import MOST_OF_DOMAIN, Resolver, open_resolver
from tests.relays.dns_server import NameServer, name_server
from tests.waiting import until

HONEST = {"relay.honest.example": ["8.8.8.8"]}
LONG_S = 60.0
"""A look-up that no test waits for."""
SHORT_S = 0.05
"""One that a test lets time out: its name server says nothing, however long it is asked."""
DAY_NS = 24 * 3600 * 1_000_000_000


@asynccontextmanager
async def asked(names: list[str], resolver: Resolver) -> AsyncIterator[list[asyncio.Task[list[str]]]]:
    """Look names up beside a block."""
    tasks = [asyncio.create_task(resolver.addresses(name)) for name in names]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def all_asked(server: NameServer, names: list[str]) -> bool:
    return all(server.asked[name] for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("number", [16, 200])
async def test_an_honest_name_is_answered_while_slow_ones_are_waited_for(number: int) -> None:
    slow = [f"relay.slow-{each}.example" for each in range(number)]
    async with (
        name_server(HONEST, set(slow)) as server,
        open_resolver([server.address], LONG_S) as resolver,
        asked(slow, resolver) as tasks,
    ):
        await until(partial(all_asked, server, slow), "the slow names are asked for")
        assert await resolver.addresses("relay.honest.example") == ["8.8.8.8"]
        assert not any(task.done() for task in tasks)


async def test_a_slow_domain_has_four_look_ups_in_flight_and_the_others_have_their_turn_after_them() -> None:
    slow = [f"relay-{each}.slow.example" for each in range(6)]
    answers = HONEST | {"*.slow.example": ["9.9.9.9"]}
    async with (
        name_server(answers, {"*.slow.example"}) as server,
        open_resolver([server.address], LONG_S) as resolver,
        asked(slow, resolver) as tasks,
    ):
        await until(partial(all_asked, server, slow[:MOST_OF_DOMAIN]), "four are asked for")
        assert await resolver.addresses("relay.honest.example") == ["8.8.8.8"]
        assert not any(server.asked[name] for name in slow[MOST_OF_DOMAIN:])
        server.speak()
        assert await asyncio.gather(*tasks) == [["9.9.9.9"]] * 6


async def test_two_hundred_names_of_one_domain_wait_for_their_turn_and_have_it() -> None:
    names = [f"relay-{each}.hosted.example" for each in range(200)]
    async with name_server({"*.hosted.example": ["9.9.9.9"]}) as server, open_resolver([server.address]) as resolver:
        assert await asyncio.gather(*map(resolver.addresses, names)) == [["9.9.9.9"]] * 200


async def test_a_name_that_waits_for_its_turn_in_vain_is_not_asked_for() -> None:
    given_up, later = "relay-4.slow.example", "relay-5.slow.example"
    slow = [f"relay-{each}.slow.example" for each in range(4)]
    answers = {"*.slow.example": ["9.9.9.9"]}
    async with name_server(answers, {"*.slow.example"}) as server, open_resolver([server.address], LONG_S) as resolver:
        async with asked(slow, resolver):
            await until(partial(all_asked, server, slow), "four are asked for")
            tasks = len(asyncio.all_tasks())
            async with asked([given_up], resolver):
                await asyncio.sleep(0)
            await until(lambda: len(asyncio.all_tasks()) == tasks, "nothing waits for it any more")
            async with asked([later], resolver) as (task,):
                server.speak()
                assert await task == ["9.9.9.9"]
        assert server.asked[given_up] == 0


async def test_names_asked_for_at_once_share_a_look_up_that_outlives_who_asked_first() -> None:
    name = "relay.honest.example"
    async with name_server(HONEST, {name}) as server, open_resolver([server.address], LONG_S) as resolver:
        async with asked([name] * 2, resolver) as (first, second):
            await until(lambda: server.asked[name], "the question")
            first.cancel()
            await asyncio.wait({first})
            third = asyncio.create_task(resolver.addresses(name))
            server.speak()
            assert await second == await third == ["8.8.8.8"]
        assert server.asked[name] == 2  # once for each family


async def test_a_time_out_says_so_and_how_long_it_was() -> None:
    async with name_server({}, {"relay.slow.example"}) as server, open_resolver([server.address], SHORT_S) as resolver:
        with pytest.raises(socket.gaierror, match=r"no answer from the name servers within 0\.05 s") as error:
            await resolver.addresses("relay.slow.example")
        assert error.value.errno == socket.EAI_AGAIN


class Names:
    """What name servers say of each name, or raise."""

    def __init__(self, **said: list[str] | Exception) -> None:
        self.said = said

    async def ask(self, host: str) -> list[str]:
        said = self.said[host]
        if isinstance(said, Exception):
            raise said
        return said


NO_SUCH_NAME = socket.gaierror(socket.EAI_NONAME, "no such name")
FAILURE = socket.gaierror(socket.EAI_FAIL, "name server failure")


async def test_the_last_addresses_serve_after_a_time_out_and_are_judged_again() -> None:
    names = Names(mixed=["10.0.0.1", "8.8.8.8"], hidden=["10.0.0.1"])
    look_up = partial(allowed_addresses, resolve=Resolver(names.ask).addresses)
    for _ in ("answered", "timed out"):
        assert await look_up("mixed", allow_private=False) == ["8.8.8.8"]
        assert await look_up("mixed", allow_private=True) == ["10.0.0.1", "8.8.8.8"]
        with pytest.raises(AddressRefusedError, match=r"hidden resolves to 10\.0\.0\.1, no public address"):
            await look_up("hidden", allow_private=False)
        names.said = dict.fromkeys(names.said, TimeoutError())


async def test_the_last_addresses_are_those_of_the_last_answer() -> None:
    names = Names(moved=["8.8.8.8"])
    look_up = partial(allowed_addresses, resolve=Resolver(names.ask).addresses)
    assert await look_up("moved", allow_private=False) == ["8.8.8.8"]
    names.said["moved"] = ["127.0.0.1"]
    for _ in ("answered", "timed out"):
        with pytest.raises(AddressRefusedError):
            await look_up("moved", allow_private=False)
        names.said["moved"] = TimeoutError()


async def test_the_last_addresses_do_not_serve_after_another_error_nor_at_all_once_the_name_was_denied() -> None:
    names = Names(relay=["8.8.8.8"])
    resolver = Resolver(names.ask)
    await resolver.addresses("relay")
    names.said["relay"] = FAILURE
    with pytest.raises(socket.gaierror, match="name server failure"):
        await resolver.addresses("relay")
    names.said["relay"] = TimeoutError()
    assert await resolver.addresses("relay") == ["8.8.8.8"]
    names.said["relay"] = NO_SUCH_NAME
    with pytest.raises(socket.gaierror, match="no such name"):
        await resolver.addresses("relay")
    names.said["relay"] = TimeoutError()
    with pytest.raises(socket.gaierror, match="no answer"):
        await resolver.addresses("relay")


async def test_the_last_addresses_serve_for_a_day() -> None:
    names, now_ns = Names(relay=["8.8.8.8"]), 5
    resolver = Resolver(names.ask, now_ns=lambda: now_ns)
    await resolver.addresses("relay")
    names.said["relay"] = TimeoutError()
    now_ns += DAY_NS - 1
    assert await resolver.addresses("relay") == ["8.8.8.8"]
    now_ns += 1
    with pytest.raises(socket.gaierror, match="no answer"):
        await resolver.addresses("relay")


async def test_a_name_whose_domain_is_slow_has_its_last_addresses_without_a_turn() -> None:
    silent, unanswered = False, 0

    async def ask(host: str) -> list[str]:
        nonlocal unanswered
        if silent:
            unanswered += 1
            await asyncio.Event().wait()
        return ["8.8.8.8"]

    resolver = Resolver(ask, SHORT_S)
    names = [f"relay-{each}.hosted.example" for each in range(200)]
    await asyncio.gather(*map(resolver.addresses, names))
    silent = True
    assert await asyncio.gather(*map(resolver.addresses, names)) == [["8.8.8.8"]] * 200
    assert unanswered < len(names)
    await resolver.close()


def test_few_names_and_few_addresses_of_each_are_remembered() -> None:
    last = LastAddresses(lambda: 0)
    for number in range(10_001):
        last.put(f"relay-{number}", [f"10.{number // 256}.{number % 256}.{each}" for each in range(100)])
    assert (last.get("relay-0"), len(last.get("relay-1"))) == ([], 8)
    last.put("relay-1", ["8.8.8.8"])
    last.put("relay-0", [])
    assert (last.get("relay-1"), last.get("relay-2")) == (["8.8.8.8"], [])


async def test_both_families_and_hundreds_of_addresses_are_taken_and_a_few_kept() -> None:
    answers = {"both.example": ["8.8.8.8", "2001:4860:4860::8888"], "many.example": [f"10.0.0.{n}" for n in range(250)]}
    async with name_server(answers) as server, open_resolver([server.address]) as resolver:
        look_up = partial(allowed_addresses, resolve=resolver.addresses)
        assert set(await look_up("both.example", allow_private=False)) == {"8.8.8.8", "2001:4860:4860::8888"}
        assert len(await look_up("many.example", allow_private=True)) == 4
        with pytest.raises(AddressRefusedError, match="and 246 more, no public address"):
            await look_up("many.example", allow_private=False)


@pytest.mark.parametrize("carried", ["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::", "fe80::1"])
async def test_a_private_address_in_another_is_refused_of_a_name_too(carried: str) -> None:
    async with name_server({"evil.example": [carried]}) as server, open_resolver([server.address]) as resolver:
        with pytest.raises(AddressRefusedError):
            await allowed_addresses("evil.example", allow_private=False, resolve=resolver.addresses)


async def test_literal_addresses_and_the_hosts_file_ask_no_name_server() -> None:
    async with name_server({}) as server, open_resolver([server.address]) as resolver:
        look_up = partial(allowed_addresses, resolve=resolver.addresses, allow_private=True)
        assert await look_up("127.0.0.1") == ["127.0.0.1"]
        assert await look_up("::1") == ["::1"]
        assert "127.0.0.1" in await look_up("localhost")
        assert not server.asked


async def test_what_a_name_server_denies_or_fails_at_is_no_time_out() -> None:
    async with name_server({"empty.example": [], "failing.example": ["8.8.8.8"]}) as server:
        server.failing.add("failing.example")
        async with open_resolver([server.address]) as resolver:
            for name, number in [
                ("none.example", socket.EAI_NONAME),
                ("empty.example", socket.EAI_NONAME),
                ("failing.example", socket.EAI_FAIL),
                (f"{'x' * 64}.example", socket.EAI_FAIL),
            ]:
                with pytest.raises(socket.gaierror) as error:
                    await resolver.addresses(name)
                assert error.value.errno == number, name


@pytest.mark.slow
async def test_the_time_out_of_a_client_is_one() -> None:
    async with name_server({}, {"relay.slow.example"}) as server:
        client = DnsClient([server.address], tries=1)
        with pytest.raises(TimeoutError):
            await client.addresses("relay.slow.example")
        await client.close()


async def test_an_answer_is_not_kept_beyond_a_hundred_look_ups_whatever_its_ttl() -> None:
    process, name, both = psutil.Process(), "relay.honest.example", ["8.8.8.8", "2001:4860:4860::8888"]
    async with name_server({name: both, "*.other.example": both}, {"relay.slow.example"}) as server:
        server.ttl_s = 3600
        client = DnsClient([server.address])
        await client.addresses(name)
        threads = process.num_threads()
        await client.addresses(name)
        assert server.asked[name] == 2  # once for each family
        slow = asyncio.create_task(client.addresses("relay.slow.example"))
        for number in range(98):
            await client.addresses(f"relay-{number}.other.example")
        assert set(await client.addresses(name)) == set(both)
        assert server.asked[name] == 4
        slow.cancel()
        for number in range(1000):
            await client.addresses(f"relay-{number}.other.example")
        await until(lambda: process.num_threads() < threads + 5, "most of ten channels are destroyed")
        await client.close()


@pytest.mark.slow
async def test_a_client_that_is_closed_ends_all_that_it_was_asked_and_takes_no_more() -> None:
    async with name_server({}, {"*.slow.example"}) as server:
        client = DnsClient([server.address])
        tasks = [asyncio.create_task(client.addresses(f"relay-{number}.slow.example")) for number in range(150)]
        await until(lambda: len(server.asked) == 150, "all are asked for")
        await client.close()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(error) for error in ended} == {socket.gaierror}
        with pytest.raises(socket.gaierror, match="closed"):
            await client.addresses("relay.example")


@pytest.mark.slow
async def test_closing_ends_what_is_pending_and_leaves_no_thread() -> None:
    process = psutil.Process()
    slow = [f"relay-{each}.slow.example" for each in range(6)] + [f"relay.slow-{each}.example" for each in range(200)]
    async with name_server(HONEST, set(slow)) as server:
        async with open_resolver([server.address]) as resolver:
            # With a thread that ends with its channel, and one of pycares' own that ends channels as long as we live.
            await resolver.addresses("relay.honest.example")
            threads = process.num_threads()
        async with open_resolver([server.address], LONG_S) as resolver:
            tasks = [asyncio.create_task(resolver.addresses(name)) for name in slow]
            await until(partial(all_asked, server, slow[:4] + slow[6:]), "all that may are asked for")
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {str(error) for error in ended} == {"[Errno -4] the resolver is closed"}
        await until(lambda: process.num_threads() < threads, "the threads have ended")
