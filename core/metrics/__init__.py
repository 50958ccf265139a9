"""Prometheus metrics of all services, in one place, so that dashboards and the live view know every name.

Each name has one meaning, whichever service exports it, and a service exports those of its own work only. Labels are
only ever names of ours (stages, reasons, states, logical topic names) and partition numbers: never an id, a key, a URL
or free text, of which there is no end. A hot path counts in plain integers and adds them here once per bundle or batch.
`core.metrics.table` writes docs/reference/metrics.md from what stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

Kind = Literal["counter", "gauge", "histogram"]
Owner = Literal["connector", "processor", "registry", "sink", "janitor", "seeder", "finder", "prober", "api"]


@dataclass(frozen=True)
class Family:
    """One metric with all its labels.

    Attributes:
        name: as a scrape has it; a histogram's series add `_bucket`, `_count` and `_sum`.
        kind: the type that Prometheus knows it by.
        meaning: what one unit of it says; the help text of a scrape.
        unit: what is counted or measured.
        labels: their names.
        owners: services that export it; none stands for every service.
        collector: what the code counts with.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str
    labels: tuple[str, ...]
    owners: tuple[Owner, ...]
    collector: Counter | Gauge | Histogram

    def is_of(self, service: str) -> bool:
        """Whether a service exports it."""
        return not self.owners or service in self.owners


REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

FAMILIES: list[Family] = []
"""In the order of the page that is written from it."""

