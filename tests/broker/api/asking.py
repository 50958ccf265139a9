"""Questions to a running API, and pages read to their end."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import aiohttp


async def get(url: str, path: str, expected: HTTPStatus = HTTPStatus.OK, **parameters: Any) -> Any:
    """The JSON of an answer, which has this status."""
    async with aiohttp.ClientSession() as client, client.get(f"{url}{path}", params=parameters) as answer:
        assert answer.status == expected, await answer.text()
        return await answer.json(content_type=None)


async def pages(url: str, path: str, name: str, **parameters: Any) -> list[Any]:
    """The entries of all pages of a list."""
    found: list[Any] = []
    more: dict[str, str] = {}
    for _ in range(1000):
        page = await get(url, path, HTTPStatus.OK, **parameters, **more)
        found += page[name]
        if page["next"] is None:
            return found
        more = {"cursor": page["next"]}
    raise AssertionError("the list has no end")
