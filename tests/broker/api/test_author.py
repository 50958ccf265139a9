"""What the archive knows of an author, over REST."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest

from core.archive.connection import Pool
from core.settings import Settings
from schemas.nostr.event import Event
from tests.broker.api.asking import get
from tests.broker.api.conftest import serving
from tests.broker.api.test_one_event import with_policy
from tests.broker.sinks.archived import AUTHORS, RELAYS, SEEN_MS, START_S, fill, signed

pytestmark = pytest.mark.broker

FOLLOWED = [f"{number:064x}" for number in range(1, 8)]
PROFILE = {"name": "someone", "about": "x" * 5000, "bot": "yes", "nip05": 7, "lud16": "someone@example.com", "more": {}}
TIED = sorted(
    [signed(START_S + 9, 0, [], json.dumps({**PROFILE, "display_name": name})) for name in "ab"],
    key=lambda each: each.id,
)
EVENTS = [
    signed(START_S, 0, [], '{"name":"before"}'),
    *TIED,
    signed(START_S, 3, [["p", key] for key in [*FOLLOWED, FOLLOWED[0], "x"]], ""),
    signed(
        START_S,
        10_002,
        [
            ["r", "wss://Both.example.com/"],
            ["r", "wss://read.example.com", "read"],
            ["r", "wss://write.example.com", "write"],
            ["r", "wss://both.example.com"],
            ["r", "ws://127.0.0.1"],
        ],
        "",
    ),
    signed(START_S, 10_050, [["relay", "wss://inbox.example.com"], ["relay"]], ""),
    *(signed(START_S - 90 * 86_400 * number, 1, [], str(number)) for number in range(5)),
    signed(START_S + 50, 1059, [["p", AUTHORS[1]]], "private"),
    signed(START_S + 60, 1, [["-"]], "protected"),
]
OLDEST = next(each for each in EVENTS if each.content == "4")
HIDDEN_VERSION = [signed(START_S, 0, [], '{"name":"kept"}', author=1), signed(START_S + 1, 0, [], "{}", author=1)]
DELETION = signed(START_S + 2, 5, [["e", HIDDEN_VERSION[1].id]], "", author=1)
ONLY_PRIVATE = [signed(START_S, 4, [["p", AUTHORS[0]]], "", author=2), signed(START_S, 1, [["-"]], "", author=2)]
NOT_JSON = [signed(START_S, 0, [], "[" * 70_000, author=3), signed(START_S, 3, [], "", author=3)]
# With those, as many kinds as are counted; and some of which nothing is shown.
MOST_KINDS = [signed(START_S, 100 + number, [], "", author=3) for number in range(62)]
HIDDEN_KINDS = [
    signed(START_S, 50, [["-"]], "", author=3),
    *(signed(START_S, kind, [["p", AUTHORS[1]]], "", author=3) for kind in (4, 1059)),
]
MANY = [signed(START_S + number, 7, [], "+", author=4) for number in range(1002)]
ALL: list[Event] = [*EVENTS, *HIDDEN_VERSION, DELETION, *ONLY_PRIVATE, *NOT_JSON, *MOST_KINDS, *HIDDEN_KINDS, *MANY]


async def test_what_is_known_of_an_author(archive_settings: Settings, archive_pool: Pool) -> None:
    async with archive_pool.acquire() as connection:
        await fill(connection, ALL, {OLDEST.id: {RELAYS[0]: SEEN_MS + 5000, RELAYS[1]: SEEN_MS}})
    async with serving(with_policy(archive_settings, "hide")) as url:
        found = await get(url, f"/v1/authors/{AUTHORS[0]}", follows=3)
        assert found["profile"] == {
            "event_id": TIED[0].id,
            "created_at": START_S + 9,
            "name": "someone",
            "display_name": json.loads(TIED[0].content)["display_name"],
            "about": "x" * 4096,
            "picture": None,
            "banner": None,
            "website": None,
            "nip05": None,
            "lud06": None,
            "lud16": "someone@example.com",
            "bot": None,
        }
        assert (found["follows"]["number"], found["follows"]["pubkeys"]) == (len(FOLLOWED), FOLLOWED[:3])
        read_write, inbox = found["relay_lists"]
        assert [(each["url"], each["read"], each["write"]) for each in read_write["relays"]] == [
            ("wss://both.example.com", True, True),
            ("wss://read.example.com", True, False),
            ("wss://write.example.com", False, True),
        ]
        assert (read_write["kind"], read_write["left_out"]) == (10_002, 2)
        assert ([each["url"] for each in inbox["relays"]], inbox["left_out"]) == (["wss://inbox.example.com"], 0)
        assert [(each["kind"], each["number"], each["is_exact"]) for each in found["kinds"]] == [
            (0, 3, True),
            (1, 5, True),
            (3, 1, True),
            (10_002, 1, True),
            (10_050, 1, True),
        ]
        assert found["has_more_kinds"] is False
        assert found["oldest"] == {
            "id": OLDEST.id,
            "created_at": OLDEST.created_at,
            "first_seen_at": SEEN_MS // 1000,
        }
        assert (found["newest"]["id"], found["newest"]["first_seen_at"]) == (TIED[0].id, None)

        hidden = await get(url, f"/v1/authors/{AUTHORS[1]}")
        assert hidden["profile"] is None, "the version before does not come back"
        assert [(each["kind"], each["number"]) for each in hidden["kinds"]] == [(0, 1), (5, 1)]
        odd = await get(url, f"/v1/authors/{AUTHORS[3]}")
        assert odd["profile"]["name"] is None
        assert odd["follows"]["number"] == 0
        assert [each["kind"] for each in odd["kinds"]] == [0, 3, *range(100, 162)]
        assert odd["has_more_kinds"] is False, "what is not shown is not told of"
        many = await get(url, f"/v1/authors/{AUTHORS[4]}")
        assert many["kinds"] == [{"kind": 7, "number": 1000, "is_exact": False}]
        assert many["newest"]["id"] == MANY[-1].id

        for unknown in (AUTHORS[2], "0" * 64):
            problem = await get(url, f"/v1/authors/{unknown}", HTTPStatus.NOT_FOUND)
            assert problem["parameter"] == "pubkey"
        for wrong, name in (("xyz", "pubkey"), (f"{AUTHORS[0]}?follows=5001", "follows"), (f"{AUTHORS[0]}?x=1", "x")):
            problem = await get(url, f"/v1/authors/{wrong}", HTTPStatus.BAD_REQUEST)
            assert problem["parameter"] == name
    async with serving(with_policy(archive_settings, "flag")) as url:
        flagged = await get(url, f"/v1/authors/{AUTHORS[1]}")
        assert flagged["profile"]["event_id"] == HIDDEN_VERSION[1].id
        odd = await get(url, f"/v1/authors/{AUTHORS[3]}")
        assert [each["kind"] for each in odd["kinds"]] == [0, 3, 50, *range(100, 161)]
        assert odd["has_more_kinds"] is True
