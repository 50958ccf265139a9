"""Streams the entries of a list as lines of JSON, page after page (`application/x-ndjson`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import orjson
from starlette.responses import StreamingResponse

from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.failures import reading
from api.rest.http.compression import Coding, Compressor
from api.rest.problem import ProblemError, problem

LINES = "application/x-ndjson"

_ATTEMPTS = 3
"""For a page, where the archive is busy or away for a moment; a long stream should outlive that."""
_PART_BYTES = 64 * 1024
"""Is written at once: as much as uvicorn takes before a slow reader makes the stream wait."""


class Lines(StreamingResponse):
    """The entries of an answer and of all that follow it.

    Each page is charged as a request, and the stream waits until its client may make it. A stream that ends early has a
    last line with `problem` and `next`, the cursor to go on with; one that ends without is whole.
    """

    def __init__(
        self,
        endpoint: Endpoint[Question],
        asked: Asked[Question],
        first: Answer,
        coding: Coding | None,
        headers: dict[str, str],
    ) -> None:
        parts = _lines(endpoint, asked, first)
        if coding is not None:
            headers = {**headers, "Content-Encoding": coding}
            parts = _compressed(parts, Compressor(coding))
        super().__init__(parts, headers=headers, media_type=LINES)


async def _lines(endpoint: Endpoint[Question], asked: Asked[Question], answer: Answer) -> AsyncIterator[bytes]:
    assert endpoint.lines is not None
    while True:
        part = bytearray()
        (entries,) = answer.model_dump(include={endpoint.lines}, by_alias=True).values()
        for entry in entries:
            part += orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
            if len(part) >= _PART_BYTES:
                yield bytes(part)
                part.clear()
        if part:
            yield bytes(part)
        cursor = getattr(answer, "next", None)
        if cursor is None:
            return
        try:
            answer = await _next_page(endpoint, asked, cursor)
        except ProblemError as error:
            yield orjson.dumps({"problem": problem(error), "next": cursor}, option=orjson.OPT_APPEND_NEWLINE)
            return


async def _next_page(endpoint: Endpoint[Question], asked: Asked[Question], cursor: str) -> Answer:
    following = asked._replace(question=asked.question.model_copy(update={"cursor": cursor}), wants_count=False)
    for attempt in count(1):
        await _charged(asked)
        try:
            with reading():
                return await endpoint.respond(following)
        except ProblemError as error:
            if error.retry_after_s is None or attempt == _ATTEMPTS:
                raise
            await asyncio.sleep(error.retry_after_s)
    raise AssertionError("the last attempt returned or raised")


async def _charged(asked: Asked[Question]) -> None:
    """Wait until the client may make one more request."""
    while not (allowance := asked.context.rates.take(asked.client)).is_granted:  # noqa: ASYNC110 - it says how long
        await asyncio.sleep(allowance.wait_s)


async def _compressed(parts: AsyncIterator[bytes], compressor: Compressor) -> AsyncIterator[bytes]:
    async for part in parts:
        yield await compressor.part(part)
    yield await compressor.part(b"", is_last=True)