_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From one loop turn to a stall that a person notices: latencies of a batch, a flush or a loop turn."""


def _counter(name: str, meaning: str, unit: str, *labels: str, of: tuple[Owner, ...]) -> Counter:
    made = Counter(f"bigbrotr_{name}", meaning, labels, registry=REGISTRY)
    FAMILIES.append(Family(f"bigbrotr_{name}_total", "counter", meaning, unit, labels, of, made))
    return made


def _gauge(name: str, meaning: str, unit: str, *labels: str, of: tuple[Owner, ...]) -> Gauge:
    made = Gauge(f"bigbrotr_{name}", meaning, labels, registry=REGISTRY)
    FAMILIES.append(Family(f"bigbrotr_{name}", "gauge", meaning, unit, labels, of, made))
    return made


def _seconds(name: str, meaning: str, *labels: str, of: tuple[Owner, ...]) -> Histogram:
    made = Histogram(f"bigbrotr_{name}_seconds", meaning, labels, buckets=_SECONDS, registry=REGISTRY)
    FAMILIES.append(Family(f"bigbrotr_{name}_seconds", "histogram", meaning, "seconds", labels, of, made))
    return made


_EVERY: tuple[Owner, ...] = ()
_CONNECTOR: tuple[Owner, ...] = ("connector",)
_PROCESSOR: tuple[Owner, ...] = ("processor",)
_REGISTRY: tuple[Owner, ...] = ("registry",)
_SINK: tuple[Owner, ...] = ("sink",)
_JANITOR: tuple[Owner, ...] = ("janitor",)
_SEEDER: tuple[Owner, ...] = ("seeder",)
_FINDER: tuple[Owner, ...] = ("finder",)
_PROBER: tuple[Owner, ...] = ("prober",)
_API: tuple[Owner, ...] = ("api",)
_FLOW = _CONNECTOR + _PROCESSOR + _SINK
_READERS = _PROCESSOR + _SINK
_FAUST = _PROCESSOR + _REGISTRY
_PUBLISHERS = _CONNECTOR + _SINK + _SEEDER + _FINDER + _PROBER
"""The processor sends batches of its own making, not through `core.kafka.publisher`."""

# Every service
LOOP_LAG = _gauge("loop_lag_seconds", "How late the event loop was at its last tick", "seconds", of=_EVERY)
STALLS = _counter("loop_stalls", "Times the event loop did not turn for seconds", "stalls", of=_EVERY)

# The flow
REJECTED = _counter(
    "rejected", "Input refused, by the stage that refused it and the reason", "inputs", "stage", "reason", of=_FLOW
)
REBALANCES = _counter(
    "rebalances", "Assignments received from the group's coordinator", "assignments", of=_FLOW + _REGISTRY + _PROBER
)
LAG = _gauge(
    "consumer_lag_records",
    "Records of an assigned partition that are not done with: its end less the offset up to which progress is recorded",
    "records",
    "topic",
    "partition",
    of=_READERS + _REGISTRY,
)
PRODUCER_IN_FLIGHT = _gauge(
    "producer_in_flight_bytes", "Bytes sent to Kafka and not yet acknowledged", "bytes", of=_PUBLISHERS
)
PRODUCER_PAUSES = _counter("producer_pauses", "Times a sender had to wait for room", "pauses", of=_PUBLISHERS)
BAD_ERASURES = _counter("bad_erasures", "Records of `erasures` that could not be read", "records", of=_READERS)
SIGHTINGS = _counter("sightings", "Sightings that this service has written durably", "sightings", of=_READERS)

# Connector
RECEIVED = _counter("received_copies", "Event copies taken from relays or files", "copies", of=_CONNECTOR)
RECEIVED_BYTES = _counter("received_bytes", "Bytes of those copies", "bytes", of=_CONNECTOR)
PUBLISHED_BUNDLES = _counter("published_bundles", "Bundles acknowledged by Kafka", "bundles", of=_CONNECTOR)
RELAYS = _gauge("relays", "Relays by the state of their connection", "relays", "state", of=_CONNECTOR)
RELAY_FAILURES = _counter(
    "relay_failures", "Connections that failed or were refused, by reason", "connections", "reason", of=_CONNECTOR
)
JUDGED = _counter(
    "judged_copies", "Copies of relays whose id and signature the connector has checked itself", "copies", of=_CONNECTOR
)
FORGED = _counter(
    "forged_copies",
    "Those of them that were no event, or not what their author signed; they count against the relay's budget",
    "copies",
    "reason",
    of=_CONNECTOR,
)
VALIDATION_LAG = _gauge(
    "validation_lag_seconds",
    "How far the processor is behind this connector at least; above half a second relays are paced",
    "seconds",
    of=_CONNECTOR,
)
REPEATED = _counter(
    "repeated_copies",
    "Copies that a relay had sent a moment before, byte for byte, and that are left out",
    "copies",
    of=_CONNECTOR,
)
UNASKED = _counter(
    "unasked",
    "Messages and frames of relays that nothing waited for, charged as refused input, by what they are",
    "messages",
    "what",
    of=_CONNECTOR,
)
UNFINISHED = _gauge(
    "unfinished_bytes", "Bytes of messages that relays have not finished, small ones left out", "bytes", of=_CONNECTOR
)
CLOCK_STEPS = _counter(
    "clock_steps", "Times the host's clock was set by more than seconds, or set back", "steps", of=_CONNECTOR
)

# Processor
BUNDLES = _counter("bundles", "Bundles validated, all their outputs acknowledged", "bundles", of=_PROCESSOR)
BUNDLES_IN_FLIGHT = _gauge(
    "bundles_in_flight", "Bundles taken from Kafka and not yet acknowledged", "bundles", of=_PROCESSOR
)
COPIES = _counter("copies", "Copies validated", "copies", of=_PROCESSOR)
VERIFIED = _counter("verified", "Events whose id and signature were checked and found right", "events", of=_PROCESSOR)
DUPLICATES = _counter("duplicates", "Copies of an event that was known already", "copies", of=_PROCESSOR)
KNOWN_SIGHTINGS = _counter(
    "known_sightings", "Sightings that were not published because they are known", "sightings", of=_PROCESSOR
)
ASKED_IDS = _counter("asked_ids", "Ids that the archive was asked for", "ids", of=_PROCESSOR)
FOUND_IDS = _counter("found_ids", "Ids of those that the archive had", "ids", of=_PROCESSOR)
QUARANTINED = _counter(
    "quarantined", "Input set apart for a person or a later version, by reason", "inputs", "reason", of=_PROCESSOR
)
ACCEPTED = _counter("accepted", "New events published to `events`", "events", of=_PROCESSOR)
ERASED = _counter(
    "erased", "Copies dropped because their event is erased, or expired, by cause", "copies", "cause", of=_PROCESSOR
)
RELAYS_FOUND = _counter(
    "relays_found", "Records published to `relays.found`, of relays that events name", "records", of=_PROCESSOR
)
SKIPPED = _counter(
    "skipped_bundles",
    "Bundles, findings or probes of relays deleted from Kafka before they were read",
    "records",
    of=_FAUST,
)
ACK_SECONDS = _seconds(
    "ack", "From the start of a record's handling to the acknowledgement of all its outputs", of=_FAUST
)

# Registry
FOUND = _counter(
    "registry_findings", "Findings of relays taken, all their outputs acknowledged", "findings", of=_REGISTRY
)
FOUND_DROPPED = _counter(
    "registry_findings_dropped",
    "Findings of relays that could not be used, by reason",
    "findings",
    "reason",
    of=_REGISTRY,
)
REGISTERED = _gauge(
    "registered_relays",
    "Admitted and denied relays by state, of the domains that this process writes about",
    "relays",
    "state",
    of=_REGISTRY,
)
CANDIDATES = _gauge(
    "relay_candidates", "Relays that are named and not admitted, of the same domains", "relays", of=_REGISTRY
)
PROBES = _counter("assessed_probes", "Probes of relays folded into their health, durably", "probes", of=_REGISTRY)
PROBES_DROPPED = _counter(
    "assessed_probes_dropped", "Probes that could not be used, by reason", "probes", "reason", of=_REGISTRY
)
HEALTH = _gauge(
    "relay_health",
    "Probed relays by state, of the hosts that this process writes about",
    "relays",
    "state",
    of=_REGISTRY,
)

# Sink
ARCHIVED = _counter("archived", "Events inserted as new rows", "events", of=_SINK)
HELD = _gauge(
    "archive_held",
    "What the whole archive holds: events, and pairs of event and relay; absent until older rows are counted",
    "events or pairs",
    "table",
    of=_SINK,
)
REFUSED_ERASED = _counter("refused_erased", "Events that were not archived because they are erased", "events", of=_SINK)
ERASED_ROWS = _counter(
    "erased_rows", "Events that rules about others than their id erased, by cause", "events", "cause", of=_SINK
)
BATCHES = _counter("batches", "Batches committed to PostgreSQL", "batches", of=_SINK)
BATCH_RETRIES = _counter("batch_retries", "Batches tried again after a transient failure", "tries", of=_SINK)
BATCH_SECONDS = _seconds("batch", "Time for a batch from its first statement to its commit", of=_SINK)
END_TO_END_SECONDS = _seconds(
    "end_to_end", "From the moment a relay's copy was received to its committed row", of=_SINK
)

# Janitor
TRIMMED = _counter(
    "trimmed_bundles", "Bundles deleted from Kafka because they were read and are old enough", "bundles", of=_JANITOR
)

# Seeder and finder
SEEDS = _counter("seeds", "Relays of the list of seeds that were published because they were new", "relays", of=_SEEDER)
FINDER_ANSWERS = _counter(
    "finder_answers", "Requests to APIs that list relays, by outcome", "requests", "outcome", of=_FINDER
)
FINDER_RELAYS = _counter(
    "finder_relays",
    "Relays that APIs list and that were published because they were new for a day",
    "relays",
    of=_FINDER,
)

# Prober
PROBES_WRITTEN = _counter(
    "probes_written", "Probes of relays that Kafka has acknowledged, by verdict", "probes", "verdict", of=_PROBER
)
PROBE_DOCUMENTS = _counter(
    "probe_documents",
    "Relay information documents that were published because they were new",
    "documents",
    of=_PROBER,
)
PROBED = _gauge(
    "probed_relays",
    "Relays of this prober by the newest verdict on them, `unknown` before their first probe",
    "relays",
    "verdict",
    of=_PROBER,
)
PROBES_UNDER_WAY = _gauge("probes_under_way", "Relays that are being probed", "relays", of=_PROBER)
PROBES_DUE = _gauge("probes_due", "Relays whose probe is due and waits for its turn", "relays", of=_PROBER)
PROBES_LATE = _gauge(
    "probes_late_seconds",
    "How long the probe that waits longest is due; grows where too few run at once",
    "seconds",
    of=_PROBER,
)
MONITOR_EVENTS = _counter(
    "monitor_events",
    "Events of the monitor by what a relay made of them, once for each relay",
    "events",
    "outcome",
    of=_PROBER,
)
MONITOR_EVENTS_WAITING = _gauge(
    "monitor_events_waiting", "Events of the monitor that wait for a relay, over all relays", "events", of=_PROBER
)

# API
API_REQUESTS = _counter(
    "api_requests",
    "HTTP requests by what they are about and the class of the status; of `websocket`, `1xx` is a connection, else a "
    "refusal",
    "requests",
    "endpoint",
    "status",
    of=_API,
)
API_SECONDS = _seconds(
    "api_request", "From an HTTP request to the end of its answer, by what it is about", "endpoint", of=_API
)
API_SENT = _counter(
    "api_sent_bytes", "Bytes of answers and of websocket messages, without headers", "bytes", "protocol", of=_API
)
API_WEBSOCKETS = _gauge("api_websockets", "Open websocket connections", "connections", of=_API)
API_QUERIES = _gauge("api_queries", "Queries that the archive is answering", "queries", of=_API)
API_QUERY_SECONDS = _seconds("api_query", "From the start of a query to its answer, or its failure", of=_API)
API_UNANSWERED = _counter(
    "api_unanswered_queries",
    "Queries that got no answer: there was no place, the database is away, or it took too long",
    "queries",
    "reason",
    of=_API,
)
LIVE_SUBSCRIPTIONS = _gauge("live_subscriptions", "Subscriptions that are given new events", "subscriptions", of=_API)
LIVE_DELIVERED = _counter(
    "live_delivered", "New events given to subscriptions, each once for each of them", "events", of=_API
)
LIVE_HIDDEN = _counter(
    "live_hidden", "New events given to none, because they are deleted, vanished, expired or erased", "events", of=_API
)
LIVE_BAD_RECORDS = _counter(
    "live_bad_records", "Records of `events` that were not given to subscriptions, as unreadable", "records", of=_API
)
LIVE_KEPT = _gauge("live_kept_bytes", "Memory of new events that are kept for later subscriptions", "bytes", of=_API)
LIVE_LAG = _gauge("live_lag_records", "Records of `events` that were not read yet", "records", of=_API)


def export_only(service: str) -> None:
    """Have this process export what a service of this name counts, and nothing of the others; called once.

    Until then everything is exported, as where tests run parts of several services in one process.
    """
    for family in FAMILIES:
        if not family.is_of(service):
            REGISTRY.unregister(family.collector)


def values() -> dict[str, float]:
    """Sum each of our metrics over its labels, by name (`bigbrotr_…`, counters with `_total`), for a status page."""
    sums: dict[str, float] = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name.startswith("bigbrotr_") and not sample.name.endswith(("_bucket", "_created")):
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
