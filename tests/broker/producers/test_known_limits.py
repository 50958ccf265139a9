"""A connector asks no more of a relay than its health says that it bears, on the real Kafka and a real websocket."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from core.kafka import publishing
from core.settings import Settings
from producers.targets import full_name
from schemas.partition import relay_partition
from schemas.records.relay_health import Limits, RelayHealth
from schemas.relay_urls.relay_url import normalize
from tests.broker.producers.harness import connector, lines, publish, relay_status, stored_events, verbatim
from tests.relays.hostile import Hostile, honest, say
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

MAX_LIMIT, MAX_SUBSCRIPTIONS, MAX_SUBID, MAX_MESSAGE = 40, 2, 3, 4096


@dataclass
class Strict(Hostile):
    """Says nothing of its limits, and refuses in words that tell nothing what goes beyond them.

    Attributes:
        refused: what went beyond.
        met: the most that it was asked for: events, open subscriptions, characters of an id, bytes.
    """

    refused: list[str] = field(default_factory=list)
    met: dict[str, int] = field(default_factory=dict)
    open: set[tuple[int, str]] = field(default_factory=set)

    async def _take(self, websocket: ServerConnection, message: list[Any]) -> None:
        if message[0] == "CLOSE":
            self.open.discard((id(websocket), message[1]))
        if message[0] == "REQ":
            self.open.add((id(websocket), message[1]))
            used = {
                "events": (message[2]["limit"], MAX_LIMIT),
                "open": (sum(owner == id(websocket) for owner, _ in self.open), MAX_SUBSCRIPTIONS),
                "id": (len(message[1]), MAX_SUBID),
                "bytes": (len(json.dumps(message, separators=(",", ":"))), MAX_MESSAGE),
            }
            for name, (value, _) in used.items():
                self.met[name] = max(value, self.met.get(name, 0))
            beyond = [name for name, (value, most) in used.items() if value > most]
            if beyond:
                self.refused += beyond
                self.open.discard((id(websocket), message[1]))
                await say(websocket, "CLOSED", message[1], "error: no")
                return
        await super()._take(websocket, message)


async def write_health(settings: Settings, url: str, **limits: Limits) -> None:
    relay = normalize(url, allow_private=True)
    health = RelayHealth(url=relay.url, network=relay.network, state="online", judged_at_ms=0, **limits)
    async with publishing(settings) as publisher:
        partition = relay_partition(relay.host, settings.kafka.partitions)
        await publisher.send(full_name(settings, "relays.health"), health.encode(), relay.url.encode(), partition)
        await publisher.flush()


async def test_what_is_asked_stays_within_known_limits(quick: Settings) -> None:
    events = stored_events(150)
    async with Strict(events, answer=honest) as relay:
        # What was met takes precedence over what the document says.
        advertised = Limits(max_limit=5000, max_subscriptions=20, max_subid_length=MAX_SUBID)
        learnt = Limits(max_limit=MAX_LIMIT, max_subscriptions=MAX_SUBSCRIPTIONS, max_message_length=MAX_MESSAGE)
        await write_health(quick, relay.url, advertised=advertised, learnt=learnt)
        await publish(quick, [relay.url])
        async with connector(quick) as service:
            await until(lambda: relay_status(service, relay.url)["crawl"]["done"], "crawled")
        found = await lines(quick)
    assert {line.event for line in found} == {verbatim(event) for event in events}
    assert relay.refused == []
    assert relay.met["events"] == MAX_LIMIT


async def test_without_a_record_all_is_as_ever(quick: Settings) -> None:
    async with Strict(stored_events(5), answer=honest) as relay:
        await publish(quick, [relay.url])
        async with connector(quick):
            await until(lambda: "events" in relay.refused, "asked for more")
    assert relay.met["events"] > MAX_LIMIT
    assert relay.met["id"] > MAX_SUBID
