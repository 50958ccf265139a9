"""A page of a filter holds what the filter's definition says, whatever index finds it and however it is paged."""

from __future__ import annotations

import math
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import pytest
import pytest_asyncio

from core.archive.connection import Connection, Pool
from core.archive.event_query import Key
from core.archive.queries.cost import Budget, Deadline, LateError
from core.archive.queries.counting import Count, count
from core.archive.queries.keys import KeyReader
from core.archive.queries.newest import TooCostlyError, newest, order, page, union
from core.archive.queries.statements import kinds_of_authors
from core.archive.queries.view import View
from core.archive.queries.windows import Window
from core.archive.selection import Hide
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter
from tests.broker.sinks.archived import AUTHORS, START_S, archive, difficult, fill, signed, some_events
from tests.clocks import Ticks

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

NOW_S = int(time.time())
FAR_S = 2**40 - 1
PRIVATE = (4, 1059)
ENDLESS = Deadline(math.inf)
MANY_TAGS = 2001
"""The kind of events of 120 KB, which take 3 MB in memory."""


def events() -> list[Event]:
    """Events of all shapes, of which some are deleted, expired, vanished, protected or private."""
    plain = [*some_events(300), *difficult()]
    rng = random.Random(2)
    private = [
        signed(START_S + n // 3, 4, [["p", rng.choice(AUTHORS)]], "\0" if n % 4 == 0 else "", author=n % 5)
        for n in range(30)
    ]
    protected = [signed(START_S + 7 + n % 2, 1, [["-"]], f"{n}" + "\0" * (n % 2)) for n in range(6)]
    expired = [signed(START_S + n, 1, [["expiration", str(NOW_S - 5 + n * 10**9)]], str(n)) for n in range(4)]
    deleted = [each for each in plain if each.kind in (1, 3) and each.pubkey == AUTHORS[0]][:9]
    requests = [signed(START_S + 9, 5, [["e", each.id] for each in deleted], "")]
    vanishing = signed(START_S + 86_400 * 20, 62, [["relay", "ALL_RELAYS"]], "", author=4)
    # More rows of one second than a page has, of one author and kind, and of several.
    ties = [signed(START_S + 40, 7, [["t", "tie"]], str(n), author=n % 2) for n in range(40)]
    many_tags = [signed(START_S + number, MANY_TAGS, [["a"]] * 20_000, "") for number in range(2)]
    return [*plain, *many_tags, *private, *protected, *expired, *requests, vanishing, *ties]


class Archive(NamedTuple):
    """The archive of this module.

    Attributes:
        pool: its connections.
        events: what it holds.
        hidden: the ids that each cause hides, by the view `event_flags`, of which other tests are.
    """

    pool: Pool
    events: list[Event]
    hidden: dict[Hide, set[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archived(servers: Servers) -> AsyncIterator[Archive]:
    async with archive(servers, "newest_test") as pool, pool.acquire() as connection:
        made = events()
        await fill(connection, made)
        hidden = {
            why: {
                row["id"].hex()
                for row in await connection.fetch(f"SELECT id FROM event_flags WHERE NOT coalesce({why})")
            }
            for why in Hide
        }
        assert all(hidden.values())
        yield Archive(pool, made, hidden)


@pytest_asyncio.fixture(loop_scope="module")
async def connection(archived: Archive) -> AsyncIterator[Connection]:
    async with archived.pool.acquire() as acquired:
        yield acquired


def shown(archived: Archive, view: View) -> list[Event]:
    """What a view shows, by its definition, in order."""
    return sorted(
        (
            event
            for event in archived.events
            if not any(event.id in archived.hidden[why] for why in view.hide)
            and not (view.hide_protected and any(tag[:1] == ["-"] for tag in event.tags))
            and (event.kind not in PRIVATE or view.readers & concerned(event))
        ),
        key=lambda event: (-event.created_at, event.id),
    )


def concerned(event: Event) -> set[str]:
    return {event.pubkey, *(tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == "p")}


def a_filter(rng: random.Random, among: list[Event]) -> Filter:
    """Any filter that has something to find among the events."""
    model = rng.choice(among)
    choices = {
        "ids": tuple({event.id for event in [model, *rng.sample(among, 5)]}),
        "authors": tuple(rng.choices(AUTHORS, k=rng.randrange(1, 5))),
        "kinds": tuple(rng.choices([model.kind, 0, 1, 3, 4, 5, 7, 9, 1059], k=rng.randrange(1, 6))),
        "since": max(0, model.created_at - rng.choice([0, 86_400, 86_400 * 30])),
        "until": model.created_at + rng.choice([0, 86_400, 86_400 * 30]),
    }
    fields = {name: choices[name] for name in rng.sample(list(choices), rng.randrange(4))}
    tags: dict[str, tuple[str, ...]] = {}
    for letter in rng.sample("tpex", rng.choice([0, 0, 0, 1, 2])):
        tags[letter] = tuple(rng.sample(["a", "b", "nostr", "ä", "nul\0", "tie", *AUTHORS[:2]], rng.randrange(1, 4)))
    return Filter(tags=tags, **fields)  # type: ignore[arg-type]  # the values of each name are of its type


def a_view(rng: random.Random) -> View:
    return View(
        frozenset(rng.sample(list(Hide), rng.randrange(4))),
        hide_protected=rng.random() < 0.5,
        readers=frozenset(rng.sample(AUTHORS, rng.choice([0, 1, 1, 2]))),
    )


async def test_pages_of_any_filter_are_what_it_asks_for_to_the_end(archived: Archive, connection: Connection) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    found = 0
    views = [(view, shown(archived, view)) for view in (a_view(rng) for _ in range(8))]
    for number in range(200):
        view, every = rng.choice(views)
        filters = [a_filter(rng, archived.events) for _ in range(rng.choice([1, 1, 2]))]
        of_each = [[event for event in every if each.matches(event)] for each in filters]
        limit = rng.choice([1, 2, 7, 33, 500])
        first = [await newest(connection, each, view, limit=limit, deadline=ENDLESS) for each in filters]
        case = (seed, filters, view, limit)
        assert [each.events for each in first] == [matching[:limit] for matching in of_each], case
        assert [each.is_all for each in first] == [len(matching) <= limit for matching in of_each], case
        expected = [event for event in every if any(each.matches(event) for each in filters)]
        counted = await count(connection, filters, view, exact_up_to=500, deadline=ENDLESS)
        assert counted == Count(len(expected), is_exact=True), case
        # Each page takes milliseconds: of a quarter of the filters, and where there are many, of the first ones.
        expected = expected[: 6 * limit] if number % 4 == 0 else []
        given: list[Event] = []
        last: Key | None = None
        while len(given) < len(expected):
            pages = [
                await newest(connection, each, view, limit=limit, deadline=ENDLESS, below=last) for each in filters
            ]
            part, last = page(pages)
            given += part
            if last is None:
                break
        assert given[: len(expected)] == expected, case
        found += len(given)
    assert found > 300, f"the filters of seed {seed} find too little to show anything"


async def test_hidden_rows_are_passed_over_a_few_at_once(archived: Archive, connection: Connection) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for _ in range(40):
        view = a_view(rng)
        every = shown(archived, view)
        wanted = replace(a_filter(rng, archived.events), ids=None, tags={})
        limit, at_once = rng.choice([1, 7, 500]), rng.choice([1, 5, 30])
        found = await KeyReader(connection, wanted, view, Budget(most_at_once=at_once), ENDLESS).read(limit)
        expected = [event.id for event in every if wanted.matches(event)][:limit]
        assert [each.id.hex() for each in found] == expected, (seed, wanted, view, limit, at_once)


async def test_filters_of_a_request_give_each_event_once_in_order(archived: Archive, connection: Connection) -> None:
    view = View()
    found = [
        await newest(connection, each, view, limit=50, deadline=ENDLESS)
        for each in (Filter(kinds=(1, 7)), Filter(authors=tuple(AUTHORS)), Filter())
    ]
    together = union(found)
    assert all(order(one) < order(next_) for one, next_ in pairwise(together))
    assert {event.id for event in together} == {event.id for each in found for event in each.events}


async def test_a_page_of_large_events_ends_early_and_the_next_goes_on(
    archived: Archive, connection: Connection
) -> None:
    expected = [event for event in shown(archived, View()) if event.kind in (3, 30_023)]
    given: list[Event] = []
    last: Key | None = None
    sizes = []
    while True:
        found = await newest(
            connection, Filter(kinds=(3, 30_023)), View(), limit=500, deadline=ENDLESS, below=last, answer_bytes=100_000
        )
        part, last = page([found])
        given += part
        sizes.append(len(part))
        if last is None:
            break
    assert given == expected
    # One has 120,000 bytes, another 150,000.
    assert len(sizes) == 3


async def test_a_page_ends_early_by_what_its_events_take_in_memory(connection: Connection) -> None:
    found = await newest(
        connection, Filter(kinds=(MANY_TAGS,)), View(), limit=500, deadline=ENDLESS, answer_bytes=2_000_000
    )
    assert len(found.events) == 1
    assert not found.is_all


async def test_what_costs_too_much_is_refused_by_the_name_of_its_field(connection: Connection) -> None:
    authors = tuple(f"{number:064x}" for number in range(200))
    with pytest.raises(TooCostlyError, match=r"^authors: .*20000, .*; name fewer authors"):
        await newest(connection, Filter(authors=authors, kinds=tuple(range(200))), View(), limit=1, deadline=ENDLESS)


async def test_private_kinds_of_authors_are_not_counted_as_work(connection: Connection) -> None:
    for most, authors in ((100, AUTHORS), (1, AUTHORS[1:2])):
        statement = kinds_of_authors([bytes.fromhex(each) for each in authors], Window(0, FAR_S, 0, 0), most)
        kinds = [row["of_kind"] for row in await connection.fetch(statement.text, *statement.values)]
        assert kinds
        assert not set(kinds) & set(PRIVATE)


async def test_more_than_the_bound_is_estimated(archived: Archive, connection: Connection) -> None:
    await connection.execute("ANALYZE events")
    exact = len([event for event in shown(archived, View()) if event.kind == 1])
    counted = await count(connection, [Filter(kinds=(1,))], View(), exact_up_to=10, deadline=ENDLESS)
    assert not counted.is_exact
    # The planner expects a row at least of each month, of empty ones too.
    assert exact / 2 < counted.number < exact * 2 + 100


@pytest.mark.parametrize("readers", [frozenset[str](), frozenset({"ab" * 32})])
async def test_an_estimate_tells_nothing_of_private_events_of_others(
    connection: Connection, readers: frozenset[str]
) -> None:
    await connection.execute("ANALYZE events")
    view = View(readers=readers)
    alone = await count(connection, [Filter(kinds=(1,))], view, exact_up_to=10, deadline=ENDLESS)
    for wanted in (
        [Filter(kinds=(1, 4))],
        [Filter(kinds=(1,)), Filter(kinds=(4,))],
        [Filter(kinds=(1,)), Filter(kinds=(4, 1059), authors=(AUTHORS[0],))],
    ):
        counted = await count(connection, wanted, view, exact_up_to=10, deadline=ENDLESS)
        assert not counted.is_exact
        # A row at least is expected of a reader's own.
        assert counted.number - alone.number <= len(readers), wanted


async def test_filters_that_take_too_long_together_are_estimated(connection: Connection) -> None:
    filters = [Filter(kinds=(1,)), Filter(kinds=(7,))]
    ticks = Ticks()
    await count(connection, filters[:1], View(), exact_up_to=500, deadline=Deadline(math.inf, ticks))
    for each in (filters[:1], filters):
        deadline = Deadline(ticks.number - 1, Ticks())
        counted = await count(connection, each, View(), exact_up_to=500, deadline=deadline)
        assert counted.is_exact == (len(each) == 1)


async def test_no_statement_is_begun_after_the_deadline(connection: Connection) -> None:
    reading = partial(newest, connection, Filter(kinds=(1,)), View(), limit=5)
    ticks = Ticks()
    found = await reading(deadline=Deadline(math.inf, ticks))
    statements = ticks.number - 1
    assert statements >= 3, "months, keys, rows"
    for limit in range(statements):
        with pytest.raises(LateError, match="together"):
            await reading(deadline=Deadline(limit, Ticks()))
    assert await reading(deadline=Deadline(statements, Ticks())) == found
