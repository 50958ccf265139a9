"""Reads the cluster id and topic ids from the broker: they tell a topic from another one of the same name.

aiokafka knows the Metadata request up to version 5; topic ids came with version 10 (KIP-516, Apache Kafka 2.8). Version
12 is written here from Kafka's protocol guide. An older broker answers version 5, and the topic id stays unknown.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

_UUID_BYTES = 16


class _Uuid(AbstractType[UUID]):
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(_UUID_BYTES))


class MetadataResponse(Response):
    """Version 12 of the answer."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class MetadataRequest(RequestStruct):
    """Version 12 of the question; a topic is named by its id or, where that is zero, by its name."""

    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class Identify(Request[MetadataRequest_v5 | MetadataRequest]):
    """Asks for topics by name, in the newest version that the broker and this module know."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(
        self, request_struct_class: type[MetadataRequest_v5 | MetadataRequest]
    ) -> MetadataRequest_v5 | MetadataRequest:
        """Fill in the struct of the version that aiokafka has agreed on with the broker."""
        if request_struct_class is MetadataRequest:
            by_name: list[tuple[UUID, str, dict[int, bytes]]] = [(UUID(int=0), topic, {}) for topic in self._topics]
            return request_struct_class(by_name, False, False, {})  # noqa: FBT003 - the protocol has positions, no names
        return request_struct_class(self._topics, False)  # noqa: FBT003


class Identities(NamedTuple):
    """The cluster's id, and the id of each topic that was asked for (None where the broker is too old to tell)."""

    cluster_id: str
    topic_ids: dict[str, UUID | None]


async def identify(client: AIOKafkaClient, topics: list[str]) -> Identities:
    """Ask any broker for the identities of topics.

    Raises aiokafka.errors.KafkaError where a topic does not exist or the broker is away.
    """
    response: Any = await client.send(client.get_random_node(), Identify(topics))
    found: dict[str, UUID | None] = {}
    for error_code, topic, *rest in response.topics:
        if error_code:
            raise for_code(error_code)(f"topic {topic}")
        found[topic] = rest[0] if response.API_VERSION == MetadataRequest.API_VERSION else None
    return Identities(response.cluster_id or "", found)
