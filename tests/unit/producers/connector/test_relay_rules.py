"""The small rules around a relay: messages, budget, refusals, addresses, places, AUTH."""

from __future__ import annotations

import asyncio
import gc

import orjson
import pytest

from producers.addresses.address_guard import AddressRefusedError, allowed_addresses
from producers.connector.connection_limits import ConnectionLimits, Place
from producers.connector.reading.budget import Budget
from producers.relay_client.auth import auth_message
from producers.relay_client.refusals import (
    HOUR_S,
    LONGEST_RETRY_AFTER_S,
    refused_by_relay,
    refused_upgrade,
    retry_after_s,
)
from schemas.nostr.event import event_from_object
from schemas.nostr.event_id import id_form
from schemas.nostr.messages import (
    Auth,
    Closed,
    Eose,
    Garbage,
    Message,
    Notice,
    Ok,
    Unknown,
    parse_message,
    prefix_of,
    unwrapped,
)
from schemas.nostr.signature import verify
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import normalize


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b'["EOSE","a"]', Eose("a", frozenset())),
        (b'["EOSE","a",["finish",5,"x"],"more"]', Eose("a", frozenset({"finish", "x"}))),
        (b'["CLOSED","a","auth-required: why"]', Closed("a", "auth-required", "auth-required: why")),
        (b'["CLOSED","a"]', Closed("a", "", "")),
        (b'["NOTICE","hello"]', Notice("hello")),
        (b'["NOTICE"]', Notice("")),
        (b'["OK","id",true,""]', Ok("id", True, "")),
        (b'["AUTH","c"]', Auth("c")),
        (b'["LIMITS",{}]', Unknown("LIMITS")),
    ],
)
def test_messages_are_read(frame: bytes, message: Message) -> None:
    assert parse_message(frame) == message


@pytest.mark.parametrize(
    "frame",
    [b"", b"ping", b"[]", b"{}", b"null", b"[1]", b'["EOSE"]', b'["OK","x"]', b'["AUTH",5]', b"\xff", b"[" * 9999],
)
def test_anything_else_is_garbage(frame: bytes) -> None:
    assert isinstance(parse_message(frame), Garbage)


def test_a_frame_is_unwrapped() -> None:
    assert unwrapped(b'\xef\xbb\xbf\n ["EOSE","a"]\r\n') == b'["EOSE","a"]'


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("rate-limited: slow", "rate-limited"), ("ERROR: bad req: x", "error"), ("no colon", ""), ("two words: x", "")],
)
def test_the_prefix_is_a_word_before_a_colon(text: str, prefix: str) -> None:
    assert prefix_of(text) == prefix


def test_a_budget_is_counted_by_the_hour() -> None:
    budget = Budget(bytes_per_hour=100, events_per_hour=3)
    assert budget.charge(60, 10.0)
    assert budget.charge(40, 20.0)
    assert budget.pause_s(30.0) == 0
    assert not budget.charge(1, 40.0)
    assert budget.pause_s(40.0) == HOUR_S - 30
    assert budget.pause_s(10.0 + HOUR_S) == 0
    assert budget.charge(100, 10.0 + HOUR_S)
    assert budget.charge(0, 11.0 + HOUR_S)
    assert budget.charge(0, 12.0 + HOUR_S)
    assert not budget.charge(0, 13.0 + HOUR_S)


