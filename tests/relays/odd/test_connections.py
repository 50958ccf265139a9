"""The farm's relays keep to their habits: connections, rates and AUTH."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode

from tests.relays.odd.asking import asked, connecting
from tests.relays.odd.behaviour import Behaviour, Way
from tests.relays.odd.endings import Closes, Cut
from tests.relays.odd.material import Writer
from tests.relays.odd.paths import OnlyAt
from tests.relays.odd.rates import EverySecondHandshake, HandshakeRate, Rate, RequestRate
from tests.relays.odd.relay import OddRelay, serving
from tests.relays.odd.signing import SignIn


@pytest.mark.parametrize("cut", [Cut(events=30), Cut(bytes=40_000), Cut(seconds=0.05)])
async def test_a_connection_is_cut_and_the_account_is_of_what_came(cut: Cut) -> None:
    async with asked(Writer().recent(300), cut) as (relay, asker):
        await asker.send(limit=500)
        heard = [message[2]["id"] for message in await asker.until_gone() if message[0] == "EVENT"]
        if cut.events:
            assert len(heard) == cut.events
        if cut.bytes:
            assert 80 < len(heard) < 150
        assert set(heard) == relay.account.given()
        assert asker.socket.close_code == CloseCode.ABNORMAL_CLOSURE


async def test_a_connection_is_closed_with_a_code() -> None:
    async with asked(Writer().recent(300), Closes(60, CloseCode.INTERNAL_ERROR, "out of memory")) as (relay, asker):
        await asker.send(limit=500)
        assert len(await asker.until_gone()) == 60
        assert len(relay.account.given()) == 60
        assert (asker.socket.close_code, asker.socket.close_reason) == (1011, "out of memory")


@pytest.mark.parametrize(
    ("way", "word"), [("closed", "CLOSED"), ("notice", "NOTICE"), ("ok", "OK")], ids=["closed", "notice", "ok"]
)
async def test_a_stranger_is_told_to_sign_in(way: Way, word: str) -> None:
    async with asked(Writer().recent(3), SignIn(way)) as (relay, asker):
        refused = (await asker.ask(limit=500))[-1]
        assert refused[0] == word
        assert refused[-1].startswith("auth-required: ")
        assert way != "ok" or refused[1:3] == ["a", False]
        assert not await asker.sign_in(challenge="another")
        assert await asker.sign_in()
        assert len(await asker.ids(limit=500)) == 3
        assert [each.accepted for each in relay.account.sign_ins] == [False, True]


@pytest.mark.parametrize("on_connect", [True, False])
async def test_a_question_waits_without_a_word_until_the_client_has_signed_in(on_connect: bool) -> None:
    async with asked(Writer().recent(3), SignIn("silent", on_connect=on_connect, holds=True)) as (_, asker):
        await asker.send(limit=500)
        assert (await asker.hear("AUTH"))[-1][1]
        assert await asker.is_quiet()
        assert await asker.sign_in()
        assert len(await asker.hear("EOSE")) == 4


@pytest.mark.parametrize("way", ["closed", "silent"])
async def test_a_session_ends(way: Way) -> None:
    async with asked(Writer().recent(3), SignIn(way, lasts_s=0.05)) as (_, asker):
        await asker.hear("AUTH")
        first = asker.challenge
        assert await asker.sign_in()
        await asker.send(limit=500)
        heard = await asker.hear("CLOSED" if way == "closed" else "AUTH")
        assert [message[0] for message in heard][:5] == ["EVENT"] * 3 + ["EOSE", "AUTH"]
        assert asker.challenge != first
        await asker.send("b", limit=500)
        assert (await asker.hear("CLOSED"))[-1][1] == "b" if way == "closed" else await asker.is_quiet()


async def test_auth_is_good_for_one_question_or_for_none() -> None:
    async with asked(Writer().recent(3), SignIn("closed", per_request=True)) as (_, asker):
        for subid in ("a", "b"):
            assert (await asker.ask(subid))[-1][0] == "CLOSED"
            assert await asker.sign_in()
            assert len(await asker.ids(subid)) == 3
    async with asked(Writer().recent(3), SignIn("closed", satisfied=False)) as (relay, asker):
        for _ in range(3):
            assert [message[0] for message in await asker.ask()][-2:] == ["AUTH", "CLOSED"]
            assert await asker.sign_in()
        assert not relay.account.given()


async def test_requests_are_counted() -> None:
    async with asked(Writer().recent(3), RequestRate(Rate(2, 3600), "closed", "rate-limited: slowly")) as (
        relay,
        asker,
    ):
        assert [(await asker.ask())[-1][0] for _ in range(3)] == ["EOSE", "EOSE", "CLOSED"]
        assert [request.outcome for request in relay.account.requests] == ["page", "page", "refused"]


@pytest.mark.parametrize(
    ("behaviour", "statuses"),
    [
        (EverySecondHandshake(HTTPStatus.SERVICE_UNAVAILABLE, 0), [503, 101, 503, 101]),
        (EverySecondHandshake(HTTPStatus.TOO_MANY_REQUESTS, 3600), [429, 429, 429, 429]),
        (HandshakeRate(Rate(2, 3600)), [101, 101, 429, 429]),
    ],
    ids=["503", "429 too early", "counted"],
)
async def test_handshakes_are_refused(behaviour: Behaviour, statuses: list[int]) -> None:
    async with serving(OddRelay([], behaviour)) as relay:
        assert [await status(relay, relay.url) for _ in statuses] == statuses
        assert len(relay.account.refusals) == len([each for each in statuses if each != 101])
        assert len(relay.account.connections) == statuses.count(101)
        assert len(relay.account.contacts_s) >= len(statuses)


@pytest.mark.parametrize(
    ("announced", "behaviour", "there", "elsewhere"),
    [
        ("/inbox/", OnlyAt("/inbox/"), 101, 404),
        ("/inbox", OnlyAt("/inbox"), 101, 404),
        ("/inbox", OnlyAt("/inbox/", HTTPStatus.MOVED_PERMANENTLY), 301, 101),
        ("/feed?key=1", OnlyAt("/feed?key=1"), 101, 404),
    ],
)
async def test_a_relay_is_at_one_path(announced: str, behaviour: OnlyAt, there: int, elsewhere: int) -> None:
    async with serving(OddRelay([], behaviour, path=announced)) as relay:
        other = relay.url[:-1] if relay.url.endswith("/") else relay.url + "/"
        assert await status(relay, relay.url) == there
        assert await status(relay, other) == elsewhere


async def test_a_redirect_says_where() -> None:
    behaviour = OnlyAt("/inbox/", HTTPStatus.MOVED_PERMANENTLY, absolute=True)
    async with serving(OddRelay([], behaviour, path="/inbox")) as relay:
        with pytest.raises(InvalidStatus) as refused:
            async with connecting(relay):
                pass
        assert refused.value.response.headers["Location"] == relay.url.replace("ws:", "http:") + "/"


async def status(relay: OddRelay, url: str) -> int:
    try:
        async with connecting(relay, url):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code
