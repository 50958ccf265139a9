"""What a relay was asked and what it gave, with times: everything that a test compares with an archive."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

_SHOWN = 20
"""Values of a list in a logged filter: lists of nine thousand kinds come, a hundred times over."""


@dataclass(slots=True)
class Connection:
    """One accepted handshake.

    Attributes:
        given: events that were sent under an open subscription, by id, and when first.
        unasked: those that were sent only after the subscription had been closed.
        end: who ended it, and how.
    """

    number: int
    path: str
    opened_s: float = field(default_factory=time.time)
    closed_s: float | None = None
    end: str = ""
    given: dict[str, float] = field(default_factory=dict)
    unasked: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Request:
    """One REQ; `outcome` is `page`, `refused`, `held` (answered later) or `dropped` (without a word)."""

    connection: int
    subid: str
    filter: dict[str, Any]
    at_s: float = field(default_factory=time.time)
    outcome: str = "page"


@dataclass(slots=True)
class SignIn:
    """One AUTH and whether it was taken; `event` is what came."""

    connection: int
    accepted: bool
    event: dict[str, Any]
    at_s: float = field(default_factory=time.time)


@dataclass(slots=True)
class Refusal:
    """A handshake that was answered with another status than 101."""

    status: int
    path: str
    at_s: float = field(default_factory=time.time)


@dataclass(slots=True)
class Account:
    """Of one relay. `contacts_s`: every handshake, refused or not, and every message that came."""

    connections: list[Connection] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    sign_ins: list[SignIn] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    contacts_s: list[float] = field(default_factory=list)

    def given(self) -> set[str]:
        """Return ids of all events that went out on any connection."""
        return {event_id for each in self.connections for sent in (each.given, each.unasked) for event_id in sent}


def shown(asked: dict[str, Any]) -> dict[str, Any]:
    """Shorten a filter for the log: of a long list its beginning, and how long it is."""
    short: dict[str, Any] = {}
    for name, value in asked.items():
        if isinstance(value, list) and len(value) > _SHOWN:
            short |= {name: value[:_SHOWN], f"{name}_count": len(value)}
        else:
            short[name] = value
    return short
