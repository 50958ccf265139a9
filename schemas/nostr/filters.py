"""Filters of NIP-01: what a REQ asks for, and whether an event that a relay sends was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from schemas.nostr.event import Event


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. Lists are alternatives, fields are conditions; None means no condition.

    Attributes:
        ids: 64 hex digits each, never empty.
        authors: 64 hex digits each, never empty.
        kinds: never empty.
        tags: by single letter, the values of which the first value of a tag must be one.
        since: seconds, included.
        until: seconds, included.
        limit: how many stored events at most; says nothing about which events match.
    """

    ids: tuple[str, ...] | None = None
    authors: tuple[str, ...] | None = None
    kinds: tuple[int, ...] | None = None
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    since: int | None = None
    until: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("ids", "authors", "kinds"):
            values = getattr(self, name)
            if values is not None:
                if not values:
                    raise ValueError(f"{name}: must not be empty: some relays match nothing then, others everything")
                object.__setattr__(self, name, tuple(values))
        for letter, values in self.tags.items():
            if len(letter) != 1 or not letter.isascii() or not letter.isalpha():
                raise ValueError("tags: only single letters can be asked for")
            if not values:
                raise ValueError(f"#{letter}: must not be empty")
        object.__setattr__(self, "tags", {letter: tuple(values) for letter, values in self.tags.items()})
        for name in ("since", "until", "limit"):
            value = getattr(self, name)
            # Relays drop or refuse anything but integers from 0.
            if value is not None and (type(value) is not int or value < 0):
                raise ValueError(f"{name}: must be an integer from 0")

    def to_wire(self) -> dict[str, Any]:
        """The filter object of a REQ."""
        wire: dict[str, Any] = {}
        for name in ("ids", "authors", "kinds"):
            if (values := getattr(self, name)) is not None:
                wire[name] = list(values)
        for letter, values in self.tags.items():
            wire[f"#{letter}"] = list(values)
        for name in ("since", "until", "limit"):
            if (value := getattr(self, name)) is not None:
                wire[name] = value
        return wire

    def matches(self, event: Event | Mapping[str, Any]) -> bool:
        """Whether an event was asked for. Takes unchecked decoded objects too: what has wrong types does not match."""
        fields: Mapping[str, Any] = event._asdict() if isinstance(event, Event) else event
        if (self.since is not None or self.until is not None) and not self._in_time(fields.get("created_at")):
            return False
        if self.kinds is not None and fields.get("kind") not in self.kinds:
            return False
        if self.ids is not None and fields.get("id") not in self.ids:
            return False
        if self.authors is not None and fields.get("pubkey") not in self.authors:
            return False
        return not self.tags or _tags_match(fields.get("tags"), self.tags)

    def _in_time(self, created_at: object) -> bool:
        return (
            type(created_at) is int
            and (self.since is None or self.since <= created_at)
            and (self.until is None or created_at <= self.until)
        )

    def filter_hash(self) -> str:
        """A name for what the filter matches, whatever the order of its lists: 16 hex digits.

        Leaves out `since`, `until` and `limit`: coverage is kept per filter and says itself which times were read.
        """
        wire = {
            name: sorted(set(values))
            for name, values in self.to_wire().items()
            if name not in ("since", "until", "limit")
        }
        return sha256(orjson.dumps(wire, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _tags_match(tags: object, wanted: Mapping[str, tuple[str, ...]]) -> bool:
    if not isinstance(tags, list):
        return False
    present = {(tag[0], tag[1]) for tag in tags if isinstance(tag, list) and _is_pair(tag)}
    return all(any((letter, value) in present for value in values) for letter, values in wanted.items())


def _is_pair(tag: list[object]) -> bool:
    return len(tag) > 1 and isinstance(tag[0], str) and isinstance(tag[1], str)
