"""The health of relays on a real Kafka: kills, rebalances and a replay end with the fold of all probes."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.kafka.topics import create_topics
from core.settings import Settings
from processors.assess.promise import as_of
from schemas.partition import relay_partition
from schemas.records.coverage import Coverage, Fact
from schemas.records.probe import Checks, Nip11Check, ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import Claim, Limits, RelayHealth
from schemas.relay_urls.relay_url import normalize
from tests.broker.processors.harness import Process, records
from tests.broker.processors.registry.harness import find, registry, relays, send
from tests.unit.processors.assess.material import START_MS, folded, history
from tests.unit.processors.registry.material import found, met
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(590)]

RELAYS = 16
POLL_S = 0.25  # a look reads a whole topic
URL, PATH = "wss://twice.example", "wss://twice.example/path"
ONE = "1" * 64


def url(number: int) -> str:
    return f"wss://relay{number}.example"


def place(relay: str, settings: Settings) -> int:
    return relay_partition(normalize(relay).host, settings.kafka.partitions)


async def probed(settings: Settings, probes: list[ProbeRecord]) -> None:
    sent = [(place(each.url, settings), each.url.encode(), each.encode()) for each in probes]
    await send(settings, "raw.probes", sent)


async def health(settings: Settings) -> dict[str, RelayHealth]:
    """What the topic says, as of the newest probe of each: by the clock of today, all of them are unknown."""
    values = {record.key: record.value for record in await records(settings, "relays.health")}
    read = [RelayHealth.decode(value) for value in values.values()]
    return {each.url: as_of(each, each.probed_at_ms or 0) for each in read}


async def reached(settings: Settings, expected: dict[str, RelayHealth], process: Process) -> None:
    async def same() -> bool:
        assert process.popen.poll() is None, process.log()
        return await health(settings) == expected

    await until(same, lambda: f"all is folded: {process.log()[-3000:]}", poll_s=POLL_S)


@pytest.mark.storms
async def test_kills_while_two_share_the_relays_and_a_replay_end_with_the_same_health(
    ours: Settings, tmp_path: Path
) -> None:
    histories = [
        [each.model_copy(update={"url": url(number)}) for each in history(number, 2)] for number in range(RELAYS)
    ]
    probes = sorted((each for one in histories for each in one), key=lambda each: each.probed_at_ms)
    expected = {one[0].url: folded(one) for one in histories}
    part = len(probes) // 3
    with registry(ours, tmp_path, "a") as first:
        await first.ready()
        await probed(ours, probes[:part])
        with registry(ours, tmp_path, "b") as second:
            await second.ready()

            async def shared() -> bool:
                parts = [set(dict(each.details().get("assess", {})).get("partitions", ())) for each in (first, second)]
                return all(parts) and not parts[0] & parts[1] and len(parts[0] | parts[1]) == ours.kafka.partitions

            await until(shared, "both have relays of their own")
            await probed(ours, probes[part - 50 : 2 * part])
            second.kill()
        first.kill()
    await probed(ours, probes[2 * part - 50 :])
    with registry(ours, tmp_path, "c") as third:
        await reached(ours, expected, third)
        assert await third.stop() == 0, third.log()

    kafka = ours.kafka.model_copy(update={"topic_prefix": f"{ours.kafka.topic_prefix}again."})
    again = ours.registry.model_copy(update={"group_id": f"{ours.registry.group_id}-again"})
    fresh = ours.model_copy(update={"kafka": kafka, "registry": again})
    await create_topics(fresh)
    held = await records(ours, "raw.probes")
    await send(fresh, "raw.probes", [(each.partition, each.key, each.value) for each in held])
    with registry(fresh, tmp_path, "fresh") as replaying:
        await reached(fresh, expected, replaying)
        assert await replaying.stop() == 0, replaying.log()


async def test_what_is_known_beside_probes_reaches_the_record_and_the_registry(ours: Settings, tmp_path: Path) -> None:
    nip11 = Nip11Check(ok=True, status=200, document=ONE)
    base = history(0, 1)[0].model_copy(update={"checks": Checks(nip11=nip11), "verdict": "works"})
    document = RelayDocumentRecord(hash=ONE, text='{"limitation":{"max_limit":500}}', first_seen_ms=1)
    fact = Fact(name="subscriptions", value=3, evidence="too many", at_s=1)
    coverage = Coverage(relay=PATH, facts=[fact], updated_at_ms=1)
    claim = Claim(monitor=ONE, at_s=START_MS // 1000)
    at = place(PATH, ours)
    told = RelayFound(url=PATH, first_seen_ms=START_MS, claims=(claim,))
    await find(ours, found(URL, 1, 2), found(PATH, 1, source="api"), met(URL, "confirmed"), met(PATH, "confirmed"))
    with registry(ours, tmp_path) as process:
        await process.ready()
        await send(ours, "raw.probes", [(at, b"", b"garbage"), (at, b"", b"{}")])
        first = [base.model_copy(update={"url": each}) for each in (URL, PATH)]
        await probed(ours, first)

        async def duplicate() -> bool:
            known = await relays(ours)
            return PATH in known and known[PATH].duplicate_of == URL

        await until(duplicate, lambda: f"the registry knows: {process.log()}", poll_s=POLL_S)
        assert (await relays(ours))[URL].duplicate_of is None
        await send(ours, "relays.documents", [(0, ONE.encode(), document.encode())])
        await send(ours, "coverage", [(at, PATH.encode(), coverage.encode())])
        await send(ours, "relays.found", [(at, PATH.encode(), told.encode())])

        async def limited() -> bool:
            record = (await health(ours)).get(PATH)
            return record is not None and (record.advertised, record.learnt) == (
                Limits(max_limit=500),
                Limits(max_subscriptions=3),
            )

        await until(limited, lambda: f"limits are known: {process.log()}", poll_s=POLL_S)
        later = first[1].model_copy(update={"probed_at_ms": base.probed_at_ms + 1000})

        async def claimed() -> bool:
            nonlocal later
            # The claim and the probe come by two topics: whichever is first, a later probe takes it along.
            later = later.model_copy(update={"probed_at_ms": later.probed_at_ms + 1})
            await probed(ours, [later])
            return (await health(ours))[PATH].claims == (claim,)

        await until(claimed, lambda: f"the claim is kept: {process.log()}", poll_s=POLL_S)
        assert b'bigbrotr_assessed_probes_dropped_total{reason="unreadable"} 2.0' in process.get("/metrics")[1]
        assert await process.stop() == 0, process.log()
