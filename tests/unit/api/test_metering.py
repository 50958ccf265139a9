"""What the API counts of requests: labels are words of ours, whatever a client sends."""

from __future__ import annotations

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.metering import Metered, subject
from core import metrics


async def _heard() -> Message:
    return {"type": "http.disconnect"}


async def _said(_message: Message) -> None:
    pass


def _scope(kind: str, path: str) -> Scope:
    return {"type": kind, "path": path}


def _sample(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/", "relay"),
        ("/v1/events", "events"),
        ("/v1/events/" + "a" * 64, "events"),
        ("/v1/addresses/30023:aa:b/c/versions", "addresses"),
        ("/v1/authors/x", "authors"),
        ("/v1/relays/wss://a.example", "relays"),
        ("/openapi.json", "reference"),
        ("/docs", "reference"),
        ("/docs/reference.js", "reference"),
        ("/v1", "other"),
        ("/v1/", "other"),
        ("/v2/events", "other"),
        ("/v1/events.php", "other"),
        ("//v1/events", "other"),
        ("", "other"),
        ("*", "other"),
    ],
)
def test_a_path_is_counted_under_a_word_of_ours(path: str, word: str) -> None:
    assert subject(path) == word


async def test_an_answer_is_counted_with_the_class_of_its_status_and_its_bytes() -> None:
    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        await send({"type": "http.response.body"})

    before = (
        _sample("bigbrotr_api_requests_total", endpoint="relays", status="4xx"),
        _sample("bigbrotr_api_request_seconds_count", endpoint="relays"),
        _sample("bigbrotr_api_sent_bytes_total", protocol="http"),
    )
    await Metered(answer)(_scope("http", "/v1/relays"), _heard, _said)
    after = (
        _sample("bigbrotr_api_requests_total", endpoint="relays", status="4xx"),
        _sample("bigbrotr_api_request_seconds_count", endpoint="relays"),
        _sample("bigbrotr_api_sent_bytes_total", protocol="http"),
    )
    assert [new - old for old, new in zip(before, after, strict=True)] == [1, 1, 5]


async def test_a_failure_is_counted_as_an_answer_of_5xx_and_raised() -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("of the application")

    before = _sample("bigbrotr_api_requests_total", endpoint="other", status="5xx")
    with pytest.raises(RuntimeError, match="of the application"):
        await Metered(fail)(_scope("http", "/x"), _heard, _said)
    assert _sample("bigbrotr_api_requests_total", endpoint="other", status="5xx") == before + 1


async def test_a_websocket_is_open_until_its_application_ends() -> None:
    seen: list[float] = []
    before = _sample("bigbrotr_api_websockets")
    sent = _sample("bigbrotr_api_sent_bytes_total", protocol="websocket")

    async def converse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        seen.append(_sample("bigbrotr_api_websockets") - before)
        await send({"type": "websocket.send", "text": "ä"})
        await send({"type": "websocket.send", "bytes": b"123"})
        await send({"type": "websocket.send", "buffers": (b"12", b"", b"345")})
        raise RuntimeError("it ends badly")

    with pytest.raises(RuntimeError):
        await Metered(converse)(_scope("websocket", "/"), _heard, _said)
    assert seen == [1]
    assert _sample("bigbrotr_api_websockets") == before
    assert _sample("bigbrotr_api_sent_bytes_total", protocol="websocket") == sent + 10


async def test_a_websocket_that_is_refused_is_a_refusal() -> None:
    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 1008})

    before = _sample("bigbrotr_api_requests_total", endpoint="websocket", status="4xx")
    await Metered(refuse)(_scope("websocket", "/other"), _heard, _said)
    assert _sample("bigbrotr_api_requests_total", endpoint="websocket", status="4xx") == before + 1
