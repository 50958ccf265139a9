"""Kafka as the services use it: clients that wait for the broker, offsets, the bounded publisher, groupless reading."""

from __future__ import annotations

from core.kafka.access import bootstrap_servers, connection_options
from core.kafka.clients import (
    COMMIT_INTERVAL_S,
    FETCH_MAX_WAIT_MS,
    METADATA_AGE_MS,
    admin,
    consumer,
    is_transient,
    producer,
    stop_client,
)
from core.kafka.groups import groups_with_members
from core.kafka.offsets import Bounds, Offsets, bounds, committed, end_offsets, lag, lags, offsets_at
from core.kafka.publisher import (
    FLUSH_S,
    ProducerRecord,
    Publisher,
    PublishError,
    RecordTooLargeError,
    open_publisher,
    publishing,
)
from core.kafka.reading import read_between
from core.kafka.refusals import KafkaRefusedError
from core.kafka.state_snapshot import read_to_end

__all__ = [
    "COMMIT_INTERVAL_S",
    "FETCH_MAX_WAIT_MS",
    "FLUSH_S",
    "METADATA_AGE_MS",
    "Bounds",
    "KafkaRefusedError",
    "Offsets",
    "ProducerRecord",
    "PublishError",
    "Publisher",
    "RecordTooLargeError",
    "admin",
    "bootstrap_servers",
    "bounds",
    "committed",
    "connection_options",
    "consumer",
    "end_offsets",
    "groups_with_members",
    "is_transient",
    "lag",
    "lags",
    "offsets_at",
    "open_publisher",
    "producer",
    "publishing",
    "read_between",
    "read_to_end",
    "stop_client",
]
