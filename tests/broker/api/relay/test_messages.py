"""What each message is answered, right or wrong; afterwards the connection is as good as before."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.broker.api.relay.client import connected
from tests.broker.api.served import Served

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

ID = "a" * 64
EVENT = {"id": ID, "pubkey": ID, "created_at": 1, "kind": 1, "tags": [], "content": "", "sig": ID * 2}
LONG = "s" * 65
ANSWERS: dict[str, tuple[Any, list[Any]]] = {
    "NIP-01: EVENT is answered by OK false with blocked:": (
        ["EVENT", EVENT],
        ["OK", ID, False, "blocked: read-only archive"],
    ),
    "NIP-01: an EVENT that is malformed but for its id": (["EVENT", {"id": ID}], ["OK", ID, False, "blocked:"]),
    "NIP-01: an EVENT without an id has no OK": (["EVENT", {}], ["NOTICE", "invalid: EVENT: what follows is"]),
    "NIP-01: an EVENT with an id that is none": (["EVENT", {"id": "x"}], ["NOTICE", "invalid: EVENT:"]),
    "NIP-01: an EVENT without an event": (["EVENT"], ["NOTICE", "invalid: EVENT: what follows is missing"]),
    "NIP-42: kind 22242 by EVENT is refused as others": (
        ["EVENT", {**EVENT, "kind": 22242}],
        ["OK", ID, False, "blocked:"],
    ),
    "NIP-01: REQ needs a subscription id": (["REQ"], ["NOTICE", "invalid: REQ: the id is missing"]),
    "NIP-01: a subscription id is not empty": (["REQ", "", {}], ["NOTICE", "invalid: REQ: the id is text of 0"]),
    "NIP-01: a subscription id has 64 characters at most": (
        ["REQ", LONG, {}],
        ["NOTICE", "invalid: REQ: the id is text of 65 characters; it must be text of 1 to 64"],
    ),
    "NIP-01: a subscription id is text": (["REQ", 1, {}], ["NOTICE", "invalid: REQ: the id is the number 1"]),
    "NIP-01: REQ needs a filter": (["REQ", "a"], ["CLOSED", "a", "invalid: there are 0 filters; give 1 to 10"]),
    "NIP-01: a filter is an object": (["REQ", "a", [1]], ["CLOSED", "a", "invalid: filter 0: is an array of 1"]),
    "NIP-01: each filter is looked at": (["REQ", "a", {}, None], ["CLOSED", "a", "invalid: filter 1: is null"]),
    "NIP-01: more filters than are taken": (["REQ", "a", *[{}] * 11], ["CLOSED", "a", "invalid: there are 11"]),
    "NIP-01: an empty list": (["REQ", "a", {"kinds": []}], ["CLOSED", "a", "invalid: filter 0: kinds: is an empty"]),
    "NIP-01: an empty list of ids": (["REQ", "a", {"ids": []}], ["CLOSED", "a", "invalid:"]),
    "NIP-01: an empty list of a tag": (["REQ", "a", {"#e": []}], ["CLOSED", "a", "invalid:"]),
    "NIP-01: a list is a list": (["REQ", "a", {"authors": ID}], ["CLOSED", "a", "invalid: filter 0: authors: is text"]),
    "NIP-01: ids are whole, prefixes are refused": (["REQ", "a", {"ids": ["aa"]}], ["CLOSED", "a", "invalid:"]),
    "NIP-01: ids are lower case": (
        ["REQ", "a", {"ids": [ID.upper()]}],
        ["CLOSED", "a", "invalid: filter 0: ids[0]: is text of 64 characters; it must be one of 64 lower-case hex"],
    ),
    "NIP-19: its forms are not for filters": (
        ["REQ", "a", {"authors": ["npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"]}],
        ["CLOSED", "a", "invalid: filter 0: authors[0]"],
    ),
    "NIP-19: its forms are not for tags of keys": (
        ["REQ", "a", {"#p": ["npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"]}],
        ["CLOSED", "a", "invalid: filter 0: #p[0]: is text of 63 characters; it must be 64 lower-case hex"],
    ),
    "NIP-01: kinds are integers": (["REQ", "a", {"kinds": ["1"]}], ["CLOSED", "a", "invalid: filter 0: kinds[0]"]),
    "NIP-01: kinds end at 65535": (["REQ", "a", {"kinds": [65536]}], ["CLOSED", "a", "invalid:"]),
    "NIP-01: since is an integer": (["REQ", "a", {"since": 1.5}], ["CLOSED", "a", "invalid: filter 0: since"]),
    "NIP-01: until is not negative": (["REQ", "a", {"until": -1}], ["CLOSED", "a", "invalid: filter 0: until"]),
    "NIP-01: limit is no text": (["REQ", "a", {"limit": "5"}], ["CLOSED", "a", "invalid: filter 0: limit"]),
    "NIP-01: values of tags are text": (["REQ", "a", {"#t": [1]}], ["CLOSED", "a", "invalid: filter 0: #t[0]"]),
    "NIP-01: tags of one letter only": (["REQ", "a", {"#tt": ["x"]}], ["CLOSED", "a", "unsupported: filter 0: #tt"]),
    "NIP-01: unknown fields of a filter": (["REQ", "a", {"x": 1}], ["CLOSED", "a", "unsupported: filter 0: x: is no"]),
    "NIP-50: search is not supported": (
        ["REQ", "a", {"search": "x"}],
        ["CLOSED", "a", "unsupported: filter 0: search"],
    ),
    "NIP-01: more values than are taken": (
        ["REQ", "a", {"kinds": list(range(600))}, {"kinds": list(range(600))}],
        ["CLOSED", "a", "invalid: the filters hold 1200 values; give 1000 at most"],
    ),
    "NIP-01: CLOSE needs an id": (["CLOSE"], ["NOTICE", "invalid: CLOSE: the id is missing"]),
    "NIP-01: unknown verbs": (["HELLO", 1], ["NOTICE", "unsupported: 'HELLO' is not served"]),
    "NIP-01: verbs are upper case": (["req", "a", {}], ["NOTICE", "unsupported: 'req'"]),
    "NIP-01: a message is an array": ({"REQ": 1}, ["NOTICE", "invalid: the message is an object of 1 members"]),
    "NIP-01: a message begins with a verb": ([], ["NOTICE", "invalid: the message is an array of 0"]),
    "NIP-01: a message that is null": (None, ["NOTICE", "invalid: the message is null"]),
    "NIP-42: AUTH needs an event": (["AUTH", ID], ["NOTICE", "invalid: AUTH: what follows is text of 64"]),
    "NIP-42: the event of AUTH has all fields": (["AUTH", {"id": ID}], ["OK", ID, False, "invalid:"]),
    "NIP-42: AUTH before any challenge": (["AUTH", {**EVENT, "kind": 22242}], ["OK", ID, False, "invalid:"]),
    "NIP-45: COUNT of what is not there": (["COUNT", "q", {"kinds": [65535]}], ["COUNT", "q", {"count": 0}]),
    "NIP-45: COUNT of one filter": (["COUNT", "q", {"kinds": [7]}], ["COUNT", "q", {"count": 12}]),
    "NIP-45: several filters give one number": (
        ["COUNT", "q", {"kinds": [7]}, {"kinds": [10002]}, {"kinds": [7, 10002]}],
        ["COUNT", "q", {"count": 15}],
    ),
    "NIP-45: limit does not count": (["COUNT", "q", {"kinds": [7], "limit": 2}], ["COUNT", "q", {"count": 12}]),
    "NIP-45: COUNT is refused by CLOSED": (["COUNT", "q"], ["CLOSED", "q", "invalid: there are 0 filters"]),
    "NIP-45: a COUNT with an empty list": (["COUNT", "q", {"ids": []}], ["CLOSED", "q", "invalid:"]),
    "NIP-45: COUNT needs an id": (["COUNT", "", {}], ["NOTICE", "invalid: COUNT: the id is text of 0"]),
    "NIP-77: NEG-OPEN is refused": (["NEG-OPEN", "n", {}, "61"], ["NEG-ERR", "n", "blocked: NIP-77"]),
    "NIP-77: NEG-MSG is refused": (["NEG-MSG", "n", "61"], ["NEG-ERR", "n", "blocked: NIP-77"]),
    "NIP-77: NEG-CLOSE is refused": (["NEG-CLOSE", "n"], ["NEG-ERR", "n", "blocked: NIP-77"]),
    "NIP-77: NEG-OPEN needs an id": (["NEG-OPEN"], ["NOTICE", "invalid: NEG-OPEN: the id is missing"]),
}
FRAMES: dict[str, str | bytes] = {
    "NIP-01: a frame that is not JSON": "hello",
    "NIP-01: an empty frame": "",
    "NIP-01: JSON that is cut off": '["REQ","a",{"kinds":[1]}',
    "NIP-01: two messages in one frame": '["CLOSE","a"]["CLOSE","b"]',
    "NIP-01: brackets without end": "[" * 50_000,
    "NIP-01: a lone surrogate": '["REQ","a",{"#t":["\\ud800"]}]',
    "NIP-01: NaN": '["REQ","a",{"since":NaN}]',
    "NIP-01: a binary frame": b'["REQ","a",{}]',
}


@pytest.mark.parametrize("paragraph", ANSWERS)
async def test_a_message_has_its_answer(served: Served, paragraph: str) -> None:
    message, wanted = ANSWERS[paragraph]
    async with connected(served.url) as client:
        await client.socket.send(orjson.dumps(message), text=True)
        answer = await client.receive()
        assert len(answer) == len(wanted), answer
        for part, expected in zip(answer, wanted, strict=True):
            assert part == expected or (isinstance(expected, str) and part.startswith(expected)), answer
        assert await client.is_alive()


@pytest.mark.parametrize("paragraph", FRAMES)
async def test_a_frame_that_is_no_message_has_a_notice(served: Served, paragraph: str) -> None:
    async with connected(served.url) as client:
        await client.socket.send(FRAMES[paragraph])
        verb, text = await client.receive()
        assert verb == "NOTICE"
        assert text.startswith("invalid: the message is ")
        assert await client.is_alive()


async def test_words_about_long_names_are_short(served: Served) -> None:
    async with connected(served.url) as client:
        await client.send("REQ", "a", {"x" * 100_000: 1})
        verb, subid, text = await client.receive()
        assert (verb, subid, len(text)) == ("CLOSED", "a", 400)
        await client.send("V" * 100_000)
        verb, text = await client.receive()
        assert verb == "NOTICE"
        assert len(text) < 200


async def test_close_has_no_answer(served: Served) -> None:
    """NIP-01: CLOSE has no answer, also where there is no such subscription."""
    async with connected(served.url) as client:
        await client.send("CLOSE", "unknown")
        assert await client.is_alive()
