"""Relays over REST: lists in every order, what is known of one, and nothing of those that are not public."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest

from api.rest.cursor import decode_cursor
from core.archive.connection import Pool
from core.settings import Settings
from schemas.relay_urls.relay_url import normalize
from tests.broker.api.asking import get, pages
from tests.broker.api.conftest import serving
from tests.broker.api.known_relays import (
    DAY_MS,
    HOUR_MS,
    NEW,
    NOT_SHOWN,
    NOW_MS,
    OLD,
    ONION,
    RELAYS,
    SECRET,
    SEEN,
    fill_relays,
    health,
    record,
    some_probes,
)

pytestmark = pytest.mark.broker

ONLY_SEEN = "wss://only.seen.example.com"
WITH_PATHS = ["wss://relay.example.com", "wss://relay.example.com/probes", "wss://relay.example.com/a/history"]
PROBED = [number for number in range(len(RELAYS)) if number % 7 != 6]
NUMBERS = {url: number for number, url in enumerate(RELAYS)}


def ordered(value: Callable[[int], int | None]) -> list[str]:
    """URLs in the order of a value, of those that have one."""
    found = [(value(number), url) for url, number in NUMBERS.items()]
    return [url for known, url in sorted((known, url) for known, url in found if known is not None)]


def of_health(value: Callable[[int], int | None]) -> Callable[[int], int | None]:
    return lambda number: value(number) if number in PROBED else None


def first_seen(number: int) -> int | None:
    at_ms = record(RELAYS[number], number).first_seen_ms
    return None if at_ms is None else -at_ms


ORDERS: dict[str, Callable[[int], int | None]] = {
    "url": lambda _: 0,
    "uptime": of_health(lambda number: number // 3),
    "latency": of_health(lambda number: number // 2 if number % 4 else None),
    "since": of_health(lambda number: number // 4),
    "first_seen": first_seen,
}


async def test_lists_are_paged_in_every_order_and_filtered(archive_settings: Settings, archive_pool: Pool) -> None:
    async with archive_pool.acquire() as connection:
        await fill_relays(connection)
    async with serving(archive_settings) as url:
        for sort, value in ORDERS.items():
            wanted = ordered(value)
            for limit in (3, 500):
                found = await pages(url, "/v1/relays", "relays", sort=sort, limit=limit)
                assert [each["url"] for each in found] == wanted, (sort, limit)
        every = {each["url"]: each for each in await pages(url, "/v1/relays", "relays", limit=4)}
        first = await get(url, "/v1/relays", limit=1)
        second = await get(url, "/v1/relays", limit=1, cursor=first["next"])
        assert [each["relays"][0]["url"] for each in (first, second)] == ordered(ORDERS["url"])[:2]
        assert decode_cursor(second["next"], str, int, str)[-1] == second["relays"][0]["url"]
        assert all((every[each]["health"] is not None) == (NUMBERS[each] in PROBED) for each in RELAYS)
        assert every[RELAYS[1]]["duplicate_of"] is None, "it is not public"
        assert every[RELAYS[2]]["duplicate_of"] == RELAYS[0]
        assert every[RELAYS[5]]["health"] == {
            "state": "refused",
            "since": (NOW_MS - HOUR_MS) // 1000,
            "verdict": "works",
            "cause": None,
            "probed_at": NOW_MS // 1000,
            "uptime": pytest.approx(3500 / 3600, abs=1e-6),
            "open_ms": 20,
        }
        named = {each["name"]: (each["nips"], each["named_nips"]) for each in every.values()}
        assert (named["first"], named["second"]) == (([1, 11], []), ([1, 11, 50], ["7D"]))
        asked: dict[tuple[str, str], Callable[[dict[str, Any]], bool]] = {
            ("network", "tor"): lambda each: each["url"] == ONION,
            ("state", "silent"): lambda each: each["state"] == "silent",
            ("health", "offline"): lambda each: each["health"] is not None and each["health"]["state"] == "offline",
            ("nip", "50"): lambda each: each["name"] == "second",
            ("nip", "1,7D"): lambda each: each["name"] == "second",
            ("software", "STRFRY"): lambda each: each["name"] in ("first", "second"),
            ("country", "de"): lambda each: each["country"] == "DE",
            ("country", "IT"): lambda each: each["country"] is None and each["name"] == "other",
            ("country", "XX"): lambda _: False,
        }
        for (name, text), holds in asked.items():
            for sort, value in ORDERS.items():
                found = await pages(url, "/v1/relays", "relays", sort=sort, limit=2, **{name: text})
                shown = [each["url"] for each in found]
                assert shown == [each for each in ordered(value) if holds(every[each])], (name, text, sort)
        both = await get(url, "/v1/relays", health="offline", nip="50", limit=500)
        assert len(both["relays"]) == sum(number % 4 == 2 for number in PROBED)
        following = (await get(url, "/v1/relays", sort="uptime", limit=3))["next"]
        wrong = (
            *(("sort", "name"), ("nip", "x"), ("country", "DEU"), ("software", ""), ("software", "a\0")),
            *(("limit", "501"), ("state", "denied"), ("health", "fine"), ("network", "x"), ("cursor", following)),
        )
        for name, text in wrong:
            problem = await get(url, "/v1/relays", HTTPStatus.BAD_REQUEST, **{name: text})
            assert problem["parameter"] == name


async def test_what_is_known_of_a_relay_and_nothing_of_one_that_is_not_public(
    archive_settings: Settings, archive_pool: Pool
) -> None:
    async with archive_pool.acquire() as connection:
        await fill_relays(connection)
        await connection.execute("INSERT INTO relays (url) SELECT unnest($1::text[])", [*WITH_PATHS, ONLY_SEEN])
        await connection.execute("DELETE FROM registry WHERE url = $1", NOT_SHOWN[2])
    async with serving(archive_settings) as url:
        await check_one(url)
        await check_what_is_not_public(url)
        await check_slashes(url)


async def check_one(url: str) -> None:
    number = NUMBERS[SEEN]
    path = f"/v1/relays/{quote(SEEN, safe='')}"
    one = await get(url, path)
    listed = await pages(url, "/v1/relays", "relays")
    assert {name: one[name] for name in listed[0]} == next(each for each in listed if each["url"] == SEEN)
    assert one["registry"]["history"][0] == {"state": "candidate", "since": 5}
    assert one["probed"]["learnt"]["max_limit"] == 200
    assert one["probed"]["checks"]["read"]["ok"] is True
    assert one["probed"]["checks"]["dns"] is None

    history = await get(url, f"{path}/history", days=1)
    assert [each["days"] for each in history["periods"]] == [1, 7, 30, 90]
    assert history["periods"][1]["open_ms"]["p50"] is not None
    assert [(each["since"], each["until"], each["cause"]) for each in history["outages"]] == [
        ((NOW_MS - DAY_MS) // 1000, None, "no_proxy"),
        ((NOW_MS - 3 * DAY_MS) // 1000, (NOW_MS - 2 * DAY_MS) // 1000, "tls"),
    ]
    assert [each["up_s"] for each in history["days"]] == [health(SEEN, number).days[1].up_s]

    made = [each.probed_at_ms // 1000 for each in some_probes(SEEN, 30)]
    for limit in (1, 7, 500):
        found = await pages(url, f"{path}/probes", "probes", limit=limit)
        assert [each["probed_at"] for each in found] == made
    since, until = made[10], made[3]
    some = await pages(url, f"{path}/probes", "probes", limit=2, since=since, until=until)
    assert [each["probed_at"] for each in some] == made[3:11]
    assert found[0]["cause"] == "no_proxy"

    documents = await get(url, f"{path}/documents")
    assert documents["document"] is None
    assert [(each["at"], each["after"]) for each in documents["changes"]] == [(9, NEW.hash), (5, OLD.hash)]
    assert [each["member"] for each in documents["changes"][0]["members"]] == [
        "name",
        "named_nips",
        "supported_nips",
    ]
    present = await get(url, f"/v1/relays/{quote(RELAYS[2], safe='')}/documents")
    assert (present["document"]["text"], present["document"]["members"]["name"]) == (NEW.text, "second")
    assert (await get(url, f"/v1/relays/{quote(RELAYS[2], safe='')}"))["information"]["named_nips"] == ["7D"]

    covered = await get(url, f"{path}/coverage")
    assert covered["followed_until"] == 77
    assert [(each["filter"], each["authenticated"], each["read"]) for each in covered["filters"]] == [
        ({"kinds": [1]}, False, [[10, 20], [0, 4]]),
        ({"kinds": [7]}, True, [[0, 4]]),
    ]
    assert covered["filters"][0]["gaps"] == [{"since": 5, "until": 9, "reason": "closed", "tries": 2, "retry_at": 99}]
    only_seen = await get(url, f"/v1/relays/{quote(ONLY_SEEN, safe='')}")
    assert (only_seen["state"], only_seen["health"], only_seen["registry"]) == (None, None, None)
    assert (await get(url, f"/v1/relays/{quote(RELAYS[0], safe='')}/coverage"))["filters"] == []


async def check_what_is_not_public(url: str) -> None:
    not_probed = next(url for url, number in NUMBERS.items() if number not in PROBED)
    parts = ("", "/history", "/probes", "/documents", "/coverage")
    for relay in (*NOT_SHOWN, "wss://unknown.example.com", "relay.example.com", "https://relay.example.com"):
        for part in parts:
            status = HTTPStatus.NOT_FOUND if relay.startswith("wss") else HTTPStatus.BAD_REQUEST
            problem = await get(url, f"/v1/relays/{quote(relay, safe='')}{part}", status)
            assert problem["parameter"] == "url"
    answers = [await get(url, "/v1/relays", limit=500)]
    answers += [
        await get(url, f"/v1/relays/{quote(relay, safe='')}{part}") for relay in (SEEN, not_probed) for part in parts
    ]
    text = json.dumps(answers)
    assert SECRET not in text
    assert not [relay for relay in NOT_SHOWN if relay in text]


async def check_slashes(url: str) -> None:
    for relay in WITH_PATHS:
        for spelling in (
            quote(relay, safe=""),
            quote(f"{relay}/", safe=""),
            quote(relay.upper()[:22] + relay[22:], safe=":"),
        ):
            assert (await get(url, f"/v1/relays/{spelling}"))["url"] == normalize(relay).url
        assert (await get(url, f"/v1/relays/{quote(relay, safe='')}/probes"))["probes"] == []
    assert (await get(url, "/v1/relays/wss://relay.example.com"))["url"] == WITH_PATHS[0]
    assert (await get(url, "/v1/relays/wss://relay.example.com/probes"))["probes"] == []
    assert (await get(url, "/v1/relays/wss:/relay.example.com/probes/history"))["days"] == [], "merged slashes"
    await get(url, "/v1/relays/%ff", HTTPStatus.BAD_REQUEST)
