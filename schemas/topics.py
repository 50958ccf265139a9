"""The topic table: every topic with its key, codec, retention, partitions and purpose (docs/reference/topics.md).

Code uses logical names; `physical` adds the configured prefix. `configs` gives the settings with which
`bigbrotr topics create` makes a topic. Nothing is auto-created.
"""

from __future__ import annotations

from schemas.topic_row import Codec, Reader, Topic

KIB = 1024
MIB = 1024 * KIB
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

RAW_LIMIT_BYTES = MIB
"""The largest event that is taken. Relays take 64 KiB to 256 KiB by default; the largest real ones (contact lists, long
texts) are below 200 KiB, so this leaves room without letting one event fill a buffer."""

ENVELOPE_BYTES = 16 * KIB
"""Room around an event in a bundle: a relay URL of up to 2 KiB, escaped, the member names, and Kafka's batch header."""
OUTPUT_FACTOR = 4
"""An output holds an event and its facts, or an input with its headers: well below four times the raw limit."""

_SMALL = MIB
"""Registry, health and coverage records are documents of kilobytes; Kafka's own default is a mebibyte."""
_OUTPUT = OUTPUT_FACTOR * RAW_LIMIT_BYTES
_RAW = RAW_LIMIT_BYTES + ENVELOPE_BYTES
_STATE_LAG_MS = DAY_MS
"""State topics are small: a day keeps their reading at start short."""
TOMBSTONES_KEPT_MS = DAY_MS
"""A reader that starts from the beginning must meet each tombstone within this time, once the record that it removes is
gone. One that was away for longer has to look which keys are left (`sinks.writing.missed_tombstones`)."""
_ERASURE_LAG_MS = 7 * DAY_MS
"""An erased event must have left the topic within this time, well below the month that privacy laws allow."""
_TRIMMED = (("segment.bytes", str(128 * MIB)), ("segment.ms", str(DAY_MS)))
"""Deleting records frees whole segments that lie below the new beginning, never the one that is written to.

With Kafka's defaults (a gibibyte, seven days) a record could stay a week longer than a keep time of a week says, and 16
partitions held 16 GiB that nothing needs. Closed after a day, a segment is gone a day after its oldest record may go;
where much comes in, 16 open segments hold 2 GiB at most, and a week is hundreds of files, not tens of thousands.
"""

