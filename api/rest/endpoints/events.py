"""Lists of events: by the parameters of an address, and by filters of NIP-01."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field, PlainValidator, StringConstraints, WithJsonSchema

from api.rest.cursor import decode_key, encode_key
from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.endpoints.event_page import read_page
from api.rest.problem import ProblemError
from api.rest.question_types import Cursor, EventId, Kind, PageSize, PublicKey, UnixSeconds
from api.rest.signed import SignedEvent
from core.archive.queries.newest import page
from core.settings.serving import ApiSettings
from schemas.nostr.filter_wire import MAX_KIND, filter_from_wire
from schemas.nostr.filters import Filter
from schemas.reasons import shape

_FILTER = {
    "type": "object",
    "title": "Filter",
    "description": "A filter of NIP-01; a # and any letter asks for tags. `limit` is the size of a page",
    "properties": {
        "ids": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "authors": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "kinds": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": MAX_KIND}},
        "since": {"type": "integer", "minimum": 0, "description": "Unix seconds, included"},
        "until": {"type": "integer", "minimum": 0, "description": "Unix seconds, included"},
        "limit": {"type": "integer", "minimum": 1},
    },
    "patternProperties": {"^#[A-Za-z]$": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
    "additionalProperties": False,
}


def _filters(value: Any) -> tuple[Filter, ...]:
    if not isinstance(value, list):
        return (_filter(value, "filters"),)
    if not value:
        raise ValueError('filters: is an empty array; give one filter at least, such as {"kinds":[1]}')
    return tuple(_filter(each, f"filters[{place}]") for place, each in enumerate(value))


def _filter(value: Any, place: str) -> Filter:
    if not isinstance(value, dict):
        raise ValueError(f'{place}: is {shape(value)}; give a filter such as {{"kinds":[1]}}')  # noqa: TRY004 - pydantic's
    try:
        return filter_from_wire(value)
    except ValueError as error:
        raise ValueError(f"{place}.{error}") from None


Filters = Annotated[
    tuple[Filter, ...],
    PlainValidator(_filters),
    WithJsonSchema(
        {
            "anyOf": [_FILTER, {"type": "array", "minItems": 1, "items": _FILTER}],
            "examples": [{"kinds": [1], "limit": 10}],
        }
    ),
]


class EventsQuestion(Question):
    """Which events: all conditions that are given hold for each of them."""

    kinds: list[Kind] | None = Field(None, description="Kinds of events")
    authors: list[PublicKey] | None = Field(None, description="Public keys of authors")
    ids: list[EventId] | None = Field(None, description="Ids of events")
    tag: dict[Annotated[str, StringConstraints(pattern="^[A-Za-z]$")], list[str]] = Field(
        {},
        description="First values of tags with this letter, any of a-z and A-Z; a comma within one is written %2C",
    )
    since: UnixSeconds | None = Field(None, description="Unix seconds of the oldest, included")
    until: UnixSeconds | None = Field(None, description="Unix seconds of the newest, included")
    limit: PageSize | None = None
    cursor: Cursor | None = None


class FiltersQuestion(Question):
    """Which events: those that any of the filters matches."""

    filters: Filters = Field(description="A filter, or a list of them")
    cursor: Cursor | None = None


class Counted(Answer):
    """How many events there are on all pages together."""

    number: int = Field(ge=0)
    exact: bool = Field(description="False: estimated, as counting would go beyond `api.count_exact` or take too long")


class EventsAnswer(Answer):
    """A page of events, newest first, of equal times the lowest id first; each event once."""

    events: list[SignedEvent]
    next: str | None = Field(description="Cursor of the next page; null: this page is the last")
    count: Counted | None = Field(
        None, description="With Prefer: count=estimated", exclude_if=lambda value: value is None
    )


async def _by_parameters(asked: Asked[EventsQuestion]) -> EventsAnswer:
    question = asked.question
    wire: dict[str, Any] = {f"#{letter}": values for letter, values in question.tag.items()}
    for name in ("kinds", "authors", "ids", "since", "until", "limit"):
        if (value := getattr(question, name)) is not None:
            wire[name] = value
    try:
        wanted = filter_from_wire(wire)
    except ValueError as error:
        # All but the tags was validated: their names are `tag.t` here.
        detail = str(error).replace("#", "tag.", 1)
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail, parameter=detail[: len("tag.t")]) from None
    most = asked.context.settings.api.page_events
    if question.limit is not None and question.limit > most:
        _refuse("limit", f"is {question.limit}; a page has {most} events at most, and `next` leads to the others")
    _check_bounds([wanted], asked.context.settings.api, "tag.")
    return await _page(asked, [wanted], question.cursor)


async def _by_filters(asked: Asked[FiltersQuestion]) -> EventsAnswer:
    _check_bounds(asked.question.filters, asked.context.settings.api, "#")
    return await _page(asked, asked.question.filters, asked.question.cursor)


async def _page(asked: Asked[Any], filters: Sequence[Filter], cursor: str | None) -> EventsAnswer:
    settings = asked.context.settings.api
    below = None if cursor is None else decode_key(cursor)
    view = asked.context.view
    found, counted = await asked.context.reader.read(
        asked.client,
        partial(read_page, filters=filters, view=view, settings=settings, below=below, wants_count=asked.wants_count),
    )
    events, end = page(found)
    return EventsAnswer(
        events=events,
        next=None if end is None else encode_key(end),
        count=None if counted is None else Counted(number=counted.number, exact=counted.is_exact),
    )


def _check_bounds(filters: Sequence[Filter], settings: ApiSettings, tag: str) -> None:
    """Refuse more filters and values than one request may have; `tag` comes before the letter of one."""
    if len(filters) > settings.filters:
        _refuse("filters", f"are {len(filters)}; give {settings.filters} at most, and ask in several requests")
    lists = [
        (len(values), name)
        for wanted in filters
        for name, values in (
            ("ids", wanted.ids),
            ("authors", wanted.authors),
            ("kinds", wanted.kinds),
            *((f"{tag}{letter}", values) for letter, values in wanted.tags.items()),
        )
        if values
    ]
    if sum(count for count, _ in lists) > settings.filter_values:
        longest, name = max(lists)
        _refuse(name, f"has {longest} values; all lists may have {settings.filter_values}, ask in several requests")
    if any(wanted.limit == 0 for wanted in filters):
        _refuse("limit", "is 0, which asks for nothing here; give the size of a page, from 1")


def _refuse(name: str, detail: str) -> None:
    raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name}: {detail}", parameter=name)


ENDPOINTS = (
    Endpoint(
        "/v1/events",
        "Events by kind, author, id, tag and time",
        "events",
        EventsQuestion,
        EventsAnswer,
        _by_parameters,
        counts=True,
        lines="events",
    ),
    Endpoint(
        "/v1/events",
        "Events by filters of NIP-01",
        "events",
        FiltersQuestion,
        EventsAnswer,
        _by_filters,
        counts=True,
        body="filters",
        lines="events",
    ),
)
