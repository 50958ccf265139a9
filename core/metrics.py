"""The metrics of a process, in one place, so that dashboards and the live view know every name.

Labels are only ever names of ours (stages, reasons, states, topics) and partition numbers: never an id, a key, a URL or
free text, of which there is no end. A hot path counts in plain integers and adds them here once per bundle or batch.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# From one loop turn to a stall that a person notices: latencies of a batch, a flush or a loop turn.
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"bigbrotr_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"bigbrotr_{name}", text, labels, registry=REGISTRY)


def _seconds(name: str, text: str, *labels: str) -> Histogram:
    return Histogram(f"bigbrotr_{name}_seconds", text, labels, buckets=_SECONDS, registry=REGISTRY)


# Every service
REJECTED = _counter("rejected", "Input refused, by the stage that refused it and the reason", "stage", "reason")
LOOP_LAG = _gauge("loop_lag_seconds", "How late the event loop was at its last tick")
CLOCK_STEPS = _counter("clock_steps", "Times the host's clock was set by more than seconds, or set back")
STALLS = _counter("loop_stalls", "Times the event loop did not turn for seconds")

# Producers
RECEIVED = _counter("received_copies", "Event copies taken from relays or files")
RECEIVED_BYTES = _counter("received_bytes", "Bytes of those copies")
BUNDLES = _counter("bundles", "Bundles acknowledged by Kafka (connector) or judged (processor)")
PRODUCER_IN_FLIGHT = _gauge("producer_in_flight_bytes", "Bytes sent to Kafka and not yet acknowledged")
PRODUCER_PAUSES = _counter("producer_pauses", "Times a sender had to wait for room")
RELAYS = _gauge("relays", "Relays by the state of their connection", "state")
RELAY_FAILURES = _counter("relay_failures", "Connections that failed or were refused, by reason", "reason")

# Processor
COPIES = _counter("copies", "Copies judged")
VERIFIED = _counter("verified", "Events whose id and signature were checked and found right")
DUPLICATES = _counter("duplicates", "Copies of an event that was known already")
QUARANTINED = _counter("quarantined", "Input set apart for a person or a later version, by reason", "reason")
ACCEPTED = _counter("accepted", "New events published to `events`")
BUNDLES_IN_FLIGHT = _gauge("bundles_in_flight", "Bundles taken from Kafka and not yet acknowledged")
ACK_SECONDS = _seconds("ack", "From the start of a bundle's judging to the acknowledgement of all its outputs")
SKIPPED = _counter("skipped_bundles", "Bundles that were deleted from Kafka before they were read")
ERASED = _counter("erased", "Copies dropped because their event is erased, or expired, by cause", "cause")
BAD_ERASURES = _counter("bad_erasures", "Records of `erasures` that could not be read")
SIGHTINGS = _counter("sightings", "Sightings produced (processor) or written (sink)")

# Sink
REFUSED_ERASED = _counter("refused_erased", "Events that were not archived because they are erased")
ERASED_ROWS = _counter("erased_rows", "Events that rules about others than their id erased, by cause", "cause")
ARCHIVED = _counter("archived", "Events inserted as new rows")
BATCHES = _counter("batches", "Batches committed to PostgreSQL")
BATCH_RETRIES = _counter("batch_retries", "Batches tried again after a transient failure")
BATCH_SECONDS = _seconds("batch", "Time for a batch from its first statement to its commit")
END_TO_END_SECONDS = _seconds("end_to_end", "From the moment a relay's copy was received to its committed row")

# Janitor
TRIMMED = _counter("trimmed_bundles", "Bundles deleted from Kafka because they were read and are old enough")

# Consumers
LAG = _gauge("consumer_lag_records", "End offset less position", "topic", "partition")
REBALANCES = _counter("rebalances", "Assignments received from the group's coordinator")


def values() -> dict[str, float]:
    """Sum each of our metrics over its labels, by name (`bigbrotr_…`, counters with `_total`), for a status page."""
    sums: dict[str, float] = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name.startswith("bigbrotr_") and not sample.name.endswith(("_bucket", "_created")):
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
