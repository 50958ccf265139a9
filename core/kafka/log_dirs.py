"""Asks the brokers how many bytes topics take on their disks.

aiokafka has no such request: version 1 of DescribeLogDirs (KIP-113), which Apache Kafka 1 to 4 take, is written here
from Kafka's protocol guide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Int64, Schema, String
from aiokafka.structs import TopicPartition


class LogDirsResponse(Response):
    """Version 1 of the answer."""

    API_KEY = 35
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "log_dirs",
            Array(
                ("error_code", Int16),
                ("log_dir", String("utf-8")),
                (
                    "topics",
                    Array(
                        ("topic", String("utf-8")),
                        (
                            "partitions",
                            Array(("partition", Int32), ("size", Int64), ("offset_lag", Int64), ("is_future", Boolean)),
                        ),
                    ),
                ),
            ),
        ),
    )


class LogDirsRequest(RequestStruct):
    """Version 1 of the question."""

    API_KEY = 35
    API_VERSION = 1
    RESPONSE_TYPE = LogDirsResponse
    SCHEMA = Schema(("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))))


class DescribeLogDirs(Request[LogDirsRequest]):
    """Asks one broker for the sizes of its copies of partitions."""

    API_KEY = 35

    def __init__(self, partitions: Iterable[TopicPartition]) -> None:
        self._topics: dict[str, list[int]] = {}
        for tp in partitions:
            self._topics.setdefault(tp.topic, []).append(tp.partition)

    def build(self, request_struct_class: type[LogDirsRequest]) -> LogDirsRequest:
        """Fill in the struct."""
        return request_struct_class(list(self._topics.items()))


async def topic_bytes(client: AIOKafkaClient, partitions: Collection[TopicPartition]) -> dict[str, int]:
    """Ask every broker for the bytes of its copies of partitions, and add them up by topic (full name).

    Topics that no broker tells of are left out, as where we may not describe the cluster.

    Raises:
        KafkaError: a broker is away.
    """
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    answers: list[Any] = await asyncio.gather(*(client.send(node, DescribeLogDirs(partitions)) for node in nodes))
    sizes: dict[str, int] = {}
    for answer in answers:
        for error_code, _, topics in answer.log_dirs:
            for topic, copies in topics if not error_code else ():
                sizes[topic] = sizes.get(topic, 0) + sum(size_bytes for _, size_bytes, *_ in copies)
    return sizes
