"""The farm's relays keep to their habits: what they answer."""

from __future__ import annotations

import pytest

from tests.relays.odd.asking import asked, connecting
from tests.relays.odd.behaviour import Way
from tests.relays.odd.farm import farm
from tests.relays.odd.late import Arriving, Backdated, Late
from tests.relays.odd.material import PRIVATE, UNHEARD_OF, Writer
from tests.relays.odd.questions import Cap, IgnoresLimit, MostKinds, MostSubscriptions, NoBareFilters, StatesLimit
from tests.relays.odd.relay import OddRelay, serving


def ids_of(events: list[dict[str, object]]) -> list[object]:
    return [event["id"] for event in events]


async def test_without_a_behaviour_a_relay_keeps_to_the_rules_and_accounts_for_it() -> None:
    events = Writer().recent(30, step_s=10)
    async with asked(events) as (relay, asker):
        assert await asker.ids(limit=10) == ids_of(events)[:10]
        second = events[7]["created_at"]
        assert await asker.ids("b", since=second, until=second, limit=10) == [events[7]["id"]]
        assert len(await asker.ids("c", kinds=[7], limit=500)) == 10
        assert await asker.ids("d", authors=["0" * 64], limit=500) == []
        assert await asker.ids("e", limit=0) == []
        new = Writer().recent(1)[0]
        await relay.publish(new)
        assert [message[1] for message in await asker.hear("EVENT") + await asker.hear("EVENT")] == ["a", "e"]
        given = {*ids_of(events[:10]), *[event["id"] for event in events if event["kind"] == 7], new["id"]}
        assert relay.account.connections[0].given.keys() == given
        assert {event.id for event in relay.missing()} == set(ids_of(events)) - given
        assert [request.subid for request in relay.account.requests] == ["a", "b", "c", "d", "e"]
        assert relay.account.requests[1].filter == {"since": second, "until": second, "limit": 10}


@pytest.mark.parametrize("honours", [True, False])
async def test_late_ones_follow_eose_unless_it_was_closed(honours: bool) -> None:
    events = Writer().recent(10)
    async with asked(events, Late(0.05, before=0.5, honours_close=honours)) as (relay, asker):
        assert await asker.ids(limit=500) == ids_of(events)[:5]
        assert len([await asker.hear("EVENT") for _ in range(5)]) == 5
        assert await asker.ids("b", limit=500) == ids_of(events)[:5]
        await asker.close("b")
        if honours:
            assert await asker.is_quiet()
        else:
            assert [await asker.hear("EVENT") for _ in range(5)]
            assert len(relay.account.connections[0].unasked) == 5


async def test_what_arrives_with_an_old_date_goes_to_those_who_are_subscribed() -> None:
    writer = Writer()
    async with asked(writer.recent(3), Backdated(writer.recent(1, newest_s=90_000))) as (relay, asker):
        assert len(await asker.ids(limit=500)) == 3
        assert len(await asker.hear("EVENT")) == 1
        assert len(list(relay.store)) == 4
        assert not relay.missing()


async def test_new_events_arrive_from_the_first_connection_on() -> None:
    async with asked([], Arriving(3, 0.05)) as (relay, asker):
        assert await asker.ids(limit=500) == []
        assert len([await asker.hear("EVENT") for _ in range(3)]) == 3
        assert await asker.is_quiet()
        assert all(abs(event.created_at - event.stored_s) < 5 for event in relay.store)


async def test_small_pages() -> None:
    events = Writer().recent(30)
    async with asked(events, Cap(10)) as (_, asker):
        assert await asker.ids(limit=500) == ids_of(events)[:10]
    async with asked(events, StatesLimit(5, "closed", "use limit 5")) as (relay, asker):
        assert await asker.ask(limit=6) == [["CLOSED", "a", "use limit 5"]]
        assert await asker.ids(limit=5) == ids_of(events)[:5]
        assert [request.outcome for request in relay.account.requests] == ["refused", "page"]
    async with asked(events, IgnoresLimit(20)) as (_, asker):
        assert await asker.ids(limit=1) == ids_of(events)[:20]


@pytest.mark.parametrize("way", ["closed", "notice"])
async def test_bare_filters_are_refused(way: Way) -> None:
    async with asked(Writer().recent(3), NoBareFilters(way, "too broad")) as (_, asker):
        assert (await asker.ask(since=1, limit=500))[0][-1] == "too broad"
        assert len(await asker.ids(kinds=[1, 7, 30_023], limit=500)) == 3


async def test_long_lists_of_kinds_are_refused_or_cut_off() -> None:
    events = Writer().recent(10, kinds=range(10))
    async with asked(events, MostKinds(3, "closed")) as (_, asker):
        assert (await asker.ask(kinds=[1, 2, 3, 4]))[0][0] == "CLOSED"
        assert len(await asker.ids(kinds=[1, 2, 3])) == 3
    async with asked(events, MostKinds(3, "silent")) as (_, asker):
        assert set(await asker.ids(kinds=[9, 1, 5, 2])) == {events[kind]["id"] for kind in (9, 1, 5)}


async def test_what_is_withheld_fills_the_page() -> None:
    withheld, shown = Writer().recent(5, kinds=PRIVATE), Writer().recent(5, newest_s=90_000)
    async with serving(OddRelay(shown, Cap(5), withheld=withheld)) as relay, connecting(relay) as asker:
        assert await asker.ids(limit=500) == []
        assert await asker.ids(kinds=[1, 7, 30_023]) == ids_of(shown)


@pytest.mark.parametrize("way", ["closed", "notice"])
async def test_one_subscription_too_many_is_refused(way: Way) -> None:
    async with asked(Writer().recent(3), MostSubscriptions(1, way, "too many")) as (_, asker):
        assert len(await asker.ids()) == 3
        assert len(await asker.ids()) == 3, "the same id is not one more"
        assert (await asker.ask("b"))[0][-1] == "too many"
        await asker.close()
        assert len(await asker.ids("b")) == 3


async def test_a_subscription_takes_the_place_of_another() -> None:
    async with asked(Writer().recent(3), MostSubscriptions(1, "silent")) as (relay, asker):
        assert len(await asker.ids("a")) == 3
        assert len(await asker.ids("b")) == 3
        await relay.publish(Writer().recent(1)[0])
        assert (await asker.hear("EVENT"))[0][1] == "b"
        assert await asker.is_quiet()


def test_the_farm_holds_what_it_is_made_for() -> None:
    relays = farm()
    taught = [name for name, relay in relays.items() if {event.kind for event in relay.store} & {30_402, 30_311}]
    assert taught == ["registered kinds"]
    assert len({event.kind for event in relays["invents kinds"].store}) == 240
    bare = {event.kind for event in relays["no bare filters, blocked"].store}
    assert bare >= {*PRIVATE, UNHEARD_OF}
    for name in ("cap 10", "limit 5 by CLOSED"):
        seconds = [event.created_at for event in relays[name].store]
        assert max(map(seconds.count, seconds)) > 5, name
    authors = [{event.author for event in relay.store} for relay in relays.values()]
    assert len(set().union(*authors)) >= sum(map(len, authors)), "each relay's events are its own"