def test_a_budget_bears_few_forged_copies_an_hour() -> None:
    budget = Budget(1 << 30, 1 << 30, forged_per_hour=2)
    assert budget.charge(1, 10.0, forged=True)
    assert budget.charge(1, 20.0)
    assert not budget.charge(1, 30.0, forged=True)
    assert budget.pause_s(30.0) == HOUR_S - 20
    assert budget.pause_s(10.0 + HOUR_S) == 0
    assert budget.charge(1, 10.0 + HOUR_S, forged=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("99999999", LONGEST_RETRY_AFTER_S),
        ("9" * 400, None),
        ("Thu, 01 Jan 1970 00:20:00 GMT", 200.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_honoured_within_a_day(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, now_s=1000.0) == seconds


def test_refusals_say_how_long_to_stay_away() -> None:
    assert refused_upgrade(429, {}, 0.0).wait_s == 60
    assert refused_upgrade(429, {"Retry-After": "5"}, 0.0).wait_s == 5
    assert refused_upgrade(403, {}, 0.0).wait_s == 600
    assert refused_upgrade(500, {}, 0.0).wait_s == 0
    statuses = (200, 302, 401, 402, 403, 404, 451, 502, 522)
    states = {status: refused_upgrade(status, {}, 0.0).state for status in statuses}
    assert states == {
        **dict.fromkeys((401, 402, 403, 451), "refused"),
        **dict.fromkeys((200, 302, 404), "not_a_relay"),
        **dict.fromkeys((502, 522), "unreachable"),
    }
    assert refused_by_relay("restricted", "x").wait_s == 3600
    assert refused_by_relay("", "").wait_s == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.1.2.3", "0.0.0.0", "::ffff:127.0.0.1"])
async def test_private_addresses_are_refused(host: str) -> None:
    with pytest.raises(AddressRefusedError, match="no public address"):
        await allowed_addresses(host, allow_private=False)
    assert await allowed_addresses(host, allow_private=True)


@pytest.mark.parametrize("allow_private", [True, False])
@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"],
)
async def test_link_local_addresses_are_never_connected_to(address: str, allow_private: bool) -> None:
    async def resolve(host: str) -> list[str]:
        return [address]

    for host in (address, "relay.example"):
        with pytest.raises(AddressRefusedError, match="link-local" if allow_private else "no public address"):
            await allowed_addresses(host, allow_private=allow_private, resolve=resolve)


@pytest.mark.parametrize(
    "address",
    ["::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "::7f00:1"],
)
async def test_a_name_that_leads_to_a_private_address_inside_another_is_refused(address: str) -> None:
    async def resolve(host: str) -> list[str]:
        return [address]

    with pytest.raises(AddressRefusedError, match="no public address"):
        await allowed_addresses("relay.example", allow_private=False, resolve=resolve)


async def test_a_public_name_with_a_private_address_is_refused_and_a_mixed_one_cut_down() -> None:
    answers = {"evil.example": ["127.0.0.1", "10.0.0.1"], "mixed.example": ["192.168.1.1", "8.8.8.8"]}

    async def resolve(host: str) -> list[str]:
        return answers[host]

    with pytest.raises(AddressRefusedError):
        await allowed_addresses("evil.example", allow_private=False, resolve=resolve)
    assert await allowed_addresses("mixed.example", allow_private=False, resolve=resolve) == ["8.8.8.8"]


def test_the_answer_to_auth_is_a_signed_event() -> None:
    secret = (3).to_bytes(32)
    event_id, message = auth_message(secret, "wss://relay.example", "c-1", 1_700_000_000)
    verb, fields = orjson.loads(message)
    event = event_from_object(fields)
    assert (verb, event.kind, event.content, event.id) == ("AUTH", 22242, "", event_id)
    assert event.tags == [["relay", "wss://relay.example"], ["challenge", "c-1"]]
    assert id_form(event) is not None
    assert verify(event.pubkey, event.id, event.sig)


def record(url: str, **values: object) -> RelayRecord:
    fields = {"url": url, "network": "clearnet", "source": "test", "updated_at_ms": 0} | values
    return RelayRecord.model_validate(fields)


async def test_a_host_and_a_lane_have_their_bounds() -> None:
    slots = ConnectionLimits(4)
    held = asyncio.Event()
    inside: list[str] = []

    async def hold(url: str, **values: object) -> None:
        async with slots.place(record(url, **values), normalize(url)):
            inside.append(url)
            await held.wait()

    urls = ["wss://a.example/1", "wss://a.example/2", "wss://a.example/3", "wss://b.example", "wss://c.example"]
    tasks = [asyncio.create_task(hold(url)) for url in urls]
    tasks.append(asyncio.create_task(hold("wss://d.example", lane="priority")))
    for _ in range(20):
        await asyncio.sleep(0)
    # Two of one host, three of four places for the regular lane, the last for the priority lane.
    assert sorted(inside) == ["wss://a.example/1", "wss://a.example/2", "wss://b.example", "wss://d.example"]
    assert slots.waiting == 2
    held.set()
    await asyncio.gather(*tasks)
    assert len(inside) == 6
    assert slots.waiting == 0


async def test_a_host_is_forgotten_with_its_last_place() -> None:
    def kept() -> int:
        return sum(type(one) is Place for one in gc.get_objects())

    slots = ConnectionLimits(4)
    before = kept()
    for number in range(50):
        url = f"wss://{number}.example"
        async with slots.place(record(url), normalize(url)):
            assert kept() == before + 1
    assert kept() == before
