"""The current version of an address over REST, all its versions, and which events of a view are current."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio
from nostr_sdk import Coordinate, Kind, Nip19Coordinate, PublicKey

from core.archive.connection import Pool
from core.archive.queries.cost import Deadline
from core.archive.queries.newest import newest
from core.archive.queries.view import View
from core.archive.selection import Hide
from core.settings import Settings
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter
from sinks.migrate import migrate
from tests.broker.api.asking import get, pages
from tests.broker.api.conftest import serving
from tests.broker.sinks.archived import AUTHORS, START_S, fill, signed
from tests.broker.sinks.conftest import fresh_database

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

D = "a:b/ä %2F?#\0"
ADDRESS = f"30023:{AUTHORS[0]}:{D}"


def article(at_s: int, d: str = D, content: str = "", tags: list[list[str]] | None = None) -> Event:
    return signed(START_S + at_s, 30_023, [["d", d], *(tags or [])], content)


PROFILES = sorted((signed(START_S + 9, 0, [], f"{{{n}}}") for n in range(3)), key=lambda each: each.id)
OLDER_PROFILE = signed(START_S + 8, 0, [], "{}")
ARTICLES = [article(at_s, content=str(at_s)) for at_s in range(5, 0, -1)]
DELETED = article(9, "deleted")
BEFORE_DELETED = article(8, "deleted")
REQUEST = signed(START_S + 20, 5, [["e", DELETED.id]], "")
PROTECTED = article(9, "protected", tags=[["-"]])
EXPIRED = article(9, "expired", tags=[["expiration", "1"]])
ODD = article(1, "x/versions")
HIDDEN = [DELETED, PROTECTED, EXPIRED]
NOTE = signed(START_S, 1, [], "note")
LARGE = [
    signed(START_S - age_s, 30_023, [["d", "large"], ["q", NOTE.id]], "x" * 900_000, author=1) for age_s in range(6)
]
EVENTS = [*PROFILES, OLDER_PROFILE, *ARTICLES, *HIDDEN, BEFORE_DELETED, REQUEST, ODD, *LARGE, NOTE]


class Archive(NamedTuple):
    """An archive that a test may write to, and the address of the API that serves it."""

    pool: Pool
    url: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    """One for the module: what a test changes it restores."""
    async with fresh_database(servers, "addresses_test") as dsn:
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("addresses"),
            kafka=servers.kafka_settings(),
            postgres={"dsn": dsn},
            policy={"deletion": "hide", "expiration": "hide"},
        )
        async with asyncpg.create_pool(dsn.get_secret_value(), min_size=1, max_size=2) as pool:
            async with pool.acquire() as connection:
                await migrate(connection)
                await fill(connection, EVENTS)
            async with serving(settings) as url:
                yield Archive(pool, url)


def path(address: str) -> str:
    return f"/v1/addresses/{quote(address, safe='')}"


def naddr(kind: int, d: str) -> str:
    return Nip19Coordinate(Coordinate(Kind(kind), PublicKey.parse(AUTHORS[0]), d), []).to_bech32()


async def test_the_newest_version_is_given_and_a_hidden_one_gives_way_to_none(archive: Archive) -> None:
    for event, ways in (
        (PROFILES[0], (f"0:{AUTHORS[0]}:", naddr(0, ""))),
        (ARTICLES[0], (ADDRESS,)),
        (ODD, (f"30023:{AUTHORS[0]}:x/versions", naddr(30_023, "x/versions"), f"nostr:{naddr(30_023, 'x/versions')}")),
    ):
        for way in ways:
            found = await get(archive.url, path(way))
            assert found["event"] == event._asdict()
            assert found["flags"]["deleted_by"] is None
    assert found["facts"]["address"] == f"30023:{AUTHORS[0]}:x/versions"
    problems = set()
    for d in ("deleted", "protected", "expired", "never"):
        problem = await get(archive.url, path(f"30023:{AUTHORS[0]}:{d}"), HTTPStatus.NOT_FOUND)
        problems.add((problem["parameter"], problem["detail"]))
    assert len(problems) == 1
    # What is erased was never received.
    row = await archive.pool.fetchrow("DELETE FROM events WHERE id = $1 RETURNING *", bytes.fromhex(DELETED.id))
    found = await get(archive.url, path(f"30023:{AUTHORS[0]}:deleted"))
    assert found["event"]["id"] == BEFORE_DELETED.id
    await archive.pool.execute("INSERT INTO events SELECT ($1::events).*", row)


async def test_what_is_no_address_is_refused(archive: Archive) -> None:
    for wrong in (
        "no address",
        f"1:{AUTHORS[0]}:",
        f"0:{AUTHORS[0]}:d",
        "naddr1qqqq",
        f"30023:{AUTHORS[0]}:{'d' * 3000}",
    ):
        problem = await get(archive.url, path(wrong), HTTPStatus.BAD_REQUEST)
        assert problem["parameter"] == "address"
        assert wrong not in problem["detail"]


async def test_all_versions_are_paged_newest_first(archive: Archive) -> None:
    wanted = {
        f"0:{AUTHORS[0]}:": [*PROFILES, OLDER_PROFILE],
        ADDRESS: ARTICLES,
        f"30023:{AUTHORS[0]}:deleted": [BEFORE_DELETED],
        f"30023:{AUTHORS[0]}:protected": [],
        naddr(30_023, "x/versions"): [ODD],
    }
    for address, versions in wanted.items():
        for limit in (1, 2, 500):
            found = await pages(archive.url, f"{path(address)}/versions", "versions", limit=limit)
            assert [each["event"] for each in found] == [each._asdict() for each in versions]
    for name, value in (("limit", "501"), ("cursor", "WzEsMV0"), ("page", "2")):
        problem = await get(archive.url, f"{path(ADDRESS)}/versions", HTTPStatus.BAD_REQUEST, **{name: value})
        assert problem["parameter"] == name


async def test_pages_end_where_their_events_are_large(archive: Archive) -> None:
    ids = [each.id for each in LARGE]
    for start, name in (
        (path(f"30023:{AUTHORS[1]}:large") + "/versions", "versions"),
        (f"/v1/events/{NOTE.id}/references", "references"),
    ):
        first = await get(archive.url, start, limit=500)
        assert 0 < len(first[name]) < len(LARGE)
        found = await pages(archive.url, start, name, limit=500)
        assert [each["event"]["id"] for each in found] == ids


async def test_no_version_is_told_before_all_are_listed(archive: Archive) -> None:
    await archive.pool.execute("INSERT INTO unlisted_versions VALUES (-1, '')")
    for part in ("", "/versions"):
        problem = await get(archive.url, f"{path(ADDRESS)}{part}", HTTPStatus.SERVICE_UNAVAILABLE)
        assert "not ready" in problem["detail"]
    await archive.pool.execute("DELETE FROM unlisted_versions")
    await get(archive.url, path(ADDRESS))


async def test_a_view_of_current_versions_leaves_out_the_others(archive: Archive) -> None:
    view = View(frozenset(Hide), only_current=True)
    deadline = Deadline(math.inf)
    async with archive.pool.acquire() as connection:
        found = await newest(connection, Filter(authors=(AUTHORS[0],)), view, limit=100, deadline=deadline)
        current = [PROFILES[0], ARTICLES[0], ODD, REQUEST, NOTE]
        assert {event.id for event in found.events} == {event.id for event in current}
        # `limit` counts what is given.
        two = await newest(connection, Filter(kinds=(0, 30_023)), view, limit=2, deadline=deadline)
        assert [event.id for event in two.events] == [PROFILES[0].id, ARTICLES[0].id]
