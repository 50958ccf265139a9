"""Asks the archive for events that the seen-set does not know, so that they are not verified and published again.

What the archive has was read from the topics, so they hold it already; where that may not be so, it is not asked
(`core.archive.origin`, `processors.validate.completeness`). An id alone says nothing about a copy: it is compared with
the signature that is archived, and verified where they differ. Without an archive, or with one that is away or slow,
everything is verified and published as if it were new, which changes no row.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka.errors import KafkaError

from core import kafka, metrics
from core.archive.bounded_reader import BoundedReader, Patience, Wording
from core.archive.origin import STANDING, TRUSTED, Standing, doubt
from core.settings import Settings
from core.waiting import brief
from processors.validate.asking import SAMPLED, KnownShares
from processors.validate.examination import Examination
from processors.validate.known.pairs import RelayTokens, pack_time, with_pair
from processors.validate.known.seen import HEAD_BYTES, Learned, SeenSet, pack
from processors.validate.outcome import Source
from schemas.fingerprint_map import fingerprint
from schemas.partition import event_partition
from schemas.reasons import Verdict
from schemas.records.bundle import SEEN_AT_END_MS

log = logging.getLogger(__name__)

_PATIENCE = Patience(answer_s=1.0, turn_s=1.0)
"""The bundles behind it wait: what takes longer costs more than it saves."""
_DOUBT_S = 10.0
"""A sink that starts for the first time has recorded within seconds what its archive is filled from."""
_BROKER_S = 5.0
"""For the end offsets, which are asked once."""
_WORDING = Wording("everything is published as if it were new", "known events are left out")
# Planned once for each connection: planning for all months takes longer than looking up a bundle.
_SESSION = {"plan_cache_mode": "force_generic_plan"}
# LIMIT has each id looked up in its month, and the subquery each relay: joins would be planned as ones of all rows.
# Both tables are bound in time, so that only their months are opened. 3 ms for 256 unknown ids, 10 ms for known ones.
_FIND = """
SELECT events.id, events.sig, events.created_at, seen.urls, seen.times_ms
FROM unnest($5::bigint[], $6::bytea[]) AS asked (created_at, id)
CROSS JOIN LATERAL (
    SELECT id, sig, created_at FROM events
    WHERE created_at = asked.created_at AND id = asked.id AND created_at BETWEEN $7 AND $8 LIMIT 1
) AS events
LEFT JOIN LATERAL (
    SELECT relay_ids, seen_ats_ms FROM sightings
    WHERE created_at = asked.created_at AND id = asked.id AND created_at BETWEEN $7 AND $8 LIMIT 1
) AS sightings ON true
LEFT JOIN LATERAL (
    SELECT array_agg((SELECT url FROM relays WHERE relays.id = pair.relay_id)) AS urls,
        array_agg(pair.seen_ms) AS times_ms
    FROM unnest(sightings.relay_ids, sightings.seen_ats_ms) AS pair (relay_id, seen_ms)
) AS seen ON true
WHERE {trusted}
"""


class Topics(NamedTuple):
    """What the archive must have been filled from: the cluster, and topics (full names) with their present ids."""

    cluster_id: str
    ids: Mapping[str, UUID | None]


class _Unknown(NamedTuple):
    """An event that the seen-set does not know."""

    created_at: int
    relay: str | None


class ArchivedEvents:
    """The archive, as far as a processor looks into it.

    Args:
        settings: name the archive.
        topics: that it must have been filled from.
        relays: tokens of relays.
        partitions: the partition count of the topics that are keyed by event id.
    """

    def __init__(self, settings: Settings, topics: Topics, relays: RelayTokens, partitions: int) -> None:
        self._settings = settings
        self._topics = topics
        self._relays = relays
        self._partitions = partitions
        self._reader = BoundedReader(settings, _WORDING, log, _PATIENCE, _SESSION)
        self._find = _FIND.format(trusted=TRUSTED)
        self._shares = KnownShares()
        self._trusted = False
        self._judging = asyncio.Lock()
        self._not_before_s = 0.0
        self._doubt: str | None = None

    async def teach(self, found: Examination, seen: SeenSet, source: Source) -> None:
        """Add to a seen-set what the archive has of a bundle, so that less of it is to be verified and published."""
        if self._reader.left_alone:
            return
        unknown = self._unknown(found, seen, source)
        if not unknown or not await self._trusts():
            return
        times = [each.created_at for each in unknown.values()]
        rows = await self._reader.fetch(self._find, *self._identity(), times, list(unknown), min(times), max(times))
        if rows is None:
            return
        self._count(unknown, rows)
        if rows:
            # At once, unlike what a bundle publishes: the topics have it.
            seen.learn(Learned([(row["id"], self._record(row)) for row in rows]))
            found.archived.update(row["id"] for row in rows)
            found.check_again(seen)

    async def close(self) -> None:
        """Let the connections go."""
        await self._reader.close()

    def _unknown(self, found: Examination, seen: SeenSet, source: Source) -> dict[bytes, _Unknown]:
        """Collect what to ask for, by id. Events of another partition do not belong into this seen-set."""
        unknown: dict[bytes, _Unknown] = {}
        sampled = source.offset % SAMPLED == 0

        def add(id_hex: str, created_at: int, relay: str | None) -> None:
            if sampled or self._shares.worth_asking(relay):
                event_id = bytes.fromhex(id_hex)
                if event_partition(id_hex, self._partitions) == source.partition and seen.get(event_id) is None:
                    unknown[event_id] = _Unknown(created_at, relay)

        for candidate in found.candidates:
            # Others are not in the archive.
            if candidate.judgement.verdict is Verdict.ACCEPTED and candidate.erased is None:
                add(candidate.event.id, candidate.event.created_at, candidate.copies[0][0])
        for held in found.held:
            add(held.id, held.created_at, held.relay)
        return unknown

    def _count(self, unknown: Mapping[bytes, _Unknown], rows: Sequence[Any]) -> None:
        metrics.ASKED_IDS.inc(len(unknown))
        metrics.FOUND_IDS.inc(len(rows))
        found = Counter(unknown[row["id"]].relay for row in rows)
        for relay, asked in Counter(each.relay for each in unknown.values()).items():
            self._shares.note(relay, asked=asked, found=found[relay])

    def _record(self, row: Any) -> bytes:
        record = pack(fingerprint(row["sig"].hex().encode()), row["created_at"])
        for url, seen_at_ms in zip(row["urls"] or (), row["times_ms"] or (), strict=True):
            if url is not None and seen_at_ms < SEEN_AT_END_MS:
                record = with_pair(record, HEAD_BYTES, self._relays[url], pack_time(seen_at_ms))
        return record

    def _identity(self) -> tuple[str, list[str], str, list[UUID | None]]:
        """The first values of `_FIND`."""
        topics = self._topics
        return self._settings.sink.group_id, list(topics.ids), topics.cluster_id, list(topics.ids.values())

    async def _trusts(self) -> bool:
        """Whether the topics have what the archive has; found out once, and looked at again while it is not so."""
        async with self._judging:
            if not self._trusted and time.monotonic() >= self._not_before_s:
                self._not_before_s = time.monotonic() + _DOUBT_S
                self._trusted = await self._judge()
            return self._trusted

    async def _judge(self) -> bool:
        rows = await self._reader.fetch(STANDING, self._settings.sink.group_id)
        if not rows:  # It cannot be asked, or holds nothing yet.
            return False
        try:
            async with asyncio.timeout(_BROKER_S):
                ends = await kafka.end_offsets(self._settings, self._topics.ids)
        except (KafkaError, OSError) as error:
            log.info("the archive is not asked yet: Kafka does not tell end offsets: %s", brief(error))
            return False
        reason = doubt((Standing(*row) for row in rows), self._topics.cluster_id, self._topics.ids, ends)
        if reason is not None and reason != self._doubt:
            log.warning("the archive is not asked for known events: %s", reason)
        self._doubt = reason
        return reason is None
