"""An archive that knows relays: what the registry, probes, documents and coverage say of them."""

from __future__ import annotations

import random
import time

from core.archive.connection import Connection
from schemas.nostr.relay_document import content_hash
from schemas.records.coverage import Coverage, Fact, FilterCoverage, Gap, GapReason
from schemas.records.probe import Checks, GeoCheck, OpenCheck, ProbeRecord, ReadCheck
from schemas.records.relay import RelayRecord, Report, StateChange
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import DocumentChange, Latency, Limits, Outage, RelayHealth, Tally
from schemas.relay_urls.relay_url import normalize
from sinks.tables.topic_tables import coverage, probes, registry, relay_documents, relay_health
from sinks.tables.topic_tables.coverage import Change

NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PUBLIC, PRIVATE = "8.8.8.8", "10.1.2.3"
SECRET = "connect to 192.168.7.7:9050"
"""What no answer may hold: words of errors, of the operator, and of relays that repeat the address that asks."""

ONION = f"ws://{'a' * 56}.onion"
RELAYS = [
    *(f"wss://relay{number:02}.example.com" for number in range(24)),
    "wss://relay.example.net/nested/path",
    ONION,
]
SEEN = "wss://relay.example.net/nested/path"
NOT_SHOWN = ["wss://own.example.org", "wss://denied.example.org", "wss://inside.example.org", "ws://127.0.0.1:7777"]


def document(text: str) -> RelayDocumentRecord:
    return RelayDocumentRecord(hash=content_hash(text.encode()), text=text, first_seen_ms=7000)


OLD = document('{"name":"first","software":"https://Strfry.example","supported_nips":[1,11]}')
NEW = document('{"name":"second","software":"https://Strfry.example","supported_nips":[1,11,50,"7D"]}')
OTHER = document('{"name":"other","software":"khatru","relay_countries":["IT"]}')


def record(url: str, number: int) -> RelayRecord:
    """What the registry says of a relay."""
    denied = "denied" in url
    state = "denied" if denied else ("candidate", "confirmed", "silent", "refused")[number % 4]
    return RelayRecord(
        url=url,
        network=normalize(url, allow_private=True).network,
        source="event",
        sources=("event", "operator"),
        first_seen_ms=None if number % 5 == 0 else NOW_MS - number // 2 * HOUR_MS,
        state=state,
        lane="regular",
        allowed=not denied,
        allow_private="own" in url or "127" in url,
        duplicate_of=NOT_SHOWN[0] if number == 1 else RELAYS[0] if number == 2 else None,
        places=("10002 r",),
        command=RelayCommand(target=url, action="deny" if denied else "add", reason=SECRET, at_ms=5),
        report=Report(state="silent", tries=2, detail=SECRET, at_ms=NOW_MS),
        history=(StateChange(state="candidate", at_ms=5000), StateChange(state=state, at_ms=9000)),
        updated_at_ms=NOW_MS,
    )


def health(url: str, number: int) -> RelayHealth:
    """What probes say of it; many relays share a value."""
    up_s = 3600 - number // 3 * 100
    hour, day = NOW_MS // HOUR_MS, NOW_MS // DAY_MS
    address = PRIVATE if "inside" in url else PUBLIC
    opened = OpenCheck(ok=number % 4 != 0, took_ms=number // 2 * 10, address=address, error=SECRET)
    country = None if number % 3 == 0 else ("DE", "FI")[number % 2]
    return RelayHealth(
        url=url,
        network=normalize(url, allow_private=True).network,
        state=("online", "refused", "offline", "unknown")[number % 4],
        since_ms=NOW_MS - number // 4 * HOUR_MS,
        verdict="works",
        detail=SECRET,
        probed_at_ms=NOW_MS,
        full_at_ms=NOW_MS - HOUR_MS,
        online_at_ms=NOW_MS,
        checks=Checks(
            open=opened,
            read=ReadCheck(ok=True, took_ms=5, words=SECRET),
            geo=None if country is None else GeoCheck(ok=True, country=country, city="Town"),
        ),
        document=(None, OLD.hash, NEW.hash, OTHER.hash)[number % 4],
        changes=(
            DocumentChange(at_ms=5000, after=OLD.hash),
            DocumentChange(at_ms=9000, before=OLD.hash, after=NEW.hash),
        ),
        learnt=Limits(max_limit=200),
        hours=(Tally(hour - 1, up_s, 3600 - up_s, 1, 0),),
        days=(Tally(day - 1, 80_000, 6400, 24, 2), Tally(day, up_s, 0, 1, 0)),
        latencies=(Latency(day, ((4, 1),), ((6, 1),)),),
        outages=(
            Outage(
                since_ms=NOW_MS - 3 * DAY_MS, until_ms=NOW_MS - 2 * DAY_MS, verdict="broken", cause="tls", detail=SECRET
            ),
            Outage(since_ms=NOW_MS - DAY_MS, verdict="broken", cause="no_proxy", detail=SECRET),
        ),
        judged_at_ms=NOW_MS,
    )


def some_probes(url: str, count: int) -> list[ProbeRecord]:
    """Probes of a relay, an hour apart, newest first."""
    return [
        ProbeRecord(
            url=url,
            network=normalize(url).network,
            is_full=number % 4 == 0,
            verdict="broken" if number % 3 == 0 else "works",
            cause="no_proxy" if number % 3 == 0 else None,
            detail=SECRET,
            checks=Checks(open=OpenCheck(ok=number % 3 != 0, took_ms=number, error=SECRET, address=PUBLIC)),
            probed_at_ms=NOW_MS - number * HOUR_MS,
        )
        for number in range(count)
    ]


def some_coverage(url: str) -> Coverage:
    """What was read of a relay."""
    gap = Gap(since=5, until=9, reason=GapReason.CLOSED, tries=2, retry_at_s=99)
    sets = [
        FilterCoverage(filter="f1", wire={"kinds": [1]}, read=[(0, 4, 1), (10, 20, 1)], gaps=[gap]),
        FilterCoverage(filter="f2", wire={"kinds": [7]}, identity="ab" * 32, read=[(0, 4, 1)]),
    ]
    facts = [Fact(name="max_limit", value=5, evidence=SECRET, at_s=5)]
    return Coverage(relay=url, cursor_s=77, sets=sets, facts=facts, updated_at_ms=NOW_MS)


async def fill_relays(connection: Connection) -> None:
    """Write the rows as the sink would. Of every seventh relay there is no health."""
    known = [*RELAYS, *NOT_SHOWN]
    random.Random(1).shuffle(known)
    numbers = {url: number for number, url in enumerate([*RELAYS, *NOT_SHOWN])}
    entries = [registry.Entry(url, record(url, numbers[url])) for url in known]
    await registry.write(connection, entries, {})
    probed = [relay_health.Entry(url, health(url, numbers[url])) for url in known if numbers[url] % 7 != 6]
    await relay_health.write(connection, probed, {})
    kept = [relay_documents.Entry(each.hash, each) for each in (OLD, NEW, OTHER)]
    await relay_documents.write(connection, kept, {})
    await probes.write(connection, some_probes(SEEN, 30), {})
    await connection.execute("INSERT INTO relays (url) SELECT unnest($1::text[])", known)
    ids = {row["url"]: row["id"] for row in await connection.fetch("SELECT url, id FROM relays")}
    await coverage.write(connection, [Change(SEEN, some_coverage(SEEN), NOW_MS)], ids)
