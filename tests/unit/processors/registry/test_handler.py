"""Findings come in as anything may have written them, and leave as records of the right partitions."""

from __future__ import annotations

import logging

import pytest
from aiokafka import TopicPartition

from core import metrics
from processors.assess.assessor import Assessor
from processors.assess.documents import Documents
from processors.registry.handler import RegistryHandler
from processors.registry.registrar import Registrar
from processors.relay_outputs import RelayOutputs
from processors.runtime.handler import Progress, SourceRecord
from schemas.partition import relay_partition
from schemas.records.relay import RelayRecord
from schemas.relay_urls.registrable_domain import domain_partition
from tests.unit.processors.registry.material import NOW_MS, PARTITIONS, URL, WIDE, found

HOST = "relay.site.example"


@pytest.fixture
def handler() -> RegistryHandler:
    outputs = RelayOutputs(("relays", "relays.candidates"), "p.", {"p.relays": 8, "p.relays.candidates": PARTITIONS})
    made = RegistryHandler(Registrar(PARTITIONS, WIDE), Assessor(PARTITIONS, Documents()), outputs, lambda: NOW_MS)
    made.assigned(frozenset(TopicPartition("p.relays.found", number) for number in range(PARTITIONS)))
    return made


def record(value: bytes | None) -> SourceRecord:
    return SourceRecord("p.relays.found", domain_partition(HOST, PARTITIONS), 0, URL.encode(), value)


def dropped(reason: str) -> float:
    return metrics.REGISTRY.get_sample_value("bigbrotr_registry_findings_dropped_total", {"reason": reason}) or 0.0


async def test_each_topic_is_partitioned_as_its_readers_expect(handler: RegistryHandler) -> None:
    (candidate,) = (await handler.handle(record(found(URL, 1).encode()))).outputs
    assert (candidate.topic, candidate.partition) == ("p.relays.candidates", domain_partition(HOST, PARTITIONS))
    admitted, gone = (await handler.handle(record(found(URL, 2).encode()))).outputs
    assert (admitted.topic, admitted.partition) == ("p.relays", relay_partition(HOST, 8))
    assert [(each.key, each.value) for each in gone.records] == [(URL.encode(), None)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "too_long"),
        (b" " * 20_000, "too_long"),
        (b"\xff", "unreadable"),
        (b'{"url": 1}', "unreadable"),
        (found("wss://elsewhere", 1).encode(), "misplaced"),
    ],
)
async def test_garbage_is_dropped_with_a_count_and_a_line(
    value: bytes | None, reason: str, handler: RegistryHandler, caplog: pytest.LogCaptureFixture
) -> None:
    if reason == "misplaced":
        handler.assigned(frozenset())
    before = dropped(reason)
    with caplog.at_level(logging.WARNING):
        handled = await handler.handle(record(value))
    handled.acknowledged()
    assert list(handled.outputs) == []
    assert dropped(reason) == before + 1
    assert "is dropped" in caplog.text


async def test_a_spelling_that_leads_elsewhere_is_not_dialled(handler: RegistryHandler) -> None:
    for spelling, kept in (("wss://evil.example", None), (f"{URL}/", f"{URL}/")):
        finding = found(URL, 1).model_copy(update={"spelling": spelling})
        (output,) = (await handler.handle(record(finding.encode()))).outputs
        value = output.records[0].value
        assert value is not None
        assert RelayRecord.decode(value).spelling == kept


async def test_the_status_tells_what_is_known(handler: RegistryHandler) -> None:
    await handler.handle(record(found(URL, 1).encode()))
    partition = TopicPartition("p.relays.found", 3)
    assert handler.status(Progress(frozenset({partition}), {"t": 7}, 2, 90, {partition: 5})) == {
        "partitions": [3],
        "found_done": 7,
        "found_in_flight": 2,
        "known": 1,
        "commands": 0,
        "is_settled": True,
        "lag": {"3": 5},
    }
