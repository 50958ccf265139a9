"""Relays whose connections are odd: signed in, cut off, counted, few subscriptions wide, behind a path."""

from __future__ import annotations

from http import HTTPStatus

from websockets.frames import CloseCode

from tests.relays.odd.behaviour import Behaviour, Way
from tests.relays.odd.endings import Closes, Cut
from tests.relays.odd.late import Arriving
from tests.relays.odd.material import Writer
from tests.relays.odd.paths import OnlyAt
from tests.relays.odd.questions import Cap, MostSubscriptions, Slow
from tests.relays.odd.rates import EverySecondHandshake, HandshakeRate, Rate, RequestRate
from tests.relays.odd.relay import OddRelay
from tests.relays.odd.scale import Scale
from tests.relays.odd.signing import SignIn


def signed(scale: Scale) -> dict[str, OddRelay]:
    """AUTH, demanded in five ways."""

    def relay(*behaviours: Behaviour) -> OddRelay:
        return OddRelay(Writer().history(scale.of(80, 400)), *behaviours)

    return {
        "AUTH, held": relay(SignIn("silent", holds=True)),
        "AUTH by NOTICE": relay(SignIn("notice")),
        "AUTH by OK": relay(SignIn("ok")),
        "AUTH by CLOSED": relay(SignIn("closed")),
        "AUTH after a REQ": relay(SignIn("closed", on_connect=False)),
        "AUTH after a REQ, held": relay(SignIn("silent", on_connect=False, holds=True)),
    }


def sessions(scale: Scale) -> dict[str, OddRelay]:
    """AUTH again and again."""
    lasts_s = scale.of(6.0, 25.0)

    def relay(sign_in: SignIn, *, readable: bool = True) -> OddRelay:
        behaviours = (sign_in, Slow(0.4), Cap(20), Arriving(10, 3.0))
        return OddRelay(Writer().history(scale.of(150, 600)), *behaviours, readable=readable)

    return {
        "session ends by CLOSED": relay(SignIn("closed", lasts_s=lasts_s)),
        "session ends silently": relay(SignIn("silent", lasts_s=lasts_s)),
        # It can be read with an AUTH for each question, which no client has to put up with.
        "AUTH for each REQ": relay(SignIn("closed", per_request=True), readable=False),
        "never satisfied": relay(SignIn("closed", satisfied=False), readable=False),
    }


def cuts(scale: Scale) -> dict[str, OddRelay]:
    """The connection ends after so much."""

    def relay(brief: int, *behaviours: Behaviour) -> OddRelay:
        return OddRelay(Writer().history(scale.of(brief, 1_000)), *behaviours)

    return {
        "cut after 124 events": relay(700, Cut(events=124)),
        "cut after 30 events": relay(200, Cut(events=30)),
        "cut after 40000 bytes": relay(700, Cut(bytes=40_000)),
        "cut after 3 s": relay(400, Cut(seconds=3.0), Slow(0.25), Cap(50)),
        "closes with 1000": relay(300, Closes(60, CloseCode.NORMAL_CLOSURE, "that is enough")),
        "closes with 1011": relay(300, Closes(60, CloseCode.INTERNAL_ERROR, "out of memory")),
    }


def rates(scale: Scale) -> dict[str, OddRelay]:
    """So many REQs or handshakes in a time."""

    def asked(most: int, seconds: float, way: Way, words: str) -> OddRelay:
        behaviour = RequestRate(Rate(most, seconds), way, f"rate-limited: {words}")
        return OddRelay(Writer().history(scale.of(100, 1_500), days=60), behaviour)

    def dialled(*behaviours: Behaviour) -> OddRelay:
        return OddRelay(Writer().history(scale.of(200, 600)), *behaviours, Cut(events=60))

    some_s = scale.of(3, 10)
    minute_s = scale.of(15, 60)
    minute = scale.of("10 requests in 15 seconds", "10 requests a minute")
    return {
        "4 REQs by NOTICE": asked(4, some_s, "notice", f"slow down, try again in {some_s} seconds"),
        "10 REQs by CLOSED": asked(10, minute_s, "closed", f"at most {minute}"),
        "REQs without a number": asked(8, some_s, "closed", "you are noting too much"),
        "429 every second time": dialled(EverySecondHandshake(HTTPStatus.TOO_MANY_REQUESTS, 3)),
        "503 every second time": dialled(EverySecondHandshake(HTTPStatus.SERVICE_UNAVAILABLE, 5)),
        "6 handshakes": dialled(HandshakeRate(Rate(6, scale.of(20, 60)))),
    }


def subscriptions(scale: Scale) -> dict[str, OddRelay]:
    """One or two subscriptions on a connection."""

    def relay(behaviour: Behaviour) -> OddRelay:
        # A client that gives up its subscription to new events in favour of another misses some.
        return OddRelay(Writer().history(scale.of(80, 400)), behaviour, Arriving(10, 3.0))

    return {
        "one REQ, NOTICE": relay(MostSubscriptions(1, "notice", "ERROR: too many concurrent REQs")),
        "one REQ, CLOSED": relay(MostSubscriptions(1, "closed", "error: too many subscriptions")),
        "two REQs, CLOSED": relay(MostSubscriptions(2, "closed", "error: too many subscriptions")),
    }


def paths(scale: Scale) -> dict[str, OddRelay]:
    """Here and not there."""

    def relay(announced: str, behaviour: OnlyAt) -> OddRelay:
        return OddRelay(Writer().history(scale.of(60, 300)), behaviour, path=announced)

    return {
        "with a slash": relay("/inbox/", OnlyAt("/inbox/")),
        "without a slash": relay("/inbox", OnlyAt("/inbox")),
        "301 to the slash": relay("/inbox", OnlyAt("/inbox/", HTTPStatus.MOVED_PERMANENTLY, absolute=True)),
        "308 to the slash": relay("/inbox", OnlyAt("/inbox/", HTTPStatus.PERMANENT_REDIRECT)),
        "308 from the slash": relay("/inbox/", OnlyAt("/inbox", HTTPStatus.PERMANENT_REDIRECT)),
        "with a query": relay("/feed?key=Ab-1&lang=en", OnlyAt("/feed?key=Ab-1&lang=en")),
    }
