"""Reports of how relays meet this connector, for the registry: to `relays.found`, through the send buffer."""

from __future__ import annotations

from producers.send_buffer import SendBuffer
from schemas.records.relay import Report
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import RelayUrl


class Reports:
    """The reports of one connector."""

    def __init__(self, send_buffer: SendBuffer, topic: str, partitions: int) -> None:
        """Write to `topic` (physical name of `relays.found`)."""
        self._send_buffer = send_buffer
        self._topic = topic
        self._partitions = partitions

    @property
    def full(self) -> bool:
        """Whether reports are to wait: Kafka does not take what was sent before."""
        return self._send_buffer.full

    def put(self, relay: RelayUrl, report: Report) -> None:
        """Send a report. Never waits."""
        found = RelayFound(url=relay.url, first_seen_ms=report.at_ms, report=report)
        self._send_buffer.put(
            self._topic,
            found.encode(),
            key=relay.url.encode(),
            partition=domain_partition(relay.host, self._partitions),
        )
