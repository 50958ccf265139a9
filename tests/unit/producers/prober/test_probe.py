"""A probe of a relay: the order of its checks, its attempts, its verdict, and that nothing of it stays open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from core.settings import Settings
from producers.prober.means import Means, open_means
from producers.prober.probe import probe
from schemas.nostr.signature import public_key
from schemas.records.probe import ProbeRecord
from tests.relays.hostile import Refusal
from tests.relays.local_relay import local_relay
from tests.relays.stubborn import Way, stubborn
from tests.unit.producers.prober.speaking import KEY, PROMPT, Speaking, Speech, says, signed, target
from tests.waiting import until

PATIENT, HASTY = (dict.fromkeys(("open_timeout_s", "read_timeout_s", "nip11_timeout_s"), time) for time in (30.0, 1.0))
"""For relays that answer, and for what is silent."""


@asynccontextmanager
async def means(*, write: bool = False, key: bool = False, hasty: bool = False) -> AsyncIterator[Means]:
    settings = Settings.model_validate(
        {
            "prober": (HASTY if hasty else PATIENT) | {"write": write, "retry_s": 0.1},
            "monitor": {"key": KEY.get_secret_value()} if key else {},
        }
    )
    async with open_means(settings) as opened:
        yield opened


async def probed(url: str, *, full: bool = False, **options: bool) -> ProbeRecord:
    async with means(**options) as opened:
        return (await probe(target(url), opened, full=full)).record


VERDICTS: dict[str, tuple[Speaking, tuple[str, str | None, int]]] = {
    "works": (Speaking(speeches=PROMPT), ("works", None, 1)),
    "AUTH-only": (
        Speaking(speeches={"REQ": says(["CLOSED", None, "auth-required: who?"])}),
        ("refused_by_policy", "auth", 1),
    ),
    "forbidden": (Speaking(refuse=lambda _: (HTTPStatus.FORBIDDEN, {})), ("refuses_us", "forbidden", 1)),
    "echo": (Speaking(echo=True), ("not_nostr", None, 1)),
    "silent": (Speaking(speeches={"REQ": says()}), ("broken", "silent", 2)),
    "redirecting": (
        Speaking(refuse=lambda _: (HTTPStatus.FOUND, {"Location": "/elsewhere"})),
        ("broken", "redirect", 2),
    ),
    "leaves at once": (Speaking(drop_after_accept=True), ("broken", "read", 2)),
}

SILENT = ("echo", "silent")


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", VERDICTS)
async def test_a_relay_is_what_it_is(name: str, full: bool) -> None:
    relay, expected = VERDICTS[name]
    async with relay:
        record = await probed(relay.url, full=full, hasty=name in SILENT)
        await until(lambda: not relay.sockets, "the sockets of the probe to be closed")
    assert (record.verdict, record.cause, record.attempts) == expected
    assert (record.is_full, record.url, record.by) == (full, relay.url, None)
    assert ProbeRecord.decode(record.encode()) == record


async def test_a_relay_that_fails_once_works() -> None:
    refusals: list[Refusal] = [(HTTPStatus.BAD_GATEWAY, {})]
    async with Speaking(refusals=refusals) as relay:
        record = await probed(relay.url)
    assert (record.verdict, record.attempts) == ("works", 2)


@pytest.mark.slow
@pytest.mark.parametrize("way", [Way.NO_READING, Way.NO_CLOSE, Way.NO_END, Way.NO_HANDSHAKE, Way.NO_TLS])
async def test_a_relay_that_does_not_let_go_is_left(way: Way) -> None:
    async with stubborn(way, {}) as relay:
        record = await probed(relay.url, hasty=way in (Way.NO_HANDSHAKE, Way.NO_TLS))
        expected = {Way.NO_HANDSHAKE: "handshake", Way.NO_TLS: "tls"}.get(way)
        assert record.cause == expected


async def test_a_full_probe_observes_and_writes() -> None:
    async with local_relay() as url:
        record = await probed(url, full=True, write=True, key=True)
    assert record.verdict == "works"
    assert record.checks.write is not None
    assert record.checks.write.ok
    assert record.by == public_key(bytes.fromhex(KEY.get_secret_value()))
    assert (record.observed.auth_required, record.observed.counts, record.observed.reconciles) == (False, True, True)


async def test_nothing_is_written_unless_that_is_set() -> None:
    async with Speaking(speeches=PROMPT) as relay:
        for options in ({"write": True}, {"key": True}, {}):
            record = await probed(relay.url, full=True, **options)
            assert record.checks.write is None
        short = await probed(relay.url, write=True, key=True)
        assert short.checks.write is None
    assert not relay.of("EVENT")


@pytest.mark.slow
async def test_nothing_is_written_to_what_is_no_relay() -> None:
    heard: list[str] = []

    async def foreign(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        heard.append(message[0])
        await websocket.send("what?")

    async with Speaking(speeches=dict.fromkeys(("REQ", "EVENT"), foreign)) as relay:
        record = await probed(relay.url, full=True, write=True, key=True, hasty=True)
    assert record.verdict == "not_nostr"
    assert "EVENT" not in heard


async def test_a_relay_that_demands_work_refuses_by_policy() -> None:
    speeches: dict[str, Speech] = {**PROMPT, "EVENT": says(["OK", None, False, "pow: 28 bits needed"])}
    async with Speaking(speeches=speeches) as relay:
        record = await probed(relay.url, full=True, write=True, key=True)
    assert (record.verdict, record.cause, record.detail) == ("refused_by_policy", "pow", "pow: 28 bits needed")


async def test_the_document_is_kept_and_what_it_says_of_writing_is_heeded() -> None:
    document = {"name": "paid", "limitation": {"payment_required": True}}
    async with Speaking(document=document, speeches=PROMPT) as relay, means(write=True, key=True) as opened:
        record, kept = await probe(target(relay.url), opened, full=True)
    assert kept is not None
    assert json.loads(kept.text) == document
    assert record.checks.nip11 is not None
    assert record.checks.nip11.document == kept.hash
    assert (record.verdict, record.cause) == ("refused_by_policy", "payment")
    assert not relay.of("EVENT")


async def test_a_short_probe_asks_for_no_document() -> None:
    async with Speaking(document={"name": "x"}) as relay, means() as opened:
        record, kept = await probe(target(relay.url), opened, full=False)
    assert kept is None
    assert record.checks.model_dump(exclude_none=True).keys() == {"open", "read"}
    assert relay.connections == 1


async def test_a_relay_with_an_event_is_measured() -> None:
    async with Speaking(speeches={"REQ": says(["EVENT", None, signed()])}) as relay:
        record = await probed(relay.url)
    assert record.checks.open is not None
    assert record.checks.read is not None
    assert record.checks.open.took_ms is not None
    assert record.checks.read.ended_by == "EVENT"
    assert record.observed.clock_difference_s is not None


async def test_a_probe_that_is_cancelled_leaves_no_socket() -> None:
    asked = asyncio.Event()

    async def silent(relay: Speaking, websocket: ServerConnection, message: list[Any]) -> None:
        asked.set()

    async with Speaking(speeches={"REQ": silent}) as relay, means() as opened:
        task = asyncio.create_task(probe(target(relay.url), opened, full=True))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not relay.sockets, "the socket of the probe to be closed")


async def test_hostile_words_stay_one_short_line() -> None:
    words = "error: \x00\x1b[31m\n" + "x" * 5000
    async with Speaking(speeches={"REQ": says(["CLOSED", None, words], ["NOTICE", words])}) as relay:
        record = await probed(relay.url)
    assert record.detail is not None
    assert record.detail.isprintable()
    assert len(record.encode()) < 4096
