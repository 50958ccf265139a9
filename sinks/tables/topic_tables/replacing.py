"""Rows that are the state of one key: replaced by those of its newest record, and touched only where they differ."""

from __future__ import annotations


def taking(table: str, key: str, columns: tuple[str, ...]) -> str:
    """The statement that inserts or updates rows, which `$1` has as a JSON array of objects.

    Args:
        table: its name.
        key: its primary key.
        columns: all of them, as objects have them.
    """
    names = ", ".join(columns)
    return f"""
        INSERT INTO {table} AS stored ({names})
        SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, $1::jsonb)
        ON CONFLICT ({key}) DO UPDATE SET ({names}) = ROW ({", ".join(f"excluded.{name}" for name in columns)})
        WHERE stored.* IS DISTINCT FROM excluded.*
        """  # noqa: S608 - the names are ours


def replacing(table: str, key: str, columns: tuple[str, ...]) -> str:
    """The statement that makes rows of the relay `$1` those that `$2` has, a JSON array of objects.

    A statement for each relay: the planner takes a JSON array for 100 rows whatever its length, and could join those of
    many relays row by row. Rows that are the same are left out before: a conflict locks a row, which writes its page.

    Args:
        table: its name; its primary key is `url` and another column.
        key: that other column.
        columns: all but `url`, as objects have them.
    """
    names = ", ".join(columns)
    return f"""
        WITH new AS MATERIALIZED (SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, $2::jsonb)),
        gone AS (
            DELETE FROM {table} AS stored
            WHERE url = $1 AND NOT EXISTS (SELECT FROM new WHERE new.{key} = stored.{key})
        )
        INSERT INTO {table} (url, {names}) SELECT $1, {names} FROM new
        WHERE NOT EXISTS (
            SELECT FROM {table} AS stored WHERE stored.url = $1 AND stored.{key} = new.{key}
            AND ROW ({", ".join(f"stored.{name}" for name in columns)}) IS NOT DISTINCT FROM new.*
        )
        ON CONFLICT (url, {key}) DO UPDATE SET ({names}) = ROW ({", ".join(f"excluded.{name}" for name in columns)})
        """  # noqa: S608
