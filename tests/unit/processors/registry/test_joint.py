"""Each agent of the process gets the records of its topic and its share of an assignment."""

from __future__ import annotations

import logging

import pytest
from aiokafka import TopicPartition

from core import metrics
from core.settings import Settings
from processors.assess.assessor import Assessor
from processors.assess.documents import Documents
from processors.assess.following import Following
from processors.assess.handler import AssessHandler
from processors.registry.handler import RegistryHandler
from processors.registry.joint import JointHandler
from processors.registry.opening import common_count
from processors.registry.registrar import Registrar
from processors.relay_outputs import RelayOutputs
from processors.runtime.handler import Progress, SourceRecord
from schemas.partition import relay_partition
from schemas.records.probe import Checks, Nip11Check
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import Claim, RelayHealth
from schemas.relay_urls.registrable_domain import domain_partition
from tests.unit.processors.assess.material import START_MS, probe
from tests.unit.processors.registry.material import PARTITIONS, WIDE, found

FOUND, PROBES = "p.relays.found", "p.raw.probes"
HOST, URL = "relay.site.example", "wss://relay.site.example"
MONITOR = "1" * 64


@pytest.fixture
async def handler() -> JointHandler:
    counts = dict.fromkeys(["p.relays", "p.relays.candidates", "p.relays.health", FOUND], PARTITIONS)
    assessor = Assessor(PARTITIONS, Documents())
    assessor.keep(range(PARTITIONS))
    following = Following(Settings(), assessor, PARTITIONS)
    outputs = RelayOutputs(("relays", "relays.candidates", "relays.health", "relays.found"), "p.", counts)
    registry = RegistryHandler(Registrar(PARTITIONS, WIDE), assessor, outputs, lambda: START_MS)
    made = JointHandler(registry, AssessHandler(assessor, following, outputs), FOUND)
    made.assigned(frozenset(TopicPartition(topic, at) for topic in (FOUND, PROBES) for at in range(PARTITIONS)))
    return made


def of(topic: str, value: bytes | None) -> SourceRecord:
    return SourceRecord(topic, 0, 0, b"", value)


async def test_a_claim_that_was_found_is_in_the_record_of_the_next_probe(handler: JointHandler) -> None:
    (candidate,) = (await handler.handle(of(FOUND, found(URL, 1).encode()))).outputs
    assert (candidate.topic, candidate.partition) == ("p.relays.candidates", domain_partition(HOST, PARTITIONS))
    await handler.handle(of(PROBES, probe(url=URL).encode()))
    claim = Claim(monitor=MONITOR, at_s=START_MS // 1000)
    told = RelayFound(url=URL, first_seen_ms=1, claims=(claim,))
    assert list((await handler.handle(of(FOUND, told.encode()))).outputs) == []
    (health,) = (await handler.handle(of(PROBES, probe(START_MS + 1, url=URL).encode()))).outputs
    assert (health.topic, health.partition) == ("p.relays.health", relay_partition(HOST, PARTITIONS))
    value = health.records[0].value
    assert value is not None
    assert RelayHealth.decode(value).claims == (claim,)


async def test_what_probes_say_of_duplicates_lies_where_the_registry_reads_it(handler: JointHandler) -> None:
    nip11 = Checks(nip11=Nip11Check(ok=True, status=200, document="1" * 64))
    await handler.handle(of(PROBES, probe(url=URL, checks=nip11).encode()))
    outputs = list((await handler.handle(of(PROBES, probe(url=f"{URL}/x", checks=nip11).encode()))).outputs)
    assert [(each.topic, each.partition) for each in outputs] == [
        ("p.relays.health", relay_partition(HOST, PARTITIONS)),
        (FOUND, domain_partition(HOST, PARTITIONS)),
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "too_long"),
        (b" " * 70_000, "too_long"),
        (b"{", "unreadable"),
        (probe(url="WSS://relay").encode(), "not_normalised"),
        (probe(url=URL).encode(), "misplaced"),
    ],
)
async def test_garbage_is_dropped_with_a_count_and_a_line(
    value: bytes | None, reason: str, handler: JointHandler, caplog: pytest.LogCaptureFixture
) -> None:
    if reason == "misplaced":
        handler.revoked()
    name, labels = "bigbrotr_assessed_probes_dropped_total", {"reason": reason}
    before = metrics.REGISTRY.get_sample_value(name, labels) or 0.0
    with caplog.at_level(logging.WARNING):
        handled = await handler.handle(of(PROBES, value))
    handled.acknowledged()
    assert list(handled.outputs) == []
    assert metrics.REGISTRY.get_sample_value(name, labels) == before + 1
    assert "of raw.probes is dropped" in caplog.text


async def test_the_status_tells_the_share_of_each(handler: JointHandler) -> None:
    await handler.handle(of(PROBES, probe(url=URL).encode()))
    one, two = TopicPartition(FOUND, 3), TopicPartition(PROBES, 2)
    status = handler.status(Progress(frozenset({one, two}), {FOUND: 7, PROBES: 4}, 2, 90, {one: 5, two: 6}))
    assert (status["partitions"], status["found_done"], status["lag"]) == ([3], 7, {"3": 5})
    assert status["assess"] == {"partitions": [2], "known": 1, "is_settled": True, "lag": {"2": 6}}


def test_topics_that_belong_together_have_equal_counts() -> None:
    assert common_count({"a": 4, "b": 4}) == 4
    with pytest.raises(ValueError, match="there are a 4, b 8"):
        common_count({"a": 4, "b": 8})
