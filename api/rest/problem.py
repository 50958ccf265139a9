"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Annotated

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that gets no answer.

    Args:
        status: of the response.
        detail: what is wrong with which value, and the remedy.
        parameter: the name of the parameter that it is about, where it is about one.
        retry_after_s: when the same request may succeed.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, parameter: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.retry_after_s = retry_after_s


class Problem(BaseModel):
    """Why a request has no answer, and what to do about it (RFC 9457)."""

    type: Annotated[str, Field(description="about:blank: the status says what kind of problem it is")]
    title: Annotated[str, Field(description="The status in words")]
    status: Annotated[int, Field(description="The status of the response", ge=400, le=599)]
    detail: Annotated[str, Field(description="What is wrong, and the remedy")]
    parameter: Annotated[str, Field(description="The parameter that it is about, where it is about one")] = ""


def problem(error: ProblemError) -> dict[str, object]:
    """The members of a problem's JSON."""
    members: dict[str, object] = {
        "type": "about:blank",
        "title": error.status.phrase,
        "status": error.status.value,
        "detail": error.detail,
    }
    if error.parameter is not None:
        members["parameter"] = error.parameter
    return members


def problem_response(error: ProblemError, headers: Mapping[str, str] | None = None) -> Response:
    """The response that tells a problem; never kept by a cache."""
    every = {**(headers or {}), "Cache-Control": "no-store"}
    if error.retry_after_s is not None:
        every["Retry-After"] = str(max(1, ceil(error.retry_after_s)))
    return Response(orjson.dumps(problem(error)), error.status.value, every, MEDIA_TYPE)
