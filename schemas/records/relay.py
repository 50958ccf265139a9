"""The `relays` and `relays.candidates` topics: what the registry knows of a relay; the key is the normalised URL."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from schemas.records.document import Document
from schemas.records.relay_command import RelayCommand
from schemas.relay_urls.relay_url import Network

MOST_AUTHORS = 8
"""Hashes of authors that are kept: two decide, the rest tells a rumour from common knowledge."""
MOST_PLACES = 8
MOST_HISTORY = 16
RETRY_TIERS_S = (60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0)
"""After so many failures in a row connectors wait 1 min, 10 min, 1 h, 6 h, 1 d, 3 d, 7 d; the next failure evicts."""
LONGEST_DETAIL = 200
"""Characters of what a relay said when it was left."""

Lane = Literal["regular", "priority", "ignored"]
"""Priority relays keep a live subscription and a connection budget of their own; regular ones are crawled in turn;
ignored ones are known and not read."""
Source = Literal["operator", "seed", "api", "event", "publish"]
"""Who named a relay. `publish` is of records that were written before there was a registry: an operator's."""
State = Literal["candidate", "confirmed", "silent", "refused", "denied"]
"""candidate: never answered yet. confirmed: has spoken Nostr. silent: does not answer. refused: answers and will not
serve us. denied: not to be connected to."""
AuthorHash = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
"""The leading 8 bytes of the SHA-256 of an author's public key: enough to count authors, and to name none."""


class Report(Document):
    """How a relay met its connector: the newest change."""

    state: Literal["confirmed", "silent", "refused"]
    tries: int = Field(0, ge=0, description="failures in a row")
    detail: str = Field("", max_length=LONGEST_DETAIL, description="what ended the last connection")
    at_ms: int = Field(ge=0)


class SameDocument(Document):
    """That a relay gives the NIP-11 document of another URL of its host, and both are online."""

    url: str | None = Field(description="the other one, which is preferred; null: no longer so")
    at_ms: int = Field(ge=0, description="of the probe that says so")


class StateChange(Document):
    """When a state began."""

    state: State
    at_ms: int = Field(ge=0)


class RelayRecord(Document):
    """The registry's entry for one relay URL. Records of before there was a registry lack what has a default."""

    url: str = Field(description="normalised URL, as in the key")
    network: Network
    spelling: str | None = Field(
        default=None, description="the URL as it was first given, which is how it is dialled; null: like url"
    )
    source: str = Field(description="the weightiest of sources; what older connectors ask for")
    sources: tuple[Source, ...] = Field(default=(), description="all who named it")
    first_seen_ms: int | None = Field(default=None, ge=0, description="when it was named first, as far as is known")
    state: State = "candidate"
    lane: Lane = "regular"
    allowed: bool = Field(default=True, description="false: never connect")
    allow_private: bool = Field(default=False, description="the operator's own relay: may have a private address")
    duplicate_of: str | None = Field(default=None, description="the URL of the same relay that is read instead")
    admitted_at_ms: int | None = Field(default=None, ge=0, description="when connectors were first told of it")
    authors: tuple[AuthorHash, ...] = Field(default=(), max_length=MOST_AUTHORS, description="the lowest hashes")
    places: tuple[str, ...] = Field(default=(), max_length=MOST_PLACES, description="where it was named")
    command: RelayCommand | None = Field(default=None, description="the newest")
    report: Report | None = Field(default=None, description="the newest of connectors")
    same_document: SameDocument | None = Field(default=None, description="the newest of probes")
    history: tuple[StateChange, ...] = Field(
        default=(), max_length=MOST_HISTORY, description="changes of state, newest last"
    )
    updated_at_ms: int = Field(ge=0)

    @property
    def left_because(self) -> str | None:
        """Why connectors do not read a relay of the topic `relays`; None where they do."""
        if not self.allowed:
            return "denied"
        if self.duplicate_of is not None:
            return "duplicate"
        return "ignored" if self.lane == "ignored" else None


def author_hash(pubkey: str) -> str:
    """The hash of an author, from 64 hex digits."""
    return sha256(bytes.fromhex(pubkey)).hexdigest()[:16]
