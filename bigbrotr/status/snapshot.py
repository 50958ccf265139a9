"""Snapshot of the pipeline at one moment, as plain values: made by `collect`, shown by `snapshot_view` and `status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial

from bigbrotr.services import READINGS


@dataclass(frozen=True)
class ServiceState:
    """One service process. `problem` says why it is not ready, or is None; `note` is what a person may want to know.

    `host` and `port` are where it serves its health.
    """

    name: str
    state: str
    pid: int | None = None
    port: int | None = None
    problem: str | None = None
    restarts: int = 0
    note: str = ""
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class TopicSize:
    """What a topic holds.

    Attributes:
        records: the offsets that it holds; where it is compacted, some of them have no record any more.
        written: records that were ever written.
        disk_bytes: on the disks of all brokers; None where they do not tell.
    """

    records: int
    written: int
    disk_bytes: int | None = None


@dataclass(frozen=True)
class Refused:
    """The records of one topic of refused input. Their reasons are known where all were read, and empty else."""

    records: int
    by_reason: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RelayState:
    """One relay as its connector sees it.

    Attributes:
        url: the normalised one.
        state: one word.
        detail: why it is away or cannot be read, and when it is tried again.
        received: events that it sent since the connector started, repeated ones included.
        position_s: stored events were asked for from now down to this second; None where nothing is being read.
        crawled: whether the relay is followed and all is read that can be read now, besides gaps.
        gaps: known ones, of all filters.
    """

    url: str
    state: str
    detail: str = ""
    received: int = 0
    position_s: int | None = None
    crawled: bool = False
    gaps: int = 0


@dataclass(frozen=True)
class Probing:
    """How relays are probed, by all probers together.

    Attributes:
        verdicts: relays by the newest verdict on them, `unknown` where there is none yet.
        under_way: relays that are being probed.
        due: relays whose probe is due and waits for its turn.
        late_s: how long the one that waits longest has waited.
    """

    verdicts: Mapping[str, int]
    under_way: int = 0
    due: int = 0
    late_s: float = 0.0


@dataclass(frozen=True)
class Counts:
    """Event counts. Those of a service begin when it starts; `archived` and `sightings` are the archive's own.

    `sightings` counts pairs of an event and a relay. Where not `archived_exact`, `archived` is an estimate.
    """

    received: int = 0
    verified: int = 0
    duplicates: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    archived: int | None = None
    sightings: int | None = None
    archived_exact: bool = True


@dataclass(frozen=True)
class Snapshot:
    """Everything that is shown, at `at_s` (seconds of `time.monotonic`).

    `lags` has the records that each service still has to read, by its name, None where that is not known.
    `server_notes` has what the guard of the embedded servers says of one: its restarts, or why it ended.
    `refused` has the topics of refused input, where they were asked for.
    `not_read` has the known relays that no connector reads, by why (see `bigbrotr.status.registry`); None where that
    was not asked for, or is not known.
    `probing` is None where no prober runs, and so is `api_url` where the API does not serve.
    """

    at_s: float
    servers: Mapping[str, str] = field(default_factory=dict)
    server_notes: Mapping[str, str] = field(default_factory=dict)
    services: tuple[ServiceState, ...] = ()
    relays: tuple[RelayState, ...] = ()
    not_read: Mapping[str, int] | None = None
    probing: Probing | None = None
    api_url: str | None = None
    counts: Counts = field(default_factory=Counts)
    topics: Mapping[str, TopicSize] = field(default_factory=dict)
    refused: Mapping[str, Refused] = field(default_factory=dict)
    lags: Mapping[str, int | None] = field(default_factory=partial(dict.fromkeys, READINGS))
    disk: Mapping[str, int] = field(default_factory=dict)
    events: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Give the snapshot as JSON-ready values, without the clock reading, which means nothing elsewhere."""
        document: dict[str, object] = {}
        for key, value in asdict(self).items():
            if key == "lags":
                document |= {f"{name}_lag": lag for name, lag in self.lags.items()}
            elif key == "api_url":
                document["api"] = {"url": self.api_url}
            elif key != "at_s":
                document[key] = value
        return document


@dataclass(frozen=True)
class Rates:
    """Changes per second between two snapshots; None where one of them does not know.

    `relays` has what each relay sent, by URL; one that counts from zero again is left out until it is known.
    """

    received: float | None
    verified: float | None
    archived: float | None
    relays: Mapping[str, float] = field(default_factory=dict)


def rates(before: Snapshot | None, now: Snapshot) -> Rates:
    """Compute the rates between two snapshots, never negative: a service that restarted counts from zero again."""
    if before is None or now.at_s <= before.at_s:
        return Rates(None, None, None)
    seconds = now.at_s - before.at_s
    # Statistics are refreshed now and then: their changes say nothing.
    is_counted = before.counts.archived_exact and now.counts.archived_exact

    def per_second(new: int | None, old: int | None) -> float | None:
        return None if new is None or old is None else max(0, new - old) / seconds

    earlier = {relay.url: relay.received for relay in before.relays}
    return Rates(
        per_second(now.counts.received, before.counts.received),
        per_second(now.counts.verified, before.counts.verified),
        per_second(now.counts.archived, before.counts.archived) if is_counted else None,
        {
            relay.url: (relay.received - earlier[relay.url]) / seconds
            for relay in now.relays
            if relay.received >= earlier.get(relay.url, relay.received + 1)
        },
    )
