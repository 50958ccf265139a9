"""Prometheus metrics of all services, in one place, so that dashboards and the live view know every name.

Each name has one meaning, whichever service exports it, and a service exports those of its own work only. Labels are
only ever names of ours (stages, reasons, states, logical topic names) and partition numbers: never an id, a key, a URL
or free text, of which there is no end. A hot path counts in plain integers and adds them here once per bundle or batch.
`core.metrics.table` writes docs/reference/metrics.md from what stands here.
"""

from __future__ import annotations

from core.metrics.family import FAMILIES as FAMILIES
from core.metrics.family import REGISTRY as REGISTRY
from core.metrics.family import Owner, counter, gauge, seconds
from core.metrics.family import export_only as export_only
from core.metrics.family import values as values

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
LOOP_LAG = gauge("loop_lag_seconds", "How late the event loop was at its last tick", "seconds", of=_EVERY)
STALLS = counter("loop_stalls", "Times the event loop did not turn for seconds", "stalls", of=_EVERY)

# The flow
REJECTED = counter(
    "rejected", "Input refused, by the stage that refused it and the reason", "inputs", "stage", "reason", of=_FLOW
)
REBALANCES = counter(
    "rebalances", "Assignments received from the group's coordinator", "assignments", of=_FLOW + _REGISTRY + _PROBER
)
LAG = gauge(
    "consumer_lag_records",
    "Records of an assigned partition that are not done with: its end less the offset up to which progress is recorded",
    "records",
    "topic",
    "partition",
    of=_READERS + _REGISTRY,
)
PRODUCER_IN_FLIGHT = gauge(
    "producer_in_flight_bytes", "Bytes sent to Kafka and not yet acknowledged", "bytes", of=_PUBLISHERS
)
PRODUCER_PAUSES = counter("producer_pauses", "Times a sender had to wait for room", "pauses", of=_PUBLISHERS)
BAD_ERASURES = counter("bad_erasures", "Records of `erasures` that could not be read", "records", of=_READERS)
SIGHTINGS = counter("sightings", "Sightings that this service has written durably", "sightings", of=_READERS)

# Connector
RECEIVED = counter("received_copies", "Event copies taken from relays or files", "copies", of=_CONNECTOR)
RECEIVED_BYTES = counter("received_bytes", "Bytes of those copies", "bytes", of=_CONNECTOR)
PUBLISHED_BUNDLES = counter("published_bundles", "Bundles acknowledged by Kafka", "bundles", of=_CONNECTOR)
RELAYS = gauge("relays", "Relays by the state of their connection", "relays", "state", of=_CONNECTOR)
RELAY_FAILURES = counter(
    "relay_failures", "Connections that failed or were refused, by reason", "connections", "reason", of=_CONNECTOR
)
JUDGED = counter(
    "judged_copies", "Copies of relays whose id and signature the connector has checked itself", "copies", of=_CONNECTOR
)
FORGED = counter(
    "forged_copies",
    "Those of them that were no event, or not what their author signed; they count against the relay's budget",
    "copies",
    "reason",
    of=_CONNECTOR,
)
VALIDATION_LAG = gauge(
    "validation_lag_seconds",
    "How far the processor is behind this connector at least; above half a second relays are paced",
    "seconds",
    of=_CONNECTOR,
)
REPEATED = counter(
    "repeated_copies",
    "Copies that a relay had sent a moment before, byte for byte, and that are left out",
    "copies",
    of=_CONNECTOR,
)
UNASKED = counter(
    "unasked",
    "Messages and frames of relays that nothing waited for, charged as refused input, by what they are",
    "messages",
    "what",
    of=_CONNECTOR,
)
UNFINISHED = gauge(
    "unfinished_bytes", "Bytes of messages that relays have not finished, small ones left out", "bytes", of=_CONNECTOR
)
CLOCK_STEPS = counter(
    "clock_steps", "Times the host's clock was set by more than seconds, or set back", "steps", of=_CONNECTOR
)

