"""Which partition a record belongs to. Partition counts are powers of two, so that leading bits name a partition."""

from __future__ import annotations

from hashlib import sha256

PREFIX_HEX = 8
"""The leading 32 bits of an id are looked at: more partitions than 2^32 no cluster has."""
_PREFIX_BITS = PREFIX_HEX * 4


def event_partition(id_hex: str, partitions: int) -> int:
    """The partition of an event id, as 64 hex digits: its leading bits, so that all copies of an event meet.

    Raises:
        ValueError: the id does not begin with hex digits.
    """
    return int(id_hex[:PREFIX_HEX], 16) * partitions >> _PREFIX_BITS


def relay_partition(host: str, partitions: int) -> int:
    """The partition of a relay: by the hash of its normalised host, so that all URLs of a host meet.

    The hash is SHA-256, not the partitioner of a Kafka client, so that every language computes the same.
    """
    return int.from_bytes(sha256(host.encode()).digest()[:4]) * partitions >> _PREFIX_BITS


def is_partition_count(partitions: int) -> bool:
    """Whether a number can be the partition count of a topic: a power of two."""
    return partitions > 0 and partitions & (partitions - 1) == 0
