"""The Metadata request of version 12, which aiokafka does not have."""

from __future__ import annotations

from io import BytesIO
from uuid import UUID

from core.kafka.topic_identity import Identify, MetadataRequest, MetadataResponse

TOPIC_ID = UUID("00112233-4455-6677-8899-aabbccddeeff")


def test_the_request_asks_for_topics_by_name_as_the_protocol_guide_writes_it() -> None:
    made = Identify(["ab"]).prepare({3: (0, 13)})
    assert isinstance(made, MetadataRequest)
    assert made.encode() == b"\x02" + bytes(16) + b"\x03ab" + b"\x00" + b"\x00\x00" + b"\x00"


def test_a_broker_that_knows_no_topic_ids_is_asked_in_version_5() -> None:
    assert Identify(["ab"]).prepare({3: (0, 9)}).API_VERSION == 5


def test_the_response_gives_cluster_and_topic_id() -> None:
    partition = b"\0\0" + b"\0\0\0\1" + b"\0\0\0\7" + b"\0\0\0\5" + b"\2\0\0\0\7" + b"\2\0\0\0\7" + b"\1" + b"\0"
    topic = b"\0\0" + b"\3ab" + TOPIC_ID.bytes + b"\0" + b"\2" + partition + b"\x80\0\0\0" + b"\0"
    broker = b"\0\0\0\7" + b"\5host" + b"\0\0\x23\x84" + b"\0" + b"\0"
    body = b"\0\0\0\0" + b"\2" + broker + b"\4abc" + b"\0\0\0\7" + b"\2" + topic + b"\0"
    response = MetadataResponse.decode(BytesIO(body)).to_object()
    assert response["cluster_id"] == "abc"
    assert response["topics"][0]["topic_id"] == TOPIC_ID
    assert response["topics"][0]["partitions"][0]["leader"] == 7
