"""The prober on a real Kafka: what it writes, how it shares relays, and how it goes on after restarts and outages."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

import pytest

from core.kafka import publishing, read_to_end
from core.settings import Settings
from producers.prober.service import ProberService
from producers.targets import full_name
from schemas.partition import event_partition, relay_partition
from schemas.records.probe import ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_health import RelayHealth
from schemas.relay_urls.relay_url import normalize
from tests.broker.producers.harness import publish, records, register, registered
from tests.broker.producers.lone_service import running
from tests.pipeline.services import Services
from tests.relays.many_hosts import many_hosts
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

DOCUMENT = '{"name": "one of many"}'
HASH = sha256(DOCUMENT.encode()).hexdigest()


def probing(settings: Settings, **changes: Any) -> Settings:
    """Time-outs of a loopback, and relays there are probed."""
    values = {"allow_private": True, "retry_s": 0.1, "dns_timeout_s": 1.0, "read_timeout_s": 20.0} | changes
    return settings.model_copy(update={"prober": settings.prober.model_copy(update=values)})


async def probes(settings: Settings) -> Counter[str]:
    return Counter(ProbeRecord.decode(each.value or b"").url for each in await records(settings, "raw.probes"))


async def know(settings: Settings, probe: ProbeRecord) -> None:
    """Write what the assess agent would."""
    health = RelayHealth(
        url=probe.url,
        network=probe.network,
        state="online",
        verdict=probe.verdict,
        probed_at_ms=probe.probed_at_ms,
        full_at_ms=probe.probed_at_ms,
        judged_at_ms=probe.probed_at_ms,
    )
    async with publishing(settings) as publisher:
        partition = relay_partition(normalize(probe.url, allow_private=True).host, settings.kafka.partitions)
        await publisher.send(full_name(settings, "relays.health"), health.encode(), probe.url.encode(), partition)
        await publisher.flush()


async def test_each_relay_is_probed_once_its_document_is_there_once_and_a_restart_repeats_what_is_not_known(
    quick: Settings,
) -> None:
    settings = probing(quick)
    async with many_hosts(lambda _: DOCUMENT) as relays:
        urls = relays.urls(6)
        await publish(settings, urls)
        denied = (await registered(settings))[urls[0]]
        await register(settings, urls[0], denied.model_copy(update={"allowed": False}))
        service = ProberService(settings)
        async with running(service):
            await until(lambda: stands(service)["verdicts"] == {"works": 5}, "all are probed")
            await until(lambda: not stands(service)["under_way"], "all is written")
            assert service.ready() is None
        found = await records(settings, "raw.probes")
        told = {each.url: each for each in (ProbeRecord.decode(record.value or b"") for record in found)}
        assert sorted(told) == sorted(urls[1:])
        assert len(found) == len(told)
        for record in found:
            probe = ProbeRecord.decode(record.value or b"")
            assert (record.key, record.partition) == (
                probe.url.encode(),
                relay_partition(normalize(probe.url, allow_private=True).host, settings.kafka.partitions),
            )
            assert probe.is_full
            assert probe.checks.nip11 is not None
            assert probe.checks.nip11.document == HASH
            assert probe.next_in_s is not None
            assert 0.9 * settings.prober.interval_s <= probe.next_in_s <= settings.prober.interval_s
        (document,) = await records(settings, "relays.documents")
        assert (document.key, document.partition) == (HASH.encode(), event_partition(HASH, settings.kafka.partitions))
        assert RelayDocumentRecord.decode(document.value or b"").text == DOCUMENT
        assert document.timestamp <= min(record.timestamp for record in found)
        assert relays.opened["127.1.0.1"] == 0, "it is denied"

        for url in urls[1:4]:
            await know(settings, told[url])
        again = ProberService(settings)
        async with running(again):
            await until(lambda: stands(again)["verdicts"] == {"works": 5}, "it knows the others too")
            await until(lambda: not stands(again)["under_way"], "all is written")
        assert await probes(settings) == Counter(urls[1:]) + Counter(urls[4:])
        assert len(await records(settings, "relays.documents")) == 1


async def test_a_relay_that_is_denied_or_removed_is_left_while_it_is_probed(quick: Settings) -> None:
    settings = probing(quick)
    async with many_hosts() as relays:
        relays.holding = True
        urls = relays.urls(3)
        await publish(settings, urls)
        service = ProberService(settings)
        async with running(service):
            await until(lambda: relays.open.total() == 3, "all are being probed")
            record = (await registered(settings))[urls[0]]
            await register(settings, urls[0], record.model_copy(update={"allowed": False}))
            await register(settings, urls[1], None)
            await until(lambda: relays.open.total() == 1, "their sockets are closed")
            assert shares(service) == 1
            assert relays.open["127.1.0.3"] == 1
        assert relays.open.total() == 0
        assert await records(settings, "raw.probes") == []


async def test_instances_share_the_relays_and_one_takes_over_from_another(quick: Settings) -> None:
    settings = probing(quick, interval_s=10.0, full_interval_s=10_000.0)
    async with many_hosts() as relays:
        urls = relays.urls(30)
        await publish(settings, urls)
        one, two = ProberService(settings), ProberService(settings)
        async with running(one):
            await until(lambda: shares(one) == 30, "it has all")
            async with running(two):
                await until(lambda: shares(one, two) == 30 and shares(two) > 0 < shares(one), "they share")
                assert not set(partitions(one)) & set(partitions(two))
            await until(lambda: shares(one) == 30, "it has all again")
            before = await probes(settings)
            await until(lambda: grown(relays.opened, before), "all are probed by what is left")


def shares(*services: ProberService) -> int:
    return sum(sum(stands(service)["verdicts"].values()) for service in services)


def stands(service: ProberService) -> dict[str, Any]:
    found = service.status()["probes"]
    assert isinstance(found, dict)
    return found


def partitions(service: ProberService) -> list[int]:
    found = service.status()["partitions"]
    assert isinstance(found, list)
    return found


def grown(opened: Counter[str], before: Counter[str]) -> bool:
    return all(opened[normalize(url, allow_private=True).host] > count for url, count in before.items())


async def test_after_a_kill_nothing_is_probed_again_that_the_registry_has_folded(quick: Settings) -> None:
    settings = probing(quick)
    settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"session_timeout_s": 6.0})})
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    services = Services(settings)
    async with many_hosts() as relays:
        urls = relays.urls(10)
        await publish(settings, urls)
        try:
            services.start("registry", "prober")
            await until(lambda: folded(settings, urls), "all are folded", poll_s=0.5)
            before = await probes(settings)
            services.kill("prober")
            services.start("prober")

            def knows() -> bool:
                services.check()
                found = services.details("prober").get("probes", {})
                return bool(found.get("verdicts") == {"works": len(urls)} and not found["due"] + found["under_way"])

            await until(knows, "the next one knows all", poll_s=0.2)
            assert await probes(settings) == before == Counter(urls)
        finally:
            services.stop()


async def folded(settings: Settings, urls: list[str]) -> bool:
    found = await read_to_end(settings, full_name(settings, "relays.health"), range(settings.kafka.partitions))
    states = {key.decode(): RelayHealth.decode(value).state for key, value in found.items()}
    return states == dict.fromkeys(urls, "online")
