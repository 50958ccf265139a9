"""Finds the keys of the newest rows of a filter: each class of filters by the index that serves it.

docs/reference/queries.md has the plan of each class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core.archive.connection import Connection
from core.archive.event_query import Key
from core.archive.months import Month, months
from core.archive.queries import statements
from core.archive.queries.cost import Budget, Deadline, TooCostlyError
from core.archive.queries.merge import Found, Merge, Read, place
from core.archive.queries.parts import Part, parts
from core.archive.queries.statements import Branch, Statement
from core.archive.queries.view import View
from core.archive.queries.windows import MOST_MONTHS, Walk, Window
from schemas.nostr.filters import Filter

MOST_BRANCHES = 20_000
"""Pairs of author and kind that are read at once: 1,000 authors with 20 kinds each."""


class KeyReader:
    """Reads keys of the rows that one filter asks for and a view shows, in order.

    Args:
        connection: to the archive.
        wanted: the filter; its `limit` is not looked at.
        view: what may be seen.
        budget: is charged.
        deadline: of the answer.
    """

    def __init__(self, connection: Connection, wanted: Filter, view: View, budget: Budget, deadline: Deadline) -> None:
        self._connection = connection
        self._view = view
        self._budget = budget
        self._deadline = deadline
        self._parts = parts(wanted, view)
        self._months: list[Month] | None = None

    async def read(self, count: int, below: Key = statements.TOP) -> list[Found]:
        """The keys of the first `count` rows below a key; fewer: there are no more.

        Raises:
            TooCostlyError: it would take too much.
            LateError: the deadline is over.
        """
        found: list[Found] = []
        for part in self._parts:
            # Of a further part, nothing is of interest that is older than the last of those before.
            floor_s = found[-1].created_at if len(found) == count else None
            found = sorted({*found, *await self._of_part(part, count, below, floor_s)}, key=place)[:count]
        return found

    async def _of_part(self, part: Part, count: int, below: Key, floor_s: int | None) -> list[Found]:
        wanted = part.wanted
        if floor_s is not None:
            wanted = replace(wanted, since=max(wanted.since or 0, floor_s))
        if wanted.ids is not None:
            return await self._of_ids(wanted, wanted.ids, count, below)
        until_s = below.created_at
        if wanted.until is not None and wanted.until < until_s:
            until_s, below = wanted.until, Key(wanted.until, b"")
        if self._months is None:
            self._months = await months(self._connection, "events")
        walk = Walk(self._months, wanted.since, until_s, by_events=part.has_tags)
        found: list[Found] = []
        last: list[Found] = []
        while len(found) < count and (window := walk.next(len(last), count - len(found))) is not None:
            if part.has_tags:
                last = await self._by_tags(part._replace(wanted=wanted), window, count - len(found), below)
            else:
                last = await self._by_branches(wanted, window, count - len(found), below)
            found += last
        return found

    async def _of_ids(self, wanted: Filter, ids: Sequence[str], count: int, below: Key) -> list[Found]:
        self._budget.take_probes("ids", len(ids), MOST_MONTHS)
        keys = [Key(*row) for row in await self._fetch(statements.keys_of_ids(ids))]
        if not keys:
            return []
        rows = await self._fetch(statements.newest_of_keys(keys, wanted, self._view, below=below, count=count))
        return [Found(*row) for row in rows]

    async def _by_tags(self, part: Part, window: Window, count: int, below: Key) -> list[Found]:
        self._budget.take_probes("tags", sum(map(len, part.wanted.tags.values())), window.months)
        rows = await self._fetch(statements.newest_of_window(part, window, self._view, below=below, count=count))
        return [Found(*row) for row in rows]

    async def _by_branches(self, wanted: Filter, window: Window, count: int, below: Key) -> list[Found]:
        branches = await self._branches(wanted, window)
        field = "kinds" if wanted.authors is None else "authors"
        merge = Merge(len(branches), count, self._budget.most_at_once)
        while asked := merge.due():
            self._budget.take_probes(field, len(asked), window.months)
            depth = merge.depth(len(asked))
            since_s = max((each for each in (wanted.since, merge.floor) if each is not None), default=None)
            rows = await self._fetch(
                statements.newest_of_branches(
                    branches, asked, window, self._view, since_s=since_s, below=below, count=merge.count, depth=depth
                )
            )
            read = [Read(branch, Found(*found), is_shown, number) for branch, *found, is_shown, number in rows]
            looked_at = {each.branch: each.number for each in sorted(read, key=lambda each: each.number)}
            self._budget.take_rows(field, sum(looked_at.values()))
            merge.take(asked, read, depth)
        return merge.best

    async def _branches(self, wanted: Filter, window: Window) -> list[Branch]:
        """What the indexes give in order of time, of which a filter without tags and ids is made."""
        if wanted.authors is None:
            return [Branch(kind=kind) for kind in dict.fromkeys(wanted.kinds or [None])]
        authors = list(dict.fromkeys(map(bytes.fromhex, wanted.authors)))
        if wanted.kinds is not None:
            kinds = dict.fromkeys(wanted.kinds)
            self._check(len(authors) * len(kinds))
            return [Branch(author, kind) for author in authors for kind in kinds]
        self._budget.take_probes("authors", len(authors), window.months)
        rows = await self._fetch(statements.kinds_of_authors(authors, window, MOST_BRANCHES + 1))
        self._check(len(rows))
        return [Branch(authors[number], kind) for number, kind in rows]

    def _check(self, branches: int) -> None:
        if branches > MOST_BRANCHES:
            raise TooCostlyError(
                f"authors: with their kinds these are more pairs than {MOST_BRANCHES}, which one answer may take; name "
                "fewer authors, or fewer kinds"
            )

    async def _fetch(self, statement: Statement) -> list[Any]:
        self._deadline.check()
        return await self._connection.fetch(statement.text, *statement.values)
