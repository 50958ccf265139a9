"""Refusals as responses: problem details (RFC 9457) that close the connection."""

from __future__ import annotations

from http import HTTPStatus

import orjson

from api.connections.places import Refusal

RETRY_AFTER_S = 10
"""Acts come back in a minute, places sooner."""


def response_of(refusal: Refusal) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body."""
    status = refusal.status
    body = orjson.dumps(
        {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": refusal.detail}
    )
    later = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *([(b"retry-after", str(RETRY_AFTER_S).encode())] if later else []),
        (b"access-control-allow-origin", b"*"),
        (b"connection", b"close"),
    ], body


def wire_response_of(refusal: Refusal) -> bytes:
    """The whole response, as it is written to a connection that is not let in."""
    headers, body = response_of(refusal)
    lines = [f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}".encode()]
    return b"\r\n".join([*lines, *(name + b": " + value for name, value in headers), b"", body])
