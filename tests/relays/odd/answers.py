"""Relays that answer in odd ways: late, in small pages, to narrow filters only, without regard to `limit`."""

from __future__ import annotations

from tests.relays.hostile import Event
from tests.relays.odd.behaviour import Behaviour
from tests.relays.odd.late import Arriving, Backdated, Late
from tests.relays.odd.material import DAY_S, INVENTED, ORDINARY, PRIVATE, RARE, REGISTERED, SCARCE, UNHEARD_OF, Writer
from tests.relays.odd.questions import Cap, IgnoresLimit, MostKinds, NoBareFilters, Slow, StatesLimit
from tests.relays.odd.relay import OddRelay
from tests.relays.odd.scale import Scale

EMPTY, BROAD = "blocked: can't handle empty filters", "error: filter too broad"
MOST = 10
"""Kinds, events: what the strict relays take or give."""


def late(scale: Scale) -> dict[str, OddRelay]:
    """EOSE first, stored events later."""
    delays = [(0.3, True), (2.0, True), (6.0, False)]
    if scale.whole:
        delays = [(delay_s, honours) for delay_s in (0.3, 2.0, 6.0) for honours in (True, False)]
    relays = {
        f"late by {delay_s:g} s, {'heeds' if honours else 'ignores'} CLOSE": OddRelay(
            _of_two_weeks(scale), Late(delay_s, honours_close=honours)
        )
        for delay_s, honours in delays
    }
    relays["half late"] = OddRelay(_of_two_weeks(scale), Late(1.0, before=0.5))
    writer = Writer()
    arriving = writer.recent(30, newest_s=5 * 3_600, step_s=4_000)
    relays["gets old events"] = OddRelay(writer.history(scale.of(60, 300)), Backdated(arriving))
    return relays


def known_filters(scale: Scale) -> dict[str, OddRelay]:
    """One invents so many kinds that they may drive out the known ones, which the other needs."""
    return {
        "invents kinds": OddRelay(Writer().recent(len(INVENTED), step_s=300, kinds=INVENTED)),
        "registered kinds": _withholding(scale, RARE, Slow(0.3)),
    }


def pages(scale: Scale) -> dict[str, OddRelay]:
    """Fewer events at a time than were asked for, and several of them in one second."""

    def relay(each: int, crowd: int, *behaviours: Behaviour) -> OddRelay:
        writer = Writer()
        many = writer.bursts(scale.of(12, 80), each)
        # More in a second than a page holds; their kinds tell them apart.
        crowded = writer.bursts(1, crowd, kinds=REGISTERED, step_s=1)
        return OddRelay([*many, *crowded, *writer.history(30)], *behaviours)

    return {
        "limit 10 by NOTICE": relay(4, 24, StatesLimit(10, "notice", "invalid: limitation.max_limit 10")),
        "limit 5 by CLOSED": relay(3, 12, StatesLimit(5, "closed", "invalid: too many events, use limit 5")),
        "cap 10": relay(4, 24, Cap(10)),
        "cap 50": relay(20, 120, Cap(50)),
    }


def filters(scale: Scale) -> dict[str, OddRelay]:
    """They refuse bare filters, or long lists of kinds, or both."""
    all_kinds = (*REGISTERED, *PRIVATE, UNHEARD_OF)

    def relay(*behaviours: Behaviour) -> OddRelay:
        return OddRelay(Writer().history(scale.of(60, 300), days=90, kinds=all_kinds), *behaviours)

    def strict(*behaviours: Behaviour) -> OddRelay:
        known = Writer().history(scale.of(56, 280), days=90, kinds=(*REGISTERED, *SCARCE, *PRIVATE))
        # Three thousand questions would find them, or their author's name, which is not met elsewhere.
        return OddRelay(known, *behaviours, hidden=Writer().recent(3, kinds=(UNHEARD_OF,), step_s=3_000))

    return {
        "no bare filters, blocked": relay(NoBareFilters("closed", EMPTY)),
        "no bare filters, error": relay(NoBareFilters("closed", BROAD)),
        "no bare filters, NOTICE": relay(NoBareFilters("notice", "filter too broad")),
        "20 kinds by CLOSED": _withholding(scale, SCARCE, MostKinds(20, "closed")),
        "10 kinds by NOTICE": _withholding(scale, SCARCE, MostKinds(10, "notice")),
        # A hundred questions for each range would find all.
        "3 kinds by CLOSED": _withholding(scale, SCARCE, MostKinds(3, "closed"), demanded=False),
        "20 kinds, silently": _withholding(scale, SCARCE, MostKinds(20, "silent")),
        "no bare filters, 20 kinds": strict(NoBareFilters("closed", EMPTY), MostKinds(20, "closed")),
        "no bare filters, 20 kinds silently": strict(NoBareFilters("closed", EMPTY), MostKinds(20, "silent")),
    }


def limits(scale: Scale) -> dict[str, OddRelay]:
    """They do not look at `limit`."""
    return {
        "ignores limit": OddRelay(Writer().recent(8_000, step_s=10, kinds=ORDINARY), IgnoresLimit()),
        "gives 3000": OddRelay(Writer().recent(scale.of(4_000, 8_000), step_s=10), IgnoresLimit(3_000)),
    }


def honest(scale: Scale) -> dict[str, OddRelay]:
    """Keeps to NIP-01."""
    return {"honest": OddRelay(Writer().history(scale.of(600, 3_000), kinds=REGISTERED), Arriving(10, 3.0))}


def _of_two_weeks(scale: Scale) -> list[Event]:
    """Some of them older than what a live subscription asks for, so that they come by pages alone."""
    writer, count = Writer(), scale.of(20, 200)
    return [*writer.recent(count), *writer.recent(count, newest_s=4 * DAY_S, step_s=800_000 // count)]


def _withholding(scale: Scale, kinds: tuple[int, ...], *behaviours: Behaviour, demanded: bool = True) -> OddRelay:
    """A relay with some events of these kinds that only a filter with kinds shows: what it withholds fills a page."""
    groups = scale.of(8, 24)
    few, private = Writer().groups(groups, kinds), Writer().before_groups(groups, 60, PRIVATE)
    ordinary = Writer().history(scale.of(30, 300), days=90)
    shown = [*ordinary, *few] if demanded else ordinary
    return OddRelay(shown, *behaviours, Cap(20), hidden=() if demanded else few, withheld=private)
