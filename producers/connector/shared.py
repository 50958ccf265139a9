"""What the sessions of a connector have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import SecretStr

from producers.bundler import Bundler
from producers.connector.connection_limits import ConnectionLimits
from producers.connector.coverage.claims import HOLD_S
from producers.connector.known_filters import KnownFilters
from producers.connector.lanes import PRIORITY_SHARE
from producers.connector.reading.judge_pool import JudgePool
from producers.connector.reading.pacing import Pacing
from producers.connector.reading.repeats import Repeats
from producers.connector.reconcile.archive_ids import ArchiveIds
from producers.connector.registry.reports import Reports
from producers.rejecting import Rejections
from producers.relay_client.dialling import Dialling
from producers.relay_client.pace import Paces
from producers.relay_client.stream.turns import Turns
from producers.send_buffer import SendBuffer
from schemas.nostr.filters import Filter


@dataclass(frozen=True, slots=True)
class Shared:
    """Of one process; each session gets all of it."""

    send_buffer: SendBuffer
    bundler: Bundler
    rejections: Rejections
    slots: ConnectionLimits
    dialling: Dialling
    filters: dict[str, Filter]
    eose_timeout_s: float
    auth_key: SecretStr | None
    hold_s: float = HOLD_S
    archive: ArchiveIds | None = None
    reports: Reports | None = None
    known_filters: KnownFilters = field(default_factory=KnownFilters)
    paces: Paces = field(default_factory=Paces)
    judges: JudgePool = field(default_factory=JudgePool)
    pacing: Pacing = field(default_factory=Pacing)
    turns: Turns = field(default_factory=lambda: Turns(PRIORITY_SHARE))
    repeats: Repeats = field(default_factory=Repeats)
    events_per_hour: int | None = None