TOPICS: tuple[Topic, ...] = (
    Topic(
        name="raw.bundles",
        description="copies of events as relays sent them, up to 256 in a record",
        key="none",
        codec=Codec("NDJSON", "schemas.records.bundle:decode_lines"),
        partitioned_by="event id",
        cleanup="delete",
        writers=("connector", "import"),
        readers=(Reader("processor", "share"),),
        max_message_bytes=_RAW,
        # No time limit: a processor that is down for longer would lose what coverage calls read. `bigbrotr topics trim`
        # deletes records, only below the readers' durable offsets.
        extra=_TRIMMED,
    ),
    Topic(
        name="events",
        description="one verified event, with the copy it was taken from and its facts",
        key="32 id bytes",
        codec=Codec("JSON", "schemas.records.event_record:decode"),
        partitioned_by="event id",
        cleanup="compact",
        writers=("processor",),
        readers=(Reader("sink", "share"), Reader("processor", "share")),
        max_message_bytes=_OUTPUT,
        compaction_lag_ms=_ERASURE_LAG_MS,
    ),
    Topic(
        name="sightings",
        description="which relay had which verified events when",
        key="none",
        codec=Codec("NDJSON", "schemas.records.sighting:decode"),
        partitioned_by="event id",
        cleanup="delete",
        writers=("processor",),
        readers=(Reader("sink", "share"),),
        # A bundle of one relay's copies makes one sighting; 256 ids of 80 bytes are far below.
        max_message_bytes=_SMALL,
    ),
    Topic(
        name="erasures",
        description="why and when an id, or an address or author up to a time, was erased; never null",
        key="the whole target, so that no rule overwrites another",
        codec=Codec("JSON", "schemas.records.erasure:Erasure.decode"),
        partitioned_by="event id",
        cleanup="compact",
        writers=("erase", "processor", "sink"),
        readers=(Reader("processor", "all"), Reader("sink", "all")),
        # An address may be as long as the event that asks for its deletion, and is in key and value.
        max_message_bytes=_OUTPUT,
        compaction_lag_ms=_STATE_LAG_MS,
    ),
    Topic(
        name="quarantine",
        description="signed input that the archive cannot represent, and input on which a rule failed",
        key="as received",
        codec=Codec("the original bytes, reason in headers", "schemas.records.rejection:Rejection.from_headers"),
        partitioned_by="as received",
        cleanup="delete",
        writers=("processor",),
        readers=(Reader("rejections command", "on demand"),),
        max_message_bytes=_OUTPUT,
    ),
    Topic(
        name="rejections",
        description="refused input with the reason",
        key="as received",
        codec=Codec("the original bytes, reason in headers", "schemas.records.rejection:Rejection.from_headers"),
        partitioned_by="as received",
        cleanup="delete",
        writers=("connector", "import", "processor"),
        readers=(Reader("rejections command", "on demand"),),
        max_message_bytes=_OUTPUT,
        # Long enough to look into yesterday's surprise after a long weekend.
        retention_ms=7 * DAY_MS,
        # Untrusted input must not fill the disk, at whatever rate it is sent.
        retention_bytes=256 * MIB,
        # A segment is deleted as a whole: smaller ones let the bound in bytes mean what it says.
        extra=(("segment.bytes", str(32 * MIB)),),
    ),
    Topic(
        name="unwritten",
        description="verified records that the database would not take, with its words",
        key="as received",
        codec=Codec("the original bytes, reason in headers", "schemas.records.rejection:Rejection.from_headers"),
        partitioned_by="as received",
        cleanup="delete",
        writers=("sink",),
        readers=(Reader("rejections command", "on demand"),),
        max_message_bytes=_OUTPUT,
        # They are missing in the archive, so an operator has weeks; and they are gone within the month that privacy
        # laws allow. No bound in bytes: relays could exhaust it, and the sink stops where it would set aside much.
        retention_ms=28 * DAY_MS,
        extra=_TRIMMED,
    ),
    Topic(
        name="relays.commands",
        description="what people and seed lists want of a relay or host",
        key="who wants it and the target, so that a seed list replaces no wish of a person",
        codec=Codec("JSON", "schemas.records.relay_command:RelayCommand.decode"),
        partitioned_by="relay domain",
        cleanup="compact",
        writers=("relays command", "seeder"),
        readers=(Reader("registry", "all"),),
        max_message_bytes=_SMALL,
        compaction_lag_ms=_STATE_LAG_MS,
    ),
    Topic(
        name="relays.found",
        description="who names a relay URL, what is wanted of it, how it met a connector, what monitors claim of it",
        key="normalised URL, or the target of a command",
        codec=Codec("JSON", "schemas.records.relay_found:RelayFound.decode"),
        # One member of the registry's group sees all of a domain, whose relays share limits. Claims lie by relay host.
        partitioned_by="relay domain",
        cleanup="delete",
        writers=("connector", "finder", "processor", "registry", "relays command", "seeder"),
        readers=(Reader("registry", "share"),),
        max_message_bytes=_SMALL,
        retention_ms=7 * DAY_MS,
        # Events name relays, at whatever rate strangers sign them; the archive names them again on `relays rediscover`.
        retention_bytes=256 * MIB,
        extra=(("segment.bytes", str(32 * MIB)),),
    ),
    Topic(
        name="relays.candidates",
        description="relays that were named and are not read: too few name them, they wait, were removed or are dead",
        key="normalised URL",
        codec=Codec("JSON", "schemas.records.relay:RelayRecord.decode"),
        partitioned_by="relay domain",
        cleanup="compact",
        writers=("registry",),
        readers=(Reader("registry", "all"),),
        max_message_bytes=_SMALL,
        compaction_lag_ms=_STATE_LAG_MS,
    ),
    Topic(
        name="relays",
        description="the registry of relays, admitted and denied: spelling, network, sources, state, lane",
        key="normalised URL",
        codec=Codec("JSON", "schemas.records.relay:RelayRecord.decode"),
        partitioned_by="relay host",
        cleanup="compact",
        writers=("registry",),
        readers=(
            Reader("connector", "share"),
            Reader("prober", "share"),
            Reader("registry", "all"),
            Reader("sink", "share"),
        ),
        max_message_bytes=_SMALL,
        compaction_lag_ms=_STATE_LAG_MS,
    ),
    Topic(
        name="raw.probes",
        description="one complete probe of a relay: verdict, times, certificate, names, place, hash of its document",
        key="normalised URL",
        codec=Codec("JSON", "schemas.records.probe:ProbeRecord.decode"),
        partitioned_by="relay host",
        cleanup="delete",
        writers=("prober",),
        readers=(Reader("registry", "share"), Reader("sink", "share")),
        max_message_bytes=_SMALL,
        retention_ms=28 * DAY_MS,
    ),
    Topic(
        name="relays.documents",
        description="each NIP-11 document that relays gave, once, as it was sent",
        key="SHA-256 of its bytes, hex",
        codec=Codec("JSON", "schemas.records.relay_document:RelayDocumentRecord.decode"),
        partitioned_by="content hash",
        cleanup="compact",
        writers=("prober",),
        readers=(Reader("prober", "all"), Reader("registry", "all"), Reader("sink", "share")),
        max_message_bytes=_SMALL,
        compaction_lag_ms=_STATE_LAG_MS,
    ),
    Topic(
        name="relays.health",
        description="the health of a relay: state, outages, daily tallies, limits, honesty, other monitors' claims",
        key="normalised URL",
        codec=Codec("JSON", "schemas.records.relay_health:RelayHealth.decode"),
        partitioned_by="relay host",
        cleanup="compact",
        writers=("registry",),
        readers=(
            Reader("connector", "share"),
            Reader("prober", "share"),
            Reader("registry", "share"),
            Reader("sink", "share"),
        ),
        max_message_bytes=_SMALL,
        compaction_lag_ms=_STATE_LAG_MS,
    ),
    Topic(
        name="coverage",
        description="per relay: time ranges read completely, cursor, gaps with reasons",
        key="normalised URL",
        codec=Codec("JSON", "schemas.records.coverage:Coverage.decode"),
        partitioned_by="relay host",
        cleanup="compact",
        writers=("connector",),
        readers=(Reader("connector", "share"), Reader("registry", "share"), Reader("sink", "share")),
        max_message_bytes=_SMALL,
        compaction_lag_ms=_STATE_LAG_MS,
    ),
)

