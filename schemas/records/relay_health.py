"""The `relays.health` topic: the health of a relay, folded from probes, what connectors report, and other monitors.

Compacted; the key is the normalised URL. All that is kept is bounded, and no older record is needed to go on: uptime of
a year does not depend on probes that are gone.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from schemas.records.document import Document
from schemas.records.probe import LONGEST_WORDS, Cause, Checks, Observed, Verdict
from schemas.relay_urls.relay_url import Network

MOST_DAYS = 400
"""Of tallies: a year and what is needed to compare it with the days before."""
MOST_HOURS = 25
"""Of tallies: the last 24 complete hours and the one that runs."""
MOST_LATENCIES = 90
"""Days of which times are kept: the longest period that is looked at."""
MOST_OUTAGES = 50
"""The newest; a relay that flaps each hour fills them in two days, and its tallies still tell all."""
MOST_CHANGES = 20
"""Of the NIP-11 document."""
MOST_MONITORS = 16
"""Other monitors of which a claim is kept: a dozen are known."""

HealthState = Literal["online", "refused", "offline", "unknown"]
"""online: works, or is a relay that serves somebody else. refused: answers and does not serve us. offline: down after
two attempts. unknown: was not probed within the time that its schedule promises, or the newest probe did not reach for
it: it had no proxy or no route to it, or must not connect to its addresses."""


class Stood(NamedTuple):
    """A state, and since when a relay was in it."""

    state: HealthState
    since_ms: int | None


class Tally(NamedTuple):
    """What was seen of a relay in one UTC hour or day. Seconds that no probe stands for are in neither."""

    number: int
    """Hours or days since 1970."""
    up_s: int
    down_s: int
    probes: int
    failures: int


class Latency(NamedTuple):
    """Probes of one day by how long a check took."""

    day: int
    open: tuple[tuple[int, int], ...]
    """(bucket, probes), see `schemas.latency_buckets`."""
    read: tuple[tuple[int, int], ...]


class Outage(Document):
    """A time in which a relay was offline, with its evidence."""

    since_ms: int = Field(ge=0, description="of the first probe that failed")
    until_ms: int | None = Field(None, ge=0, description="of the probe that found it again; null: it lasts")
    verdict: Verdict
    cause: Cause | None = None
    detail: str | None = Field(None, max_length=LONGEST_WORDS)
    probes: int = Field(1, ge=1, description="that failed")


class DocumentChange(Document):
    """A NIP-11 document that took the place of another."""

    at_ms: int = Field(ge=0)
    before: str | None = Field(None, description="its hash; null: there was none")
    after: str | None = Field(None, description="its hash; null: there is none any more")


class Limits(Document):
    """Bounds of the relay on what it is asked (NIP-11 `limitation`); null: not known."""

    max_limit: int | None = Field(None, ge=1)
    max_subscriptions: int | None = Field(None, ge=1)
    max_subid_length: int | None = Field(None, ge=1)
    max_message_length: int | None = Field(None, ge=1)


class Honesty(Document):
    """What connectors met of a relay's answers, from its record of `coverage`."""

    copies: int = Field(0, ge=0, description="events received")
    repeated: int = Field(0, ge=0)
    forged: int = Field(0, ge=0, description="events with a wrong id or signature, of a sample")
    disagreements: int = Field(0, ge=0, description="gaps where two answers contradict each other")
    filters_ignored: int = Field(0, ge=0, description="gaps where it sent what was not asked for")
    withheld: int = Field(0, ge=0, description="gaps where it said there is more and gave nothing")


class Claim(Document):
    """What another monitor said of the relay by a NIP-66 event: its word, beside what we saw."""

    monitor: str = Field(pattern="^[0-9a-f]{64}$", description="public key")
    at_s: int = Field(description="created_at of the newest event")
    rtt_open_ms: int | None = Field(None, ge=0)


class RelayHealth(Document):
    """The health of one relay."""

    version: int = Field(1, ge=1)
    url: str = Field(min_length=1, description="normalised URL, as in the key")
    network: Network
    state: HealthState
    since_ms: int | None = Field(None, ge=0, description="in this state since")
    lapsed_from: Stood | None = Field(
        None, description="the state that became unknown as no probe came; null: it did not"
    )
    verdict: Verdict | None = Field(
        None, description="of the newest probe, on writing of the newest full one; null: never probed"
    )
    cause: Cause | None = None
    detail: str | None = Field(None, max_length=LONGEST_WORDS)
    failures: int = Field(0, ge=0, description="probes in a row that did not find it online")
    probed_at_ms: int | None = Field(None, ge=0, description="the newest probe")
    next_in_s: int | None = Field(None, ge=1, description="as the newest probe says")
    full_at_ms: int | None = Field(None, ge=0, description="the newest probe with all checks")
    online_at_ms: int | None = Field(None, ge=0, description="the newest probe that found it online")
    checks: Checks = Field(Checks(), description="the newest outcome of each check")
    observed: Observed = Field(Observed(), description="the newest of each")
    document: str | None = Field(None, description="hash of the NIP-11 document it gives now")
    changes: tuple[DocumentChange, ...] = Field((), max_length=MOST_CHANGES, description="newest last")
    advertised: Limits = Field(Limits(), description="by its document")
    learnt: Limits = Field(Limits(), description="what connectors and probes met; takes precedence")
    honesty: Honesty = Honesty()
    hours: tuple[Tally, ...] = Field((), max_length=MOST_HOURS, description="oldest first")
    days: tuple[Tally, ...] = Field((), max_length=MOST_DAYS, description="oldest first")
    latencies: tuple[Latency, ...] = Field((), max_length=MOST_LATENCIES, description="oldest first")
    outages: tuple[Outage, ...] = Field((), max_length=MOST_OUTAGES, description="newest last")
    claims: tuple[Claim, ...] = Field((), max_length=MOST_MONITORS, description="newest last")
    duplicate_of: str | None = Field(None, description="a URL of the same host that gives the same document")
    judged_at_ms: int = Field(ge=0, description="of what decided the state: the newest probe, or when none had come")
