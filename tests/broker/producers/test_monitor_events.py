"""The prober publishes what it finds: a consumer of NIP-66 finds it on a relay of others, after a restart too."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from core.settings import Settings
from producers.prober.service import ProberService
from schemas.nostr.signature import public_key
from tests.broker.producers.harness import publish
from tests.broker.producers.lone_service import running
from tests.broker.producers.test_prober import DOCUMENT, probing
from tests.relays.local_relay import local_relay
from tests.relays.many_hosts import many_hosts
from tests.unit.producers.prober.nip66.consumer import announced, discover
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

KEY = "07" * 32
MONITOR = public_key(bytes.fromhex(KEY))


async def test_what_is_probed_is_published(quick: Settings) -> None:
    async with many_hosts(lambda _host: DOCUMENT) as relays, local_relay() as outlet:
        monitor = quick.monitor.model_copy(update={"key": SecretStr(KEY), "relays": [outlet], "allow_private": True})
        settings = probing(quick).model_copy(update={"monitor": monitor})
        urls = relays.urls(3)
        await publish(settings, urls)

        async def all_there() -> bool:
            return len(await discover(outlet, MONITOR)) == len(urls) and len(await announced(outlet, MONITOR)) == 3

        service = ProberService(settings)
        async with running(service):
            await until(all_there, "published")
            assert [each["state"] for each in service.status()["monitor"]] == ["connected"]  # type: ignore[attr-defined]
        (found,) = await discover(outlet, MONITOR, d=[f"{urls[0]}/"])
        assert found.document == json.loads(DOCUMENT)
        assert "1" in found.tags["N"]
        assert "rtt-open" in found.tags
