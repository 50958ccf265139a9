"""The hostile loads by name: what each sends, and from which hosts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import orjson

from core.settings.groups import ConnectorSettings
from schemas.topics import RAW_LIMIT_BYTES
from tests.relays.attacks import Events, Halves, Repeated
from tests.relays.flooder import Attack
from tests.relays.forgery import with_another_content, with_another_signature
from tests.relays.hostile import Event
from tests.relays.liars import written
from tests.relays.padding import padded
from tests.relays.raw_frames import Opcode, frame, in_fragments

EVENTS = 20_000
"""More than a processor's seen-set forgets in a round, and signed in seconds."""
OTHERS_EVENTS = 1_000
"""Genuine events of which padded copies are made: a copy is as good as any other."""
SPAN_S = 3600
"""Within this time before now the events are dated: what the live feed takes, and a relay of now has."""
SLOW_PONGS_BYTES_PER_S = 200_000.0
"""A line that any host has; 100,000 empty pongs a second."""
NEW_PER_S = 333.0
"""20,000 new events a minute."""
PADDING_BYTES = RAW_LIMIT_BYTES - 4096
"""As much as an event may have, less its members and the longest of what is put beside the padding."""
HALVES_HELD_S = 5.0
"""Long enough that as many halves as there are connections stand in memory at once."""
HALVES_HOSTS = tuple(f"127.0.1.{number}" for number in range(1, 251))
HALVES_PATHS = tuple(f"/{number}" for number in range(4))


@dataclass(frozen=True)
class Load:
    """A hostile relay.

    Attributes:
        about: what it does, in a line.
        attack: makes what it sends in a run of so many seconds; takes seconds itself where events are signed.
        hosts: loopback addresses that it listens at.
        paths: each host with each path is a relay URL.
        names: hosts of further relay URLs, whose name servers never answer.
    """

    about: str
    attack: Callable[[float], Attack] = lambda _seconds: Attack()
    hosts: Sequence[str] = ("127.0.0.1",)
    paths: Sequence[str] = ("",)
    names: Sequence[str] = ()


def _own(number: int = EVENTS, *, author: int = 0) -> list[Event]:
    """Signed events of now, the oldest first."""
    now_s = int(time.time())
    return [written(now_s - SPAN_S + at * SPAN_S // number, 1, author, at) for at in range(number)]


def _forged(forge: Callable[[bytes], bytes]) -> list[Event]:
    return [orjson.loads(forge(orjson.dumps(event))) for event in _own()]


def _flood(payload: Iterable[object]) -> Attack:
    return Repeated(frame(orjson.dumps(list(payload))))


LOADS = {
    "pongs": Load(
        "empty pongs, 0.2 MB/s", lambda _s: Repeated(frame(b"", Opcode.PONG), bytes_per_s=SLOW_PONGS_BYTES_PER_S)
    ),
    "pongs_unbounded": Load("empty pongs without end", lambda _s: Repeated(frame(b"", Opcode.PONG))),
    "pings": Load("empty pings without end", lambda _s: Repeated(frame(b"", Opcode.PING))),
    "notices": Load("NOTICEs without end", lambda _s: _flood(("NOTICE", "please wait"))),
    "forged": Load(
        "20,000 events with another's signature, over and over", lambda _s: Events(_forged(with_another_signature))
    ),
    "wrong_ids": Load("20,000 events with another content", lambda _s: Events(_forged(with_another_content))),
    "loop": Load("20,000 valid events over and over", lambda _s: Events(_own())),
    "padding": Load(
        "other people's events, each copy with a MiB around it that no other has",
        lambda _s: Events(
            _own(OTHERS_EVENTS), encode=lambda event, number: padded(orjson.dumps(event), PADDING_BYTES, number)
        ),
    ),
    "names": Load(
        "200 relay URLs whose name servers never answer, each in a domain of its own",
        names=tuple(f"relay.slow{number}.example" for number in range(200)),
    ),
    "halves": Load(
        "1,000 relay URLs that send half of the longest frame and hang up",
        lambda _s: Halves(ConnectorSettings().frame_max_bytes, HALVES_HELD_S),
        hosts=HALVES_HOSTS,
        paths=HALVES_PATHS,
    ),
    "fragments": Load(
        "valid events in fragments of one byte", lambda _s: Events(_own(OTHERS_EVENTS), framed=in_fragments)
    ),
    "valid_flood": Load(
        "333 new valid events a second",
        lambda seconds: Events(_own(round(seconds * NEW_PER_S)), per_s=NEW_PER_S, again=False),
    ),
}
