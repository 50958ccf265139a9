"""One event over REST: as signed, with its facts; its sightings; what refers to it. Hidden and private ones: 404."""

from __future__ import annotations

from http import HTTPStatus

import asyncpg
import pytest

from core.archive.connection import Pool
from core.settings import Settings
from schemas.nostr.event import Event
from sinks.tables.topic_tables import registry, relay_health
from tests.broker.api.asking import get, pages
from tests.broker.api.conftest import serving
from tests.broker.api.known_relays import NOT_SHOWN, health, record
from tests.broker.sinks.archived import AUTHORS, RELAYS, SEEN_MS, START_S, difficult, fill, signed

pytestmark = pytest.mark.broker

NOTE = signed(START_S, 1, [["t", "nostr"]], "note")
ARTICLE = signed(START_S, 30_023, [["d", "a:b"]], "article")
ADDRESS = f"30023:{AUTHORS[0]}:a:b"
DELETED = signed(START_S + 1, 1, [], "deleted", author=1)
EXPIRED = signed(START_S + 2, 1, [["expiration", "1000000000"]], "expired", author=1)
PROTECTED = signed(START_S + 3, 1, [["-"]], "protected", author=1)
PRIVATE = signed(START_S + 4, 4, [["p", AUTHORS[1]]], "private", author=1)
WRAP = signed(START_S + 4, 1059, [["p", AUTHORS[1]]], "wrap", author=1)
REQUEST = signed(START_S + 5, 5, [["e", DELETED.id]], "", author=1)
GONE = signed(START_S, 1, [], "vanished", author=4)
VANISH = signed(START_S + 5, 62, [["relay", "ALL_RELAYS"]], "", author=4)
HIDDEN = [DELETED, EXPIRED, PROTECTED, PRIVATE, WRAP, GONE]
ALL = [NOTE, ARTICLE, *HIDDEN, REQUEST, VANISH]


