"""The statements that find keys and read rows: one for each way into the indexes of `events`.

Months are named literally, so that a plan is made for these alone. Lists are handed over as `(SELECT $n)`: the planner
then expects the same length of each, and so keeps one plan for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from core.archive.event_query import BIGINT_MAX, Key, Parameters, condition
from core.archive.queries.parts import Part
from core.archive.queries.view import View
from core.archive.queries.windows import Window, whole_months
from core.archive.rows import COLUMN_LIST
from schemas.lookup import key_prefix
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import PRIVATE_KINDS

TOP = Key(BIGINT_MAX, b"")
"""All rows come after it."""

_FOUND = "created_at, id, raw IS NOT NULL AS has_raw"


class Branch(NamedTuple):
    """Rows that one index gives in order of time: of an author and a kind, of a kind, or all."""

    pubkey: bytes | None = None
    kind: int | None = None


class Column(NamedTuple):
    """A list of values that is handed over, and their type in PostgreSQL."""

    type: str
    values: Sequence[Any]


class Statement(NamedTuple):
    """A statement and its values."""

    text: str
    values: list[Any]


def newest_of_branches(
    branches: Sequence[Branch],
    asked: Mapping[int, Key | None],
    window: Window,
    view: View,
    *,
    since_s: int | None,
    below: Key,
    count: int,
    depth: int,
) -> Statement:
    """Of each branch that is asked, by its number, the newest rows below a key that are shown.

    The columns are those of `Found` and `Read`: `branch, created_at, id, has_raw, is_shown, number`. Among the rows is
    the one with the number `depth`, shown or not, if so many were looked at: no others are, but of the same second.

    Args:
        branches: all alike: what the first has a value of, all have.
        asked: numbers of branches, and the key below which each is read; None: `below`.
        window: where.
        view: what may be seen.
        since_s: no row is older; None: any.
        below: no row is before or at this key.
        count: of each at most.
        depth: how many rows of each may be looked at.
    """
    parameters = Parameters()
    ends = [end or below for end in asked.values()]
    lists: dict[str, Column] = {
        "branch": Column("integer", list(asked)),
        "at": Column("bigint", [end.created_at for end in ends]),
        "after": Column("bytea", [end.id for end in ends]),
    }
    # The columns of an index, and the place in it: compared as a row and ordered by all, so that no other index will
    # do. With equations the planner takes that of another order where it guesses that most rows are of the kind.
    place = {}
    where = [window.where]
    if branches[0].pubkey is not None:
        lists |= _prefixed([branches[number].pubkey or b"" for number in asked])
        place["pubkey_prefix"] = "sought.prefix"
        # In a CASE, as the view's condition: of an equation the planner expects so few rows that it would sort them.
        where.append("CASE WHEN pubkey = sought.key THEN true ELSE false END")
    if branches[0].kind is not None:
        lists["of_kind"] = Column("integer", [branches[number].kind for number in asked])
        place["kind"] = "sought.of_kind"
    from_s = parameters.add(window.from_s if since_s is None else max(window.from_s, since_s), "bigint")
    columns = ", ".join([*place, "created_at"])
    where += [
        f"({columns}) <= ({', '.join([*place.values(), 'sought.at'])})",
        f"({columns}) >= ({', '.join([*place.values(), from_s])})",
        "(created_at < sought.at OR id > sought.after)",
    ]
    order = f"ORDER BY {columns.replace(',', ' DESC,')} DESC"
    most, deepest = parameters.add(count, "bigint"), parameters.add(depth, "bigint")
    indexed = "".join(f"{each}, " for each in place)
    # Rows are looked at one by one, in the order of the index, until enough are shown or the deepest is reached. No
    # index has the order of ids: of the last second all rows are read, and only these few are sorted.
    return Statement(
        f"SELECT sought.branch, found.* FROM {_unnested(lists, parameters)} CROSS JOIN LATERAL ("  # noqa: S608
        "SELECT created_at, id, has_raw, is_shown, number FROM ("
        f"SELECT * FROM (SELECT *, row_number() OVER ({order}) AS number FROM ("
        f"SELECT {indexed}{_FOUND}, {view.condition(parameters)} AS is_shown FROM {view.relation} "
        f"WHERE {' AND '.join(where)} {order} FETCH FIRST ({deepest}) ROWS WITH TIES) AS looked_at) AS numbered "
        f"WHERE is_shown OR number = {deepest} {order} FETCH FIRST ({most}) ROWS WITH TIES) AS newest "
        f"ORDER BY created_at DESC, id LIMIT {most}) AS found",
        parameters.values,
    )


def newest_of_window(part: Part, window: Window, view: View, *, below: Key, count: int) -> Statement:
    """The newest rows of a part in a window, of which all its rows are read: `created_at, id, has_raw`."""
    parameters = Parameters()
    # The window has the times, literally as all by which the planner tells whether tags or times leave out more.
    where = [window.where, condition(replace(part.wanted, since=None, until=None), parameters)]
    if part.also is not None:
        where.append(condition(part.also, parameters))
    if below.created_at < window.to_s:
        where.append(_below(below, parameters))
    where.append(view.condition(parameters))
    # Materialized: with order and limit in sight, the planner may read all events by time, hoping to meet some soon.
    return Statement(
        f"WITH found AS MATERIALIZED (SELECT {_FOUND} FROM {view.relation} WHERE {' AND '.join(where)}) "  # noqa: S608
        f"SELECT * FROM found ORDER BY created_at DESC, id LIMIT {parameters.add(count, 'bigint')}",
        parameters.values,
    )


def keys_of_ids(ids: Sequence[str]) -> Statement:
    """The keys of rows with these ids (64 hex digits): `created_at, id`."""
    parameters = Parameters()
    keys = list({bytes.fromhex(each): None for each in ids})
    return Statement(
        f"SELECT found.* FROM {_unnested(_prefixed(keys), parameters)} CROSS JOIN LATERAL ("  # noqa: S608
        "SELECT created_at, id FROM events WHERE id_prefix = sought.prefix AND id = sought.key) AS found",
        parameters.values,
    )


def newest_of_keys(keys: Sequence[Key], wanted: Filter, view: View, *, below: Key, count: int) -> Statement:
    """Of the rows with these keys, the newest that a filter asks for and a view shows: `created_at, id, has_raw`."""
    parameters = Parameters()
    window = whole_months(key.created_at for key in keys)
    where = [condition(wanted, parameters), _below(below, parameters), view.condition(parameters)]
    return Statement(
        f"SELECT found.* FROM {_unnested(_key_lists(keys), parameters)} CROSS JOIN LATERAL ("  # noqa: S608
        f"SELECT {_FOUND} FROM {view.relation} WHERE {window.where} AND created_at = sought.at AND id = sought.key "
        f"AND {' AND '.join(where)} LIMIT 1) AS found "
        f"ORDER BY created_at DESC, id LIMIT {parameters.add(count, 'bigint')}",
        parameters.values,
    )


def rows_of_keys(keys: Sequence[Key]) -> Statement:
    """The rows with these keys, in any order: the columns of `EVENT_COLUMNS`."""
    parameters = Parameters()
    window = whole_months(key.created_at for key in keys)
    return Statement(
        f"SELECT found.* FROM {_unnested(_key_lists(keys), parameters)} CROSS JOIN LATERAL ("  # noqa: S608
        f"SELECT {COLUMN_LIST} FROM events "
        f"WHERE {window.where} AND created_at = sought.at AND id = sought.key LIMIT 1) AS found",
        parameters.values,
    )


def kinds_of_authors(authors: Sequence[bytes], window: Window, most: int) -> Statement:
    """The kinds that each author has in a window but private ones, by its number: `author, kind`, `most` rows at most.

    From each kind the index leads to the next one: that reads a page or two a kind, however many events it has.
    """
    parameters = Parameters()
    lists = {"author": Column("integer", list(range(len(authors)))), **_prefixed(authors)}
    private = parameters.add(sorted(PRIVATE_KINDS), "integer[]")
    first = f"SELECT kind FROM events WHERE {window.where} AND pubkey_prefix = sought.prefix"  # noqa: S608
    return Statement(
        "WITH RECURSIVE sought_kinds AS ("  # noqa: S608
        f"SELECT sought.author, sought.prefix, ({first} ORDER BY kind LIMIT 1) AS of_kind "
        f"FROM {_unnested(lists, parameters)} UNION ALL "
        f"SELECT author, prefix, ({first} AND kind > sought.of_kind ORDER BY kind LIMIT 1) "
        "FROM sought_kinds AS sought WHERE of_kind IS NOT NULL) "
        f"SELECT author, of_kind FROM sought_kinds WHERE of_kind <> ALL({private}) "
        f"LIMIT {parameters.add(most, 'bigint')}",
        parameters.values,
    )


def _prefixed(keys: Sequence[bytes]) -> dict[str, Column]:
    return {"prefix": Column("bigint", [key_prefix(key) for key in keys]), "key": Column("bytea", keys)}


def _key_lists(keys: Sequence[Key]) -> dict[str, Column]:
    return {"at": Column("bigint", [key.created_at for key in keys]), "key": Column("bytea", [key.id for key in keys])}


def _unnested(columns: Mapping[str, Column], parameters: Parameters) -> str:
    """Rows of these columns, by the name `sought`."""
    values = ", ".join(f"(SELECT {parameters.add(each.values, f'{each.type}[]')})" for each in columns.values())
    return f"unnest({values}) AS sought ({', '.join(columns)})"


def _below(key: Key, parameters: Parameters) -> str:
    at = parameters.add(key.created_at, "bigint")
    return f"created_at <= {at} AND (created_at < {at} OR id > {parameters.add(key.id, 'bytea')})"
