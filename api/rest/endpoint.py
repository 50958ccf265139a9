"""What an endpoint of REST is: its path, its question and its answer as models, from which its description follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from api.context import Context


class Question(BaseModel):
    """Parameters of the path and the query, each a field, by its alias if it has one. Unknown ones are refused.

    A field that is a list takes values that commas separate, and the parameter may be repeated. One that is a dict of
    lists takes the parameters `name.key`. All other fields are read from one text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


class Answer(BaseModel):
    """The JSON of an answer. A field `next` is the cursor of the next page or null, and becomes a Link header."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Q = TypeVar("Q", bound=Question)


class Asked(NamedTuple, Generic[Q]):
    """A request that was validated and may be answered.

    Attributes:
        context: what to answer with.
        client: who is charged for queries (`context.reader.read`).
        question: its parameters.
        wants_count: `Prefer: count=estimated` was given.
    """

    context: Context
    client: str
    question: Q
    wants_count: bool


@dataclass(frozen=True)
class Endpoint(Generic[Q]):
    """One GET, or one POST that only asks.

    Attributes:
        path: as Starlette's routes and OpenAPI write it, `/v1/events/{id}`.
        summary: one line.
        tag: the group in the reference: events, addresses, authors or relays.
        question: model of its parameters; those that the path names are of the path.
        answer: model of its JSON.
        respond: gives the answer; raises `ProblemError`, and lets `ReadError`s through.
        counts: whether it has a count for who prefers one.
        body: the field of the question that is read from the JSON body; then it is a POST.
        lines: the field of the answer whose entries are streamed, page after page, where lines of JSON are asked for;
            the question has a field `cursor` then, and the answer `next`.
    """

    path: str
    summary: str
    tag: str
    question: type[Q]
    answer: type[Answer]
    respond: Callable[[Asked[Q]], Awaitable[Answer]]
    counts: bool = False
    body: str | None = None
    lines: str | None = None
