"""Events and filters of few values, so that any two conditions meet."""

from __future__ import annotations

import random
from collections.abc import Sequence

from api.live.ring import LiveEvent
from schemas.nostr.event import Event, encode_event
from schemas.nostr.filters import Filter

HEX = [f"{number:064x}" for number in range(6)]
VALUES = ["a", "b", HEX[0]]


def live(event: Event) -> LiveEvent:
    """An event as it is kept."""
    return LiveEvent(event, bytes(memoryview(encode_event(event))))


def some_event(rng: random.Random) -> Event:
    """An event."""
    tags = [
        [rng.choice(["t", "p", "e", "long"]), *rng.sample(VALUES, rng.randrange(3))] for _ in range(rng.randrange(4))
    ]
    return Event(
        rng.choice(HEX),
        rng.choice(HEX),
        rng.randrange(6),
        rng.randrange(4),
        rng.choice([tags, [*tags, []]]),
        "",
        "00" * 64,
    )


def numbered(number: int, content: str = "") -> Event:
    """An event with an id of its own."""
    return Event(f"{number:064x}", HEX[0], number, 1, [], content, "00" * 64)


def some_filter(rng: random.Random) -> Filter:
    """A filter, of each field with or without it."""

    def maybe(values: Sequence[str]) -> tuple[str, ...] | None:
        return tuple(rng.sample(values, rng.randrange(1, 4))) if rng.random() < 0.4 else None

    return Filter(
        ids=maybe(HEX),
        authors=maybe(HEX),
        kinds=tuple(rng.sample(range(4), rng.randrange(1, 3))) if rng.random() < 0.4 else None,
        tags={letter: values for letter in "tp" if (values := maybe(VALUES)) is not None},
        since=rng.choice([None, None, rng.randrange(6)]),
        until=rng.choice([None, None, rng.randrange(6)]),
    )
