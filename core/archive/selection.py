"""Selects events of the archive (filters, a relay, hidden events) and builds the statement that reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from core.archive.connection import Connection
from core.archive.event_query import Key, Parameters, any_of, condition, nth_newest
from core.archive.months import Month
from core.archive.rows import COLUMN_LIST, DamagedRowError, event_from_row, row_of
from core.settings import Settings
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter


class Hide(StrEnum):
    """Why an event may be left out, named as the settings of the group `policy`; the value of each is the condition.

    Migration 0004 has the view `event_flags` and says what each flag means.
    """

    DELETION = "deleted_by IS NULL"
    EXPIRATION = "(expires_at IS NULL OR expires_at > extract(epoch FROM now())::bigint)"
    VANISH = "vanished_by IS NULL"


HIDE_PROTECTED = """(CASE WHEN raw IS NULL
    THEN NOT jsonb_path_exists(tags, 'strict $[*] ? (@[0] == "-")') ELSE position('["-"'::bytea IN raw) = 0 END)"""
"""Leaves out protected events (NIP-70), which `export` gives and readers of the API may not be given. Of an event that
keeps its bytes, also one that has such text within another value: doubt is for the author."""


def hidden_by_policy(settings: Settings) -> frozenset[Hide]:
    """What the policy leaves out; what it erases may be there still for a while."""
    return frozenset(why for why in Hide if getattr(settings.policy, why.name.lower()) != "flag")


class UnknownRelayError(ValueError):
    """No event was ever seen at the relay that an export is limited to."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export.

    Attributes:
        filters: alternatives; none: everything.
        relay: only events that this relay (normalised URL) was seen to have; None: any.
        hide: leave out events that are deleted, that have expired, or whose author vanished.
        sightings: give with each event which relays had it, and when.
    """

    filters: tuple[Filter, ...] = ()
    relay: str | None = None
    hide: frozenset[Hide] = frozenset()
    sightings: bool = False


class Seen(NamedTuple):
    """That a relay had an event, and when it was first seen to, in milliseconds."""

    relay: str
    at_ms: int


class SelectionQuery:
    """A selection as a statement for each month."""

    def __init__(self, selection: Selection, urls: dict[int, str], relay_id: int | None) -> None:
        self.parameters = Parameters()
        self._selection = selection
        self._urls = urls
        self._relay_id = relay_id
        self._where = "TRUE"
        self._relation = "event_flags" if selection.hide else "events"

    @classmethod
    async def prepare(cls, connection: Connection, selection: Selection, urls: dict[int, str]) -> SelectionQuery | None:
        """Find the bounds that limits stand for; None where no filter asks for anything."""
        relay_id = next((number for number, url in urls.items() if url == selection.relay), None)
        if selection.relay is not None and relay_id is None:
            raise UnknownRelayError(f"{selection.relay}: no event was ever seen there")
        query = cls(selection, urls, relay_id)
        wanted = [each for each in selection.filters if each.limit != 0]
        if selection.filters and not wanted:
            return None
        conditions = []
        for each in wanted:
            oldest = await query._oldest(connection, each)
            conditions.append(condition(each, query.parameters, oldest=oldest))
        query._where = f"{any_of(conditions)} AND {query._of_any_filter(query.parameters)}"
        return query

    def meets(self, month: Month) -> bool:
        """Whether any filter's times reach into a month."""
        filters = self._selection.filters
        return not filters or any(month.meets(each.since, each.until) for each in filters)

    def of(self, month: Month) -> str:
        """The statement for a month."""
        chosen = (
            f"SELECT {COLUMN_LIST} FROM {self._relation} "  # noqa: S608 - made of our own parts and $n alone
            f"WHERE {month.where(self._relation)} AND {self._where}"
        )
        if not self._selection.sightings:
            return f"{chosen} ORDER BY created_at, id"
        return (
            f"SELECT chosen.*, sightings.relay_ids, sightings.seen_ats_ms FROM ({chosen}) AS chosen "  # noqa: S608
            "LEFT JOIN sightings ON sightings.created_at = chosen.created_at AND sightings.id = chosen.id "
            f"AND {month.where('sightings')} ORDER BY chosen.created_at, chosen.id"
        )

    def event(self, row: Any) -> Event | None:
        """The event of a row, or None where only a hash of its tags had matched."""
        stored = row_of(row)
        try:
            event = event_from_row(stored)
        except ValueError as error:
            raise DamagedRowError(f"{stored.id.hex()}: the stored row is no event: {error}") from error
        filters = self._selection.filters
        # SQL could not look into the tags of these, only at their hashes.
        if stored.raw is not None and filters and not any(each.matches(event) for each in filters):
            return None
        return event

    def seen(self, row: Any) -> list[Seen]:
        """Where and when the event of a row was seen, earliest first."""
        if not self._selection.sightings or row["relay_ids"] is None:
            return []
        pairs = zip(row["relay_ids"], row["seen_ats_ms"], strict=True)
        try:
            seen = [Seen(self._urls[number], at_ms) for number, at_ms in pairs if self._relay_id in (None, number)]
        except KeyError as error:
            raise DamagedRowError(
                f"{row['id'].hex()}: a sighting names relay {error}, which is not in relays"
            ) from None
        return sorted(seen, key=lambda each: (each.at_ms, each.relay))

    async def _oldest(self, connection: Connection, wanted: Filter) -> Key | None:
        if wanted.limit is None:
            return None
        parameters = Parameters()
        where = f"{condition(wanted, parameters)} AND {self._of_any_filter(parameters)}"
        row = await connection.fetchrow(nth_newest(self._relation, where, wanted.limit, parameters), *parameters.values)
        return None if row is None else Key(row["created_at"], row["id"])

    def _of_any_filter(self, parameters: Parameters) -> str:
        """What a row must fulfil whatever the filters are."""
        conditions = ["TRUE", *self._selection.hide]
        if self._relay_id is not None:
            conditions.append(
                "EXISTS (SELECT FROM sightings AS at "
                f"WHERE at.created_at = {self._relation}.created_at AND at.id = {self._relation}.id "
                f"AND at.relay_ids @> ARRAY[{parameters.add(self._relay_id, 'integer')}])"
            )
        return " AND ".join(conditions)
