"""What tests of rebuilds share: other archives beside the live one, and a watcher that remembers."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from core import postgres
from core.kafka import read_to_end
from core.settings import Settings
from schemas.digest import ArchiveDigest
from schemas.nostr.event import Event
from schemas.nostr.relay_document import content_hash
from schemas.records.coverage import Coverage, FilterCoverage, Gap, GapReason
from schemas.records.erasure import Cause, Erasure
from schemas.records.probe import Checks, OpenCheck, ProbeRecord
from schemas.records.relay import RelayRecord
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import DocumentChange, Latency, RelayHealth, Tally
from schemas.relay_urls.relay_url import Network
from schemas.topics import physical
from sinks.erasure.erased_rows import new_ids
from sinks.erasure.rules import Rules, new_rules
from sinks.integrity.digest import digests
from sinks.rebuild.run import Plan, Rebuilt, rebuild
from sinks.rebuild.source import Start
from tests.broker.sinks.forgetting import world
from tests.broker.sinks.material import Feed, event, has_read_all

RELAYS = [f"wss://relay{number}.example" for number in range(4)]


@dataclass
class Watched:
    """A watcher that keeps what it was told."""

    steps: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)


def in_schema(settings: Settings, schema: str) -> Settings:
    """The same settings but for the schema."""
    return settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"schema": schema})})


async def rebuilt(
    settings: Settings, schema: str, *, start: Start | None = None, again: bool = False, jobs: int = 1
) -> Rebuilt:
    """Rebuild into a schema beside the live one."""
    return await rebuild(settings, Plan(in_schema(settings, schema), start, again=again, jobs=jobs), Watched())


async def archive(settings: Settings, schema: str = "public") -> ArchiveDigest:
    """The digest of every table of a schema."""
    return (await digests(in_schema(settings, schema), 1)).archive


async def fetchval(settings: Settings, query: str, *arguments: object) -> object:
    """One value from the live schema, over a connection of its own."""
    async with await postgres.pool(settings, min_size=1, max_size=1) as pool:
        return await pool.fetchval(query, *arguments)


async def caught_up(settings: Settings) -> bool:
    """Whether the live archive has taken all that its topics hold, and applied every rule of erasure."""
    topic = physical(settings.kafka.topic_prefix, "erasures")
    found = await read_to_end(settings, topic, range(settings.kafka.partitions))
    rules = [Erasure.decode(value) for value in found.values()]
    ids = [bytes.fromhex(rule.id) for rule in rules if rule.id and rule.pubkey is None]
    async with await postgres.pool(settings, min_size=1, max_size=1) as pool:
        async with pool.acquire() as connection:
            # First: a rule that is applied late sends tombstones to a topic that is asked for its ends.
            if await new_ids(connection, ids) or await new_rules(connection, Rules.of(rules)):
                return False
        return await has_read_all(settings, pool)


async def live_through(fed: Feed, seed: int, usual: int = 60) -> list[Event]:
    """Feed events of every sort, sightings of them by some relays, coverage, registry, erasures and a bad record."""
    rng = random.Random(seed)
    events = [event(seed * 10_000 + number) for number in range(usual)] + world(seed, 60)
    rng.shuffle(events)
    await fed.events(events)
    for relay in rng.sample(RELAYS, 3):
        await fed.sightings(rng.sample(events, len(events) * 2 // 3), relay, rng.randrange(2**40))
    await fed.raw("sightings", 1, b"no sighting")
    gap = Gap(since=seed, until=seed, reason=GapReason.CLOSED)
    covered = Coverage(
        relay=RELAYS[0],
        cursor_s=seed,
        sets=[FilterCoverage(filter="f", read=[(0, seed, 1)], gaps=[gap])],
        updated_at_ms=seed,
    )
    await fed.raw("coverage", 0, covered.encode(), RELAYS[0].encode())
    known = RelayRecord(url=RELAYS[0], network="clearnet", source="seed", sources=("seed",), updated_at_ms=seed)
    await fed.raw("relays", 0, known.encode(), RELAYS[0].encode())
    await probed(fed, seed)
    rules = [
        Erasure(id=events[0].id, cause=Cause.OPERATOR, erased_at_ms=1),
        Erasure(pubkey=events[1].pubkey, until_s=events[1].created_at, cause=Cause.LAW, erased_at_ms=1),
    ]
    for rule in rules:
        await fed.raw("erasures", rule.partition(4), rule.encode(), rule.key())
    return events


async def probed(fed: Feed, seed: int) -> None:
    """Feed a probe of now, an information document, and the health of a relay."""
    now_ms = time.time_ns() // 1_000_000
    text = f'{{"name":"{seed}"}}'
    document = RelayDocumentRecord(hash=content_hash(text.encode()), text=text, first_seen_ms=now_ms)
    checks = Checks(open=OpenCheck(ok=True, took_ms=seed))
    probe = ProbeRecord(
        url=RELAYS[0], network=Network.CLEARNET, is_full=False, verdict="works", checks=checks, probed_at_ms=now_ms
    )
    today = now_ms // 86_400_000
    health = RelayHealth(
        url=RELAYS[0],
        network=Network.CLEARNET,
        state="online",
        days=(Tally(today, seed, 1, 1, 0),),
        latencies=(Latency(today, ((5, 1),), ()),),
        changes=(DocumentChange(at_ms=now_ms, before=None, after=document.hash),),
        judged_at_ms=now_ms,
    )
    await fed.raw("raw.probes", 0, probe.encode(), RELAYS[0].encode())
    await fed.raw("relays.documents", 0, document.encode(), document.hash.encode())
    await fed.raw("relays.health", 0, health.encode(), RELAYS[0].encode())