# Processor
BUNDLES = counter("bundles", "Bundles validated, all their outputs acknowledged", "bundles", of=_PROCESSOR)
BUNDLES_IN_FLIGHT = gauge(
    "bundles_in_flight", "Bundles taken from Kafka and not yet acknowledged", "bundles", of=_PROCESSOR
)
COPIES = counter("copies", "Copies validated", "copies", of=_PROCESSOR)
VERIFIED = counter("verified", "Events whose id and signature were checked and found right", "events", of=_PROCESSOR)
DUPLICATES = counter("duplicates", "Copies of an event that was known already", "copies", of=_PROCESSOR)
KNOWN_SIGHTINGS = counter(
    "known_sightings", "Sightings that were not published because they are known", "sightings", of=_PROCESSOR
)
ASKED_IDS = counter("asked_ids", "Ids that the archive was asked for", "ids", of=_PROCESSOR)
FOUND_IDS = counter("found_ids", "Ids of those that the archive had", "ids", of=_PROCESSOR)
QUARANTINED = counter(
    "quarantined", "Input set apart for a person or a later version, by reason", "inputs", "reason", of=_PROCESSOR
)
ACCEPTED = counter("accepted", "New events published to `events`", "events", of=_PROCESSOR)
ERASED = counter(
    "erased", "Copies dropped because their event is erased, or expired, by cause", "copies", "cause", of=_PROCESSOR
)
RELAYS_FOUND = counter(
    "relays_found", "Records published to `relays.found`, of relays that events name", "records", of=_PROCESSOR
)
SKIPPED = counter(
    "skipped_bundles",
    "Bundles, findings or probes of relays deleted from Kafka before they were read",
    "records",
    of=_FAUST,
)
ACK_SECONDS = seconds(
    "ack", "From the start of a record's handling to the acknowledgement of all its outputs", of=_FAUST
)

# Registry
FOUND = counter(
    "registry_findings", "Findings of relays taken, all their outputs acknowledged", "findings", of=_REGISTRY
)
FOUND_DROPPED = counter(
    "registry_findings_dropped",
    "Findings of relays that could not be used, by reason",
    "findings",
    "reason",
    of=_REGISTRY,
)
REGISTERED = gauge(
    "registered_relays",
    "Admitted and denied relays by state, of the domains that this process writes about",
    "relays",
    "state",
    of=_REGISTRY,
)
CANDIDATES = gauge(
    "relay_candidates", "Relays that are named and not admitted, of the same domains", "relays", of=_REGISTRY
)
PROBES = counter("assessed_probes", "Probes of relays folded into their health, durably", "probes", of=_REGISTRY)
PROBES_DROPPED = counter(
    "assessed_probes_dropped", "Probes that could not be used, by reason", "probes", "reason", of=_REGISTRY
)
HEALTH = gauge(
    "relay_health",
    "Probed relays by state, of the hosts that this process writes about",
    "relays",
    "state",
    of=_REGISTRY,
)

# Sink
ARCHIVED = counter("archived", "Events inserted as new rows", "events", of=_SINK)
HELD = gauge(
    "archive_held",
    "What the whole archive holds: events, and pairs of event and relay; absent until older rows are counted",
    "events or pairs",
    "table",
    of=_SINK,
)
REFUSED_ERASED = counter("refused_erased", "Events that were not archived because they are erased", "events", of=_SINK)
ERASED_ROWS = counter(
    "erased_rows", "Events that rules about others than their id erased, by cause", "events", "cause", of=_SINK
)
BATCHES = counter("batches", "Batches committed to PostgreSQL", "batches", of=_SINK)
BATCH_RETRIES = counter("batch_retries", "Batches tried again after a transient failure", "tries", of=_SINK)
BATCH_SECONDS = seconds("batch", "Time for a batch from its first statement to its commit", of=_SINK)
END_TO_END_SECONDS = seconds("end_to_end", "From the moment a relay's copy was received to its committed row", of=_SINK)

