"""The body of an HTTP answer, within a bound."""

from __future__ import annotations

import aiohttp


async def leading_bytes(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Read a body as it was sent, to its end or to the first byte that is too many: `most_bytes + 1` say it is longer.

    Raises:
        aiohttp.ClientError: it ends before its end.
    """
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            break
    return bytes(body[: most_bytes + 1])
