"""What a page reads is bounded by what it gives and by the months, however many events of others there are."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pytest
import pytest_asyncio

from core.archive.connection import Connection
from core.archive.event_query import Key
from core.archive.queries.cost import Budget, Deadline
from core.archive.queries.keys import KeyReader
from core.archive.queries.newest import TooCostlyError, newest
from core.archive.queries.view import View
from core.archive.selection import Hide
from schemas.nostr.filters import Filter
from tests.broker.core.queries.explained import cost
from tests.broker.sinks.archived import AUTHORS, archive, fill, signed

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

END_S = 1_796_083_200  # 2026-12-01
MONTH_S = 2_629_800
VIEWS = [View(), View(frozenset(Hide), readers=frozenset(AUTHORS[:1]))]
LIMIT = 20

# Not signed, which nothing here looks at. Each of 50 authors has a fiftieth of them, and of kind 1 there are half.
_OTHERS = """
INSERT INTO events
SELECT at, id, key_prefix(id), key_prefix(pubkey), kind, 0, pubkey, sha512(id),
    ARRAY[tag_hash('t', 'all'), tag_hash('t', 'of ' || number % 10), tag_hash('p', number::text)],
    jsonb_build_array(jsonb_build_array('t', 'all'), jsonb_build_array('t', 'of ' || number % 10),
        jsonb_build_array('p', number::text)), repeat('x', 200), NULL
FROM (
    SELECT number, $1::bigint - 1 - number * ($2::bigint / $3::bigint) AS at, sha256(number::text::bytea) AS id,
        sha256(('author' || number % 50)::bytea) AS pubkey,
        CASE number % 4 WHEN 0 THEN 7 WHEN 1 THEN 1059 ELSE 1 END AS kind
    FROM generate_series(1, $3::bigint) AS number
) AS made
"""


# Of one author and kind in the oldest days, all protected: deletions would make a look at a visible event dearer, too.
_HIDDEN = """
INSERT INTO events
SELECT at, id, key_prefix(id), key_prefix($3::bytea), 1, 0, $3::bytea, sha512(id), '{}', '[["-"]]', '', NULL
FROM (
    SELECT $1::bigint + number * 60 AS at, sha256(('hidden' || number)::bytea) AS id
    FROM generate_series(1, $2::bigint) AS number
) AS keys
"""
HIDDEN = 20_000


class Size(NamedTuple):
    """Months of an archive, and events of others in each."""

    months: int
    a_month: int


SIZES = [Size(3, 40), Size(24, 1500)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=SIZES, ids=["small", "large"])
async def sized(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[tuple[Connection, Size]]:
    size: Size = request.param
    async with archive(servers, f"buffers_{size.months}") as pool, pool.acquire() as connection:
        await connection.fetch(_OTHERS, END_S, size.months * MONTH_S, size.months * size.a_month)
        await connection.fetch(_HIDDEN, END_S - size.months * MONTH_S, HIDDEN, bytes.fromhex(AUTHORS[1]))
        await fill(connection, MINE)
        await connection.execute("VACUUM ANALYZE")
        yield connection, size


_RNG = random.Random(3)
# Of one author and one kind that others have too, in the two newest months; and one of a kind and tag of its own.
MINE = [
    *(signed(END_S - _RNG.randrange(2 * MONTH_S), 1, [["t", "mine"]], str(number)) for number in range(60)),
    signed(END_S - MONTH_S, 31_337, [["d", "rare"]], ""),
]
UNKNOWN = tuple(f"{number:064x}" for number in range(99))


class Bound(NamedTuple):
    """The most pages that a page of 20 events may read: in all, and besides for each month of the archive."""

    pages: int
    of_each_month: int = 0


# Some 300 of them are of the catalogue, to tell which months are not empty.
CLASSES = {
    "no condition": (Filter(), Bound(450)),
    "a kind": (Filter(kinds=(1,)), Bound(450)),
    "kinds": (Filter(kinds=(0, 1, 3, 6, 7)), Bound(500)),
    "a kind that is rare": (Filter(kinds=(31_337,)), Bound(320, 6)),
    "ids": (Filter(ids=tuple(each.id for each in MINE[:10])), Bound(100, 30)),
    "an author": (Filter(authors=(AUTHORS[0],)), Bound(550)),
    "an author and a kind": (Filter(authors=(AUTHORS[0],), kinds=(1,)), Bound(450)),
    "100 authors and 2 kinds": (Filter(authors=(AUTHORS[0], *UNKNOWN), kinds=(1, 7)), Bound(2000)),
    "authors without events": (Filter(authors=UNKNOWN[:10]), Bound(340, 30)),
    "a tag that is rare": (Filter(tags={"d": ("rare",)}), Bound(350, 18)),
    "a tag of some": (Filter(tags={"t": ("mine",)}), Bound(550)),
    "a tag that all have": (Filter(tags={"t": ("all",)}, kinds=(1, 7)), Bound(700)),
    "a tag and an author": (Filter(tags={"t": ("mine",)}, authors=(AUTHORS[0],)), Bound(550)),
}


@pytest.mark.parametrize("name", CLASSES)
async def test_a_page_reads_few_pages_of_the_database(sized: tuple[Connection, Size], name: str) -> None:
    connection, size = sized
    wanted, bound = CLASSES[name]
    for view in VIEWS:
        for below in (None, Key(END_S - MONTH_S // 2, b"")):
            deadline = Deadline(math.inf)
            spent = await cost(
                connection, partial(newest, wanted=wanted, view=view, limit=LIMIT, deadline=deadline, below=below)
            )
            assert spent.buffers <= bound.pages + bound.of_each_month * size.months, (view, below, spent)


@pytest.mark.parametrize("wanted", [Filter(authors=(AUTHORS[1],)), Filter(authors=(AUTHORS[1],), kinds=(1, 7))])
async def test_hidden_rows_are_looked_at_up_to_the_bound(sized: tuple[Connection, Size], wanted: Filter) -> None:
    connection, size = sized
    most_rows, at_once = 4000, 1000

    async def read(connection: Connection) -> None:
        reader = KeyReader(
            connection, wanted, VIEWS[1], Budget(most_rows=most_rows, most_at_once=at_once), Deadline(math.inf)
        )
        with pytest.raises(TooCostlyError):
            await reader.read(LIMIT)

    spent = await cost(connection, read)
    # A page of the table for each, and those of the catalogue and the indexes.
    assert spent.buffers <= most_rows + at_once + 500 + 10 * size.months, spent
    assert await KeyReader(connection, wanted, VIEWS[1], Budget(), Deadline(math.inf)).read(LIMIT) == []