def reply(number: int, tags: list[list[str]], kind: int = 1) -> Event:
    return signed(START_S + 100 + number // 2, kind, tags, f"reference {number}", author=1 + number % 3)


DIRECT = reply(0, [["e", NOTE.id, "", "root"]])
BELOW = reply(1, [["e", NOTE.id, "", "root"], ["e", DIRECT.id, "", "reply"]])
COMMENT = reply(2, [["E", NOTE.id], ["e", NOTE.id]], 1111)
COMMENT_BELOW = reply(3, [["E", NOTE.id], ["e", COMMENT.id]], 1111)
REACTION = reply(4, [["e", NOTE.id]], 7)
REPOST = reply(5, [["e", NOTE.id]], 6)
ZAP = reply(6, [["e", NOTE.id]], 9735)
QUOTE = reply(7, [["q", NOTE.id], ["e", NOTE.id]])
ELSEWHERE = reply(8, [["q", NOTE.id]], 30_024)
REACTION_TO_ADDRESS = reply(9, [["a", ADDRESS]], 7)
MORE_REACTIONS = [reply(number, [["e", NOTE.id]], 7) for number in range(20, 45)]
HIDDEN_REPLY = signed(START_S + 90, 1, [["e", NOTE.id], ["-"]], "protected", author=2)
REFERENCES = [DIRECT, BELOW, COMMENT, COMMENT_BELOW, REACTION, REPOST, ZAP, QUOTE, ELSEWHERE, *MORE_REACTIONS]


def with_policy(settings: Settings, action: str) -> Settings:
    """Settings of an archive that hides or flags all that authors have asked to."""
    policy = dict.fromkeys(("deletion", "expiration", "vanish"), action)
    policy["protected"] = action
    return settings.model_copy(update={"policy": settings.policy.model_copy(update=policy)})


async def filled(settings: Settings, events: list[Event], sightings: dict[str, dict[str, int]] | None = None) -> None:
    assert settings.postgres.dsn is not None
    connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    await fill(connection, events, sightings)
    await connection.close()


async def test_an_event_with_its_facts_flags_and_sightings(archive_settings: Settings, archive_pool: Pool) -> None:
    times = dict(zip(RELAYS, (SEEN_MS + 7000, SEEN_MS, SEEN_MS), strict=False))
    events = {each.id: each for each in [*ALL, *difficult()]}
    await filled(archive_settings, list(events.values()), {each.id: times for each in [NOTE, *HIDDEN]})
    async with archive_pool.acquire() as connection:
        await connection.execute(
            "WITH more AS (INSERT INTO relays (url) SELECT unnest($1::text[]) RETURNING id), "
            "listed AS (SELECT array_agg(id) AS ids FROM more) "
            "UPDATE sightings SET relay_ids = relay_ids || ids, "
            "seen_ats_ms = seen_ats_ms || array_fill($2::bigint, ARRAY[cardinality(ids)]) FROM listed",
            NOT_SHOWN,
            SEEN_MS + 1,
        )
        await registry.write(connection, [registry.Entry(each, record(each, 3)) for each in NOT_SHOWN], {})
        await relay_health.write(connection, [relay_health.Entry(each, health(each, 0)) for each in NOT_SHOWN], {})
    async with serving(with_policy(archive_settings, "hide")) as url:
        await check_facts(url, [each for each in events.values() if each not in HIDDEN and each.kind != WRAP.kind])
        await check_hidden(url)
        await check_sightings(url, times)
    async with serving(with_policy(archive_settings, "flag")) as url:
        await check_flags(url)


async def check_facts(url: str, shown: list[Event]) -> None:
    for event in shown:
        if ["expiration", "1"] not in event.tags:
            assert (await get(url, f"/v1/events/{event.id}"))["event"] == event._asdict()
    note = await get(url, f"/v1/events/{NOTE.id}")
    assert note["first_seen_at"] == SEEN_MS // 1000
    assert note["flags"] == {"deleted_by": None, "vanished_by": None, "expires_at": None, "is_expired": False}
    article = await get(url, f"/v1/events/{ARTICLE.id}")
    assert (article["facts"]["class"], article["facts"]["address"]) == ("addressable", ADDRESS)
    assert (await get(url, f"/v1/events/{REQUEST.id}"))["facts"]["deletes"]["ids"] == [DELETED.id]
    assert (await get(url, f"/v1/events/{VANISH.id}"))["facts"]["vanish"] == {"relays": ["ALL_RELAYS"]}
    (form,) = [each for each in difficult() if each.tags == [["x", "\x7f"]]]
    assert (await get(url, f"/v1/events/{form.id}"))["facts"]["del_form"] is True


async def check_hidden(url: str) -> None:
    problems = set()
    for event_id in [*(each.id for each in HIDDEN), "0" * 64]:
        for part in ("", "/sightings", "/references"):
            problem = await get(url, f"/v1/events/{event_id}{part}", HTTPStatus.NOT_FOUND)
            assert problem["parameter"] == "id"
            problems.add(problem["detail"])
    assert len(problems) == 1, "a hidden event cannot be told from an unknown one"
    for wrong in ("xyz", "A" * 64, "npub1xyz", NOTE.id[:-1]):
        problem = await get(url, f"/v1/events/{wrong}", HTTPStatus.BAD_REQUEST)
        assert problem["parameter"] == "id"


async def check_sightings(url: str, times: dict[str, int]) -> None:
    path = f"/v1/events/{NOTE.id}/sightings"
    wanted = [{"relay": relay, "first_seen_at": times[relay] // 1000} for relay in (RELAYS[1], RELAYS[2], RELAYS[0])]
    for limit in (1, 2, 100):
        assert await pages(url, path, "sightings", limit=limit) == wanted
    for name, value in (("limit", "0"), ("limit", "501"), ("cursor", "x"), ("page", "1")):
        problem = await get(url, path, HTTPStatus.BAD_REQUEST, **{name: value})
        assert problem["parameter"] == name


async def check_flags(url: str) -> None:
    deleted, expired, gone, protected = [
        (await get(url, f"/v1/events/{each.id}")) for each in (DELETED, EXPIRED, GONE, PROTECTED)
    ]
    assert deleted["flags"]["deleted_by"] == REQUEST.id
    assert (expired["flags"]["expires_at"], expired["flags"]["is_expired"]) == (1_000_000_000, True)
    assert gone["flags"]["vanished_by"] == VANISH.id
    assert protected["facts"]["protected"] is True
    for event in (PRIVATE, WRAP):
        await get(url, f"/v1/events/{event.id}", HTTPStatus.NOT_FOUND)


async def test_an_event_whose_row_is_damaged_is_as_if_it_was_not_there(
    archive_settings: Settings, archive_pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    profile, other = [signed(START_S + at_s, 0, [], '{"name":"\0"}', author=at_s) for at_s in (0, 1)]
    await filled(archive_settings, [profile, other, NOTE])
    async with archive_pool.acquire() as connection:
        damaged = await connection.execute(
            "UPDATE events SET raw = '{' WHERE raw IS NOT NULL AND id = $1", bytes.fromhex(profile.id)
        )
        assert damaged == "UPDATE 1"
    async with serving(archive_settings) as url:
        for part in ("", "/sightings", "/references"):
            problem = await get(url, f"/v1/events/{profile.id}{part}", HTTPStatus.NOT_FOUND)
            assert problem["parameter"] == "id"
        address = f"/v1/addresses/0:{profile.pubkey}:"
        await get(url, address, HTTPStatus.NOT_FOUND)
        assert await pages(url, f"{address}/versions", "versions", limit=1) == []
        assert (await get(url, f"/v1/authors/{profile.pubkey}"))["profile"] is None
        assert [each["id"] for each in await pages(url, "/v1/events", "events", kinds=0)] == [other.id]
        assert (await get(url, f"/v1/authors/{other.pubkey}"))["profile"]["event_id"] == other.id
    assert f"{profile.id} is left out" in caplog.text


async def test_references_are_counted_and_paged_by_class(archive_settings: Settings) -> None:
    await filled(archive_settings, [NOTE, ARTICLE, *REFERENCES, REACTION_TO_ADDRESS, HIDDEN_REPLY])
    newest_first = sorted(REFERENCES, key=lambda each: (-each.created_at, each.id))
    async with serving(archive_settings) as url:
        path = f"/v1/events/{NOTE.id}/references"
        first = await get(url, path, limit=5)
        assert {name: tuple(each.values()) for name, each in first["counts"].items()} == {
            "replies": (5, True),
            "reactions": (26, True),
            "reposts": (1, True),
            "zaps": (1, True),
            "quotes": (2, True),
        }
        for limit in (1, 7, 500):
            found = await pages(url, path, "references", limit=limit)
            assert [each["event"]["id"] for each in found] == [each.id for each in newest_first]
        classes = {each["event"]["id"]: (each["classes"], each["is_direct"]) for each in found}
        assert {each.id: classes[each.id] for each in REFERENCES[:9]} == {
            DIRECT.id: (["replies"], True),
            BELOW.id: (["replies"], False),
            COMMENT.id: (["replies"], True),
            COMMENT_BELOW.id: (["replies"], False),
            REACTION.id: (["reactions"], None),
            REPOST.id: (["reposts"], None),
            ZAP.id: (["zaps"], None),
            QUOTE.id: (["replies", "quotes"], True),
            ELSEWHERE.id: (["quotes"], None),
        }
        reactions = await pages(url, path, "references", limit=10, **{"class": "reactions"})
        assert [each["event"] for each in reactions] == [
            each._asdict() for each in newest_first if each.kind == REACTION.kind
        ]
        following = await get(url, path, limit=5, cursor=first["next"])
        assert following["counts"] is None
        article = await get(url, f"/v1/events/{ARTICLE.id}/references")
        assert [each["event"]["id"] for each in article["references"]] == [REACTION_TO_ADDRESS.id]
        for name, value in (("class", "likes"), ("cursor", "WzEsIngiXQ"), ("limit", "-1")):
            problem = await get(url, path, HTTPStatus.BAD_REQUEST, **{name: value})
            assert problem["parameter"] == name
