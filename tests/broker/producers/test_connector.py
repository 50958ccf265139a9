"""A connector between real websockets and the real Kafka: everything arrives as sent, and bad relays harm no other."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import pytest
from pydantic import SecretStr

from core.settings import Settings
from producers.connector.service import ConnectorService
from schemas.nostr.event import Event, event_from_object
from schemas.nostr.event_id import id_form
from schemas.nostr.signature import verify
from schemas.reasons import Reason
from schemas.relay_urls.relay_url import normalize
from tests.broker.producers.harness import (
    SECRET,
    TOPIC_POLL_S,
    connector,
    coverage,
    lines,
    publish,
    rejections,
    relay_status,
    signed,
    stored_events,
    verbatim,
)
from tests.relays import hostile
from tests.relays.dns_server import name_server
from tests.relays.hostile import Hostile, say
from tests.relays.scripted import scripted_relay
from tests.waiting import until

pytestmark = pytest.mark.broker


def with_connector(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update={"connector": settings.connector.model_copy(update=values)})


def crawled(service: Any, *relays: Hostile) -> bool:
    return all(relay_status(service, relay.url)["crawl"]["done"] for relay in relays)


async def test_stored_and_live_events_arrive_byte_for_byte(quick: Settings) -> None:
    events = stored_events(450)
    async with Hostile(events) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: crawled(service, relay), "crawled")
            fresh = signed(events[0]["created_at"] + 30, "fresh")
            backdated = signed(events[0]["created_at"] - 100_000, "wrapped two days ago")
            websocket, subid = relay.live[-1]
            await say(websocket, "EVENT", subid, fresh)
            await say(websocket, "EVENT", subid, backdated)

            async def arrived() -> bool:
                return {verbatim(fresh), verbatim(backdated)} <= {line.event for line in await lines(quick)}

            await until(arrived, "live events", poll_s=TOPIC_POLL_S)
            # After a pause for Kafka only the next pong shows what the feed has certainly brought.
            await until(lambda: relay_status(service, relay.url)["cursor_s"] is not None, "the cursor")
        found = await lines(quick)
    assert {line.relay for line in found} == {relay.url}
    assert {line.event for line in found} == {verbatim(event) for event in [*events, fresh, backdated]}
    assert all(request["limit"] > 0 for request in relay.requests)
    assert [] not in [value for request in relay.requests for value in request.values()]
    covered = (await coverage(quick))[relay.url]
    assert covered.cursor_s is not None
    assert not covered.sets[0].gaps
    assert any(
        since <= events[-1]["created_at"] and events[0]["created_at"] <= until_s
        for since, until_s, _ in covered.sets[0].read
    )


async def test_a_relay_is_looked_up_with_the_name_servers_of_the_settings(quick: Settings) -> None:
    events = stored_events(5)
    async with Hostile(events) as relay, name_server({"relay.example": ["127.0.0.1"]}, {"relay.slow"}) as server:
        relay.url = relay.url.replace("127.0.0.1", "relay.example")
        slow = "ws://relay.slow:7777"
        await publish(quick, [relay.url, slow])
        async with connector(with_connector(quick, nameservers=[server.address], connect_timeout_s=3.0)) as service:
            await until(lambda: crawled(service, relay), "crawled")
            unanswered = "no answer from the name servers within 1 s"
            await until(lambda: unanswered in str(relay_status(service, slow)["last_error"]), "the other is given up")
        assert {line.event for line in await lines(quick)} == {verbatim(event) for event in events}


async def test_odd_frames_are_taken_as_what_they_are(quick: Settings) -> None:
    events = stored_events(25)
    async with Hostile(events, hostile.odd_but_legal) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: crawled(service, relay), "crawled")
        found = {line.event for line in await lines(quick)}
    assert found == {verbatim(event) for event in events}


async def test_the_text_of_an_event_is_kept_however_it_is_written(quick: Settings) -> None:
    event = stored_events(1)[0]
    written = [
        json.dumps(event).encode(),  # a space after each comma and colon
        json.dumps(dict(reversed(event.items())), separators=(",", ":")).encode(),
        verbatim(event).replace(b"event", rb"\u0065vent"),
        verbatim(event)[:-1] + b',"seen":1.50,"big":100000000000000000000}',
    ]
    async with scripted_relay(written) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["crawl"]["done"], "crawled")
        found = {line.event for line in await lines(quick)}
    assert found == set(written)


REFUSED = {Reason.BAD_FRAME, Reason.FILTER_MISMATCH, Reason.NO_ID}
BAD = {
    "garbage": hostile.garbage,
    "wrong subscription": hostile.wrong_subscription,
    "outside the filter": hostile.outside_filter,
    "giant frames": hostile.giant_frames,
    "silence": hostile.silence,
    "no EOSE": hostile.no_eose,
    "flood": hostile.flood,
    "AUTH without end": hostile.never_satisfied,
}


async def test_hostile_relays_harm_no_other(quick: Settings) -> None:
    """All of them at once beside one that is honest, which is read to its end and live meanwhile."""
    quick = with_connector(quick, refused_events_per_hour=500)
    events = stored_events(300)
    others = stored_events(120, step_s=11)
    bad = [Hostile(others, answer) for answer in BAD.values()]
    bad += [Hostile(drop_after_accept=True), Hostile(echo=True, greeting=["hello"] * 5)]
    async with Hostile(events) as good:
        for relay in bad:
            await relay.__aenter__()
        try:
            await publish(quick, [good.url, *[relay.url for relay in bad]])
            async with connector(quick) as service:
                await until(lambda: crawled(service, good), "the honest relay is read")
                await until(lambda: relay_status(service, bad[-1].url)["state"] == "not_a_relay", "echo is found out")
                await until(
                    lambda: all(relay_status(service, each.url)["last_error"] for each in (bad[3], bad[8])), "errors"
                )
                await until(lambda: relay_status(service, bad[2].url)["refused"] >= 120, "misfits are counted")

                async def all_refused() -> bool:
                    return {rejection.reason for rejection, _ in await rejections(quick)} >= REFUSED

                await until(all_refused, "what is refused is in Kafka", poll_s=TOPIC_POLL_S)
                # Paused for a moment is what a full buffer asks for, whichever relay filled it.
                await until(lambda: relay_status(service, good.url)["state"] == "live", "the honest relay is live")
                assert relay_status(service, good.url)["refused"] == 0
        finally:
            for relay in bad:
                await relay.__aexit__(None, None, None)
        found = await lines(quick)
    assert {line.event for line in found if line.relay == good.url} == {verbatim(event) for event in events}
    refused = await rejections(quick)
    assert {rejection.relay for rejection, _ in refused}.isdisjoint({good.url})
    assert all(rejection.stage == "connector" for rejection, _ in refused)


async def test_a_relay_over_its_budget_is_left_alone(quick: Settings) -> None:
    quick = with_connector(quick, refused_events_per_hour=50)
    async with Hostile(stored_events(90), hostile.wrong_subscription) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["state"] == "over_budget", "over budget")
            status = relay_status(service, relay.url)
            # The ends of what it was not asked for are charged as well, and are no input that is kept.
            assert 25 < status["refused"] <= 51
            assert status["retry_in_s"] > 3000
            assert service.ready() is None


@pytest.mark.parametrize("status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_a_refused_handshake_is_tried_again_when_the_relay_says(quick: Settings, status: HTTPStatus) -> None:
    events = stored_events(10)
    async with Hostile(events, refusals=[(status, {"Retry-After": "1"})]) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["state"] == "rate_limited", "refused")
            await until(lambda: crawled(service, relay), "crawled")
        assert relay.connections == 2
        assert len(await lines(quick)) >= len(events)


async def test_auth_is_answered_once_with_the_configured_key(quick: Settings) -> None:
    quick = with_connector(quick, auth_key=SecretStr(SECRET.hex()))
    events = stored_events(20)
    async with Hostile(events, hostile.demands_auth) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: crawled(service, relay), "crawled")
        (answer,) = relay.auth_events
    event: Event = event_from_object(answer)
    assert event.kind == 22242
    assert event.tags == [["relay", relay.url], ["challenge", "challenge-of-this-connection"]]
    assert id_form(event) is not None
    assert verify(event.pubkey, event.id, event.sig)
    assert {line.event for line in await lines(quick)} == {verbatim(each) for each in events}
    # What was read so says as whom.
    as_key, *others = (await coverage(quick))[relay.url].sets
    assert as_key.identity == answer["pubkey"]
    assert as_key.read
    assert not any(other.read for other in others)


@pytest.mark.parametrize(("given", "served"), [("/inbox/?a=%7e", "/inbox/?a=%7e"), ("/inbox", "/inbox/")])
async def test_auth_names_the_url_that_was_dialled(quick: Settings, given: str, served: str) -> None:
    quick = with_connector(quick, auth_key=SecretStr(SECRET.hex()))
    gone: hostile.Refusal = (HTTPStatus.NOT_FOUND, {})
    async with Hostile(
        stored_events(3), hostile.demands_auth, refuse=lambda target: None if target == served else gone
    ) as relay:
        await publish(quick, [relay.url + given])
        key = normalize(relay.url + given, allow_private=True).url
        async with connector(quick) as service:
            await until(lambda: relay_status(service, key)["crawl"]["done"], "crawled")
        (answer,) = relay.auth_events
        assert answer["tags"][0] == ["relay", relay.url + served]
    # Everywhere else the relay has its one URL.
    assert set(await coverage(quick)) == {line.relay for line in await lines(quick)} == {key}


async def test_auth_without_end_is_not_answered_without_end(quick: Settings) -> None:
    quick = with_connector(quick, auth_key=SecretStr(SECRET.hex()))
    async with Hostile(answer=hostile.never_satisfied) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["state"] == "auth_required", "given up")
        assert len(relay.auth_events) <= 2


async def test_auth_is_not_answered_without_a_key(quick: Settings) -> None:
    async with Hostile(stored_events(3), hostile.demands_auth) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["state"] == "auth_required", "refused")
        assert relay.auth_events == []


@pytest.mark.parametrize("answer", [hostile.wants_small_limit, hostile.rate_limited_once], ids=["limit", "rate"])
async def test_a_refused_page_is_asked_for_differently_or_later(quick: Settings, answer: hostile.Answer) -> None:
    events = stored_events(40)
    async with Hostile(events, answer) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: crawled(service, relay), "crawled")
            assert relay_status(service, relay.url)["crawl"]["problem"] is None
        assert {line.event for line in await lines(quick)} == {verbatim(each) for each in events}


async def test_what_a_relay_does_not_give_is_a_gap(quick: Settings) -> None:
    async with Hostile(answer=hostile.silence) as relay:
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["crawl"]["problem"] == "no_eose", "silent")
        covered = (await coverage(quick))[relay.url]
    assert {gap.reason for gap in covered.sets[0].gaps} == {"no_eose"}
    assert not any(since <= 1_600_000_000 <= until_s for since, until_s, _ in covered.sets[0].read)


async def test_private_addresses_are_refused_where_the_record_does_not_allow_them(quick: Settings) -> None:
    from producers.operator.listed_relays import parse_relays  # noqa: PLC0415
    from tests.pipeline.registry import publish_relays  # noqa: PLC0415

    async with Hostile() as relay:
        urls = parse_relays([relay.url], "test", allow_private=True).relays.values()
        await publish_relays(quick, urls, allow_private=False)
        async with connector(quick) as service:
            await until(lambda: service.ready() is None, "assigned")
            await asyncio.sleep(0)
        assert relay.connections == 0


async def test_relays_come_while_running(quick: Settings) -> None:
    events = stored_events(5)
    async with Hostile(events) as first, Hostile(events) as second, connector(quick) as service:
        await until(lambda: service.ready() is None, "assigned")
        await publish(quick, [first.url])
        await until(lambda: crawled(service, first), "the first is read")
        await publish(quick, [second.url])
        await until(lambda: crawled(service, second), "the second is read")
        assert first.connections == 1


def read_by(service: ConnectorService) -> set[str]:
    return {relay["url"] for relay in service.status()["relays"]}  # type: ignore[attr-defined]


async def test_instances_share_the_relays_and_take_over(quick: Settings) -> None:
    """A second instance takes some, what stays keeps its socket, and all are read again when one leaves."""
    # Three loopback addresses whose hosts fall into three of the four partitions.
    relays = [Hostile(stored_events(3), host=host) for host in ("127.0.0.1", "127.0.0.6", "127.0.0.10")]
    async with relays[0], relays[1], relays[2]:
        await publish(quick, [relay.url for relay in relays])
        async with connector(quick) as one:
            await until(lambda: crawled(one, *relays), "all relays")
            async with connector(quick) as other:
                await until(
                    lambda: read_by(other) and len(read_by(one)) + len(read_by(other)) == 3,
                    "each relay once",
                )
                kept, moved = read_by(one), read_by(other)
                assert kept
                assert not kept & moved
                await until(lambda: crawled(other, *[relay for relay in relays if relay.url in moved]), "read")
                assert [relay.connections for relay in relays] == [2 if relay.url in moved else 1 for relay in relays]
            await until(lambda: len(read_by(one)) == 3, "taken over")
            await until(lambda: crawled(one, *relays), "read again")
            assert [relay.connections for relay in relays] == [3 if relay.url in moved else 1 for relay in relays]