_BY_NAME = {topic.name: topic for topic in TOPICS}


def topic(name: str) -> Topic:
    """The topic of a logical name.

    Raises:
        KeyError: there is none; the message lists those that are.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise KeyError(f"no topic {name!r}; there are {', '.join(_BY_NAME)}") from None


def physical(prefix: str, name: str) -> str:
    """The name of a topic in Kafka, for example `nostr.events`."""
    return prefix + topic(name).name


def logical(prefix: str, full_name: str) -> str:
    """The name of a topic in this table, for what Kafka calls `nostr.events`; labels and messages to people have it."""
    return full_name.removeprefix(prefix)


def configs(name: str, *, replication_factor: int = 1) -> dict[str, str]:
    """The Kafka settings with which a topic is created and to which `topics create` adjusts it.

    Args:
        name: logical name.
        replication_factor: of the topic; decides how many replicas must have a record before it counts as durable.
    """
    row = topic(name)
    settings = {
        "cleanup.policy": row.cleanup,
        "max.message.bytes": str(row.max_message_bytes),
        # The producer's choice is kept: brokers that recompress spend their processor time on it.
        "compression.type": "producer",
        # The broker dates records: retention, compaction and what is asked for by time go by one clock. By those of the
        # writers, Kafka refuses what comes from a host an hour ahead, and compacts nothing behind what is of later.
        "message.timestamp.type": "LogAppendTime",
        # With three replicas one may be away without stopping the intake, and none holds the only copy.
        "min.insync.replicas": str(max(1, replication_factor - 1)),
        # A replica that fell behind never leads, or acknowledged records would be gone.
        "unclean.leader.election.enable": "false",
        "retention.ms": str(row.retention_ms),
        "retention.bytes": str(row.retention_bytes),
    }
    if row.compacted:
        settings |= {
            "max.compaction.lag.ms": str(row.compaction_lag_ms),
            # The active segment is never compacted: it must close within the guaranteed time of compaction.
            "segment.ms": str(row.compaction_lag_ms),
            # A reader that is a little behind still meets each record once.
            "min.compaction.lag.ms": str(MINUTE_MS),
            # Clean when a tenth is replaced rather than half: these topics are read from their beginning at start.
            "min.cleanable.dirty.ratio": "0.1" if row.max_message_bytes == _SMALL else "0.5",
            "delete.retention.ms": str(TOMBSTONES_KEPT_MS),
        }
    settings.update(row.extra)
    return settings
