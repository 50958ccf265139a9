"""Kafka as the services use it: clients that wait for the broker, the bounded publisher, and groupless reading."""

from __future__ import annotations

from core.kafka.clients import (
    COMMIT_INTERVAL_S,
    FETCH_MAX_WAIT_MS,
    METADATA_AGE_MS,
    admin,
    bootstrap_servers,
    consumer,
    is_transient,
    producer,
    stop_client,
)
from core.kafka.publisher import Publisher, PublishError, RecordTooLargeError, open_publisher, publishing
from core.kafka.reading import end_offsets, offsets_at, read_between
from core.kafka.state_snapshot import read_to_end

__all__ = [
    "COMMIT_INTERVAL_S",
    "FETCH_MAX_WAIT_MS",
    "METADATA_AGE_MS",
    "PublishError",
    "Publisher",
    "RecordTooLargeError",
    "admin",
    "bootstrap_servers",
    "consumer",
    "end_offsets",
    "is_transient",
    "offsets_at",
    "open_publisher",
    "producer",
    "publishing",
    "read_between",
    "read_to_end",
    "stop_client",
]
