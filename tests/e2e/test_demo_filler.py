"""Relays and filler apart: the same events as in one process, an exact account whatever ends meanwhile."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve

from deploy.demo.events import authors, generate
from deploy.demo.offer import Offer
from deploy.demo.relay_feeder import RelayFeeder
from tests.relays.client import stored
from tests.relays.demo_parts import RELAY, Relay, demo_filler, demo_relay
from tests.relays.demo_process import demo_relays
from tests.waiting import until

pytestmark = pytest.mark.e2e

BASE_S = 1_767_225_600  # as in deploy/compose.yaml; what expires does so ten years later
END_S = 5.0  # a relay has nothing to save and waits for no client; these stay until the test is over


async def _until_it_holds(relay: Relay, count: int) -> None:
    async def holds() -> bool:
        return len(await stored(relay.url)) >= count

    await until(holds, f"{count} events at {relay.url}")


def _url(server: Server) -> str:
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def test_a_filler_deals_the_events_that_one_process_with_its_relays_deals() -> None:
    plan = {"events": 1500, "copies": 1.5, "seed": 3, "base_time_s": BASE_S}
    with demo_relays(relays=2, **plan) as demo:
        together = demo.offer
    with demo_relay() as one, demo_relay() as two, demo_filler(one.url, two.url, for_s=0, **plan) as filler:
        apart, last = filler.line(), filler.line()
        assert filler.exit_code() == 0
    assert apart.pop("ready")
    assert last.pop("ended")
    assert apart == last, "there was no trickle"
    assert apart["urls"] == [one.url, two.url]
    assert (apart["events"], apart["refused"]) == (1500, 0), apart["refusals"]
    assert apart["digest"]["events"] == together["digest"]["events"]
    assert list(apart["per_relay"].values()) == list(together["per_relay"].values())


async def test_relays_that_do_not_listen_yet_are_waited_for() -> None:
    with demo_relay() as before:
        before.kill()
        with demo_filler(before.url, events=300, copies=1) as filler:
            await asyncio.sleep(1.5)
            with demo_relay(before.port) as relay:
                assert filler.line()["per_relay"] == {relay.url: 300}
                assert len(await stored(relay.url)) == 300
                assert filler.ended() == 0, "without a trickle it stays too"
                assert filler.line()["ended"]


async def test_a_killed_filler_that_starts_again_ends_with_the_same_account() -> None:
    plan = {"events": 1500, "copies": 1, "seed": 5, "base_time_s": BASE_S}
    held_up = asyncio.Event()

    async def hands_on_500(socket: ServerConnection) -> None:
        async with connect(relay.url, proxy=None) as behind:
            for _ in range(500):
                await behind.send(await socket.recv())
                await socket.send(await behind.recv())
            held_up.set()
            await socket.wait_closed()

    with demo_relay() as relay:
        async with serve(hands_on_500, "127.0.0.1", 0) as before_it:
            with demo_filler(_url(before_it), **plan) as filler:
                await asyncio.wait_for(held_up.wait(), 30)
                filler.kill()
        assert len(await stored(relay.url)) == 500
        accounts = []
        for _ in range(2):
            with demo_filler(relay.url, trickle_per_s=50, **plan) as filler:
                account = filler.line()
                assert account["refused"] == 0, account["refusals"]
                accounts.append((account["events"], account["pairs"], account["digest"]))
                await _until_it_holds(relay, len(await stored(relay.url)) + 1)  # the trickle flows
                assert filler.ended() == 0
                assert filler.line()["events"] > 1500
        assert accounts[0] == accounts[1]
        with demo_relay() as fresh, demo_filler(fresh.url, **plan) as filler:
            assert filler.line()["digest"]["events"] == accounts[0][2]["events"]


async def test_a_relay_that_dies_during_the_trickle_is_gone_on_with_when_it_is_back() -> None:
    with ExitStack() as stack:
        steady, mortal = (stack.enter_context(demo_relay()) for _ in range(2))
        filler = stack.enter_context(demo_filler(steady.url, mortal.url, events=200, copies=2, trickle_per_s=50))
        assert filler.line()["per_relay"] == {steady.url: 200, mortal.url: 200}
        mortal.kill()
        away_from = len(await stored(steady.url))
        await _until_it_holds(steady, away_from + 50)  # the other relay is not held up
        back = stack.enter_context(demo_relay(mortal.port))
        await _until_it_holds(back, 50)  # and this one gets what it was owed meanwhile
        assert filler.ended() == 0
        account = filler.line()
        assert account["refused"] == 0, account["refusals"]
        assert account["per_relay"] == {steady.url: account["events"], mortal.url: account["events"]}
        assert len(await stored(steady.url)) == account["events"]


async def test_an_end_is_in_time_although_a_relay_never_was_there() -> None:
    with demo_relay() as relay, demo_filler(relay.url, "ws://127.0.0.1:1", events=100, copies=2) as filler:
        await _until_it_holds(relay, 100)
        began_s = time.monotonic()
        assert filler.ended() == 0
        assert time.monotonic() - began_s < 5
        last = filler.line()
        assert last["ended"]
        assert last["per_relay"] == {relay.url: 100, "ws://127.0.0.1:1": 0}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_relay_ends_at_once_with_clients_connected(number: int) -> None:
    with demo_relay() as relay:
        async with connect(relay.url, proxy=None) as socket:
            await socket.send('["REQ","all",{}]', text=True)
            assert orjson.loads(await socket.recv())[0] == "EOSE"
            began_s = time.monotonic()
            assert await asyncio.to_thread(relay.ended, number) == 0
            assert time.monotonic() - began_s < END_S


def test_a_taken_port_is_named() -> None:
    with demo_relay() as relay:
        command = [*RELAY, "--host", "0.0.0.0", "--port", str(relay.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: cannot listen on 0.0.0.0, port {relay.port}: ")
    assert done.stderr.endswith("choose another --port\n")


async def test_an_event_whose_answer_got_lost_is_sent_again_and_counted_once() -> None:
    events = generate(30, seed=1, base_time_s=BASE_S)
    taken: list[str] = []

    async def forgetful(socket: ServerConnection) -> None:
        async for frame in socket:
            event_id = orjson.loads(frame)[1]["id"]
            taken.append(event_id)
            if len(taken) == 20:  # it has stored this one, and does not say so
                socket.transport.abort()
                return
            await socket.send(orjson.dumps(["OK", event_id, True, ""]).decode())

    async with serve(forgetful, "127.0.0.1", 0) as server:
        url = _url(server)
        offer = Offer([url])
        door = RelayFeeder(url, authors(1), offer)
        running = asyncio.create_task(door.run())
        door.hand(events)
        await asyncio.wait_for(door.empty.wait(), 30)
        running.cancel()
    assert len(taken) > 30
    assert offer.per_relay[url] == 30
    assert offer.report()["refused"] == 0


async def test_a_relay_that_is_back_is_waited_for_from_its_first_answer_on() -> None:
    events = generate(2, seed=1, base_time_s=BASE_S)
    first, rest = asyncio.Event(), asyncio.Event()

    async def slow(socket: ServerConnection) -> None:
        async for frame in socket:
            await socket.send(orjson.dumps(["OK", orjson.loads(frame)[1]["id"], True, ""]).decode())
            first.set()
            await rest.wait()

    async with serve(slow, "127.0.0.1", 0) as before:
        url = _url(before)
    offer = Offer([url])
    door = RelayFeeder(url, authors(1), offer)
    running = asyncio.create_task(door.run())
    door.hand(events)
    await asyncio.wait_for(door.quiet.wait(), 30)
    assert not door.empty.is_set(), "it is away"
    async with serve(slow, "127.0.0.1", urlsplit(url).port):
        await asyncio.wait_for(first.wait(), 30)
        await until(lambda: offer.per_relay[url], "the answer to the first event")
        is_waited_for = not door.quiet.is_set()
        rest.set()
        await asyncio.wait_for(door.empty.wait(), 30)
        running.cancel()
    assert is_waited_for, "it has the second event, too, and had not said so"
    assert offer.per_relay[url] == 2


async def test_what_a_relay_is_owed_while_it_is_away_has_a_bound() -> None:
    events = generate(30, seed=1, base_time_s=BASE_S)
    with demo_relay() as relay:
        relay.kill()
        offer = Offer([relay.url])
        door = RelayFeeder(relay.url, authors(1), offer, most_owed=10)
        running = asyncio.create_task(door.run())
        door.hand(events[:10])
        await asyncio.wait_for(door.quiet.wait(), 30)
        door.hand(events[10:20])
        with demo_relay(relay.port):
            await asyncio.wait_for(door.empty.wait(), 30)
            door.hand(events[20:])
            await asyncio.wait_for(door.empty.wait(), 30)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert offer.report()["events"] == 20