# Janitor
TRIMMED = counter(
    "trimmed_bundles", "Bundles deleted from Kafka because they were read and are old enough", "bundles", of=_JANITOR
)

# Seeder and finder
SEEDS = counter("seeds", "Relays of the list of seeds that were published because they were new", "relays", of=_SEEDER)
FINDER_ANSWERS = counter(
    "finder_answers", "Requests to APIs that list relays, by outcome", "requests", "outcome", of=_FINDER
)
FINDER_RELAYS = counter(
    "finder_relays",
    "Relays that APIs list and that were published because they were new for a day",
    "relays",
    of=_FINDER,
)

# Prober
PROBES_WRITTEN = counter(
    "probes_written", "Probes of relays that Kafka has acknowledged, by verdict", "probes", "verdict", of=_PROBER
)
PROBE_DOCUMENTS = counter(
    "probe_documents",
    "Relay information documents that were published because they were new",
    "documents",
    of=_PROBER,
)
PROBED = gauge(
    "probed_relays",
    "Relays of this prober by the newest verdict on them, `unknown` before their first probe",
    "relays",
    "verdict",
    of=_PROBER,
)
PROBES_UNDER_WAY = gauge("probes_under_way", "Relays that are being probed", "relays", of=_PROBER)
PROBES_DUE = gauge("probes_due", "Relays whose probe is due and waits for its turn", "relays", of=_PROBER)
PROBES_LATE = gauge(
    "probes_late_seconds",
    "How long the probe that waits longest is due; grows where too few run at once",
    "seconds",
    of=_PROBER,
)
MONITOR_EVENTS = counter(
    "monitor_events",
    "Events of the monitor by what a relay made of them, once for each relay",
    "events",
    "outcome",
    of=_PROBER,
)
MONITOR_EVENTS_WAITING = gauge(
    "monitor_events_waiting", "Events of the monitor that wait for a relay, over all relays", "events", of=_PROBER
)

# API
API_REQUESTS = counter(
    "api_requests",
    "HTTP requests by what they are about and the class of the status; of `websocket`, `1xx` is a connection, else a "
    "refusal",
    "requests",
    "endpoint",
    "status",
    of=_API,
)
API_SECONDS = seconds(
    "api_request", "From an HTTP request to the end of its answer, by what it is about", "endpoint", of=_API
)
API_SENT = counter(
    "api_sent_bytes", "Bytes of answers and of websocket messages, without headers", "bytes", "protocol", of=_API
)
API_WEBSOCKETS = gauge("api_websockets", "Open websocket connections", "connections", of=_API)
API_QUERIES = gauge("api_queries", "Queries that the archive is answering", "queries", of=_API)
API_QUERY_SECONDS = seconds("api_query", "From the start of a query to its answer, or its failure", of=_API)
API_UNANSWERED = counter(
    "api_unanswered_queries",
    "Queries that got no answer: there was no place, the database is away, or it took too long",
    "queries",
    "reason",
    of=_API,
)
LIVE_SUBSCRIPTIONS = gauge("live_subscriptions", "Subscriptions that are given new events", "subscriptions", of=_API)
LIVE_DELIVERED = counter(
    "live_delivered", "New events given to subscriptions, each once for each of them", "events", of=_API
)
LIVE_HIDDEN = counter(
    "live_hidden", "New events given to none, because they are deleted, vanished, expired or erased", "events", of=_API
)
LIVE_BAD_RECORDS = counter(
    "live_bad_records", "Records of `events` that were not given to subscriptions, as unreadable", "records", of=_API
)
LIVE_KEPT = gauge("live_kept_bytes", "Memory of new events that are kept for later subscriptions", "bytes", of=_API)
LIVE_LAG = gauge("live_lag_records", "Records of `events` that were not read yet", "records", of=_API)
