"""Events for demo, tests and benchmarks: generated, really signed, and the same for the same seed and base time.

A relay that is given these events offers exactly what it was given: no two are versions of one replaceable or
addressable address, no deletion (kind 5) names an event that exists, nothing vanishes, nothing ephemeral is among them,
and expirations lie in the future. So the set that was handed out is the set that an archive must hold.

Events come in scenes of `SCENE_EVENTS`, each made from the seed and its own number alone: any prefix of the sequence is
the same whatever the total, and scenes can be made by several processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from hashlib import sha256
from itertools import chain, islice
from random import Random

import orjson

from core.parent import die_with_parent
from deploy.demo.drafts import any_draft
from deploy.demo.profile import profile_set
from deploy.demo.scene import Author, Draft, Scene, Signed
from schemas.nostr.signature import public_key
from schemas.nostr.signature import sign as sign_id

SCENE_EVENTS = 250  # a newcomer's 4 replaceable events are then 1.6 % of all, about as in real archives
AUTHORS = 300  # enough that authors matter to indexes, few enough that their keys are made in 10 ms
DEFAULT_SPAN_S = 30 * 86400  # a month, so that neither one second nor one page holds too much of it
EXPIRY_S = 10 * 365 * 86400  # ten years after the base time: no relay may drop an event during a run
PARALLEL_FROM = 8 * SCENE_EVENTS  # below this, starting processes takes longer than signing
LIVE_SCENES = 1 << 40  # live events have scene numbers of their own, beyond any stored event's

Clock = Callable[[Random], int]


def generate(
    count: int, *, seed: int, base_time_s: int, span_s: int = DEFAULT_SPAN_S, workers: int | None = None
) -> list[Signed]:
    """Return `count` signed events whose times lie in the `span_s` seconds up to `base_time_s`.

    Equal arguments give equal ids, whatever the number of `workers` (processes; default: one per core for large
    counts).
    """
    scenes = range(-(-count // SCENE_EVENTS))
    make = partial(_stored_scene, seed=seed, base_time_s=base_time_s, span_s=span_s)
    workers = workers or (os.cpu_count() or 1 if count >= PARALLEL_FROM else 1)
    if workers == 1:
        return list(stored(count, seed=seed, base_time_s=base_time_s, span_s=span_s))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), die_with_parent) as pool:
        return list(islice(chain.from_iterable(pool.map(make, scenes, chunksize=4)), count))


def stored(count: int, *, seed: int, base_time_s: int, span_s: int) -> Iterator[Signed]:
    """Yield the events of `generate` one by one, as they are signed."""
    for number in range(-(-count // SCENE_EVENTS)):
        scene = _stored_scene(number, seed=seed, base_time_s=base_time_s, span_s=span_s)
        yield from scene[: count - number * SCENE_EVENTS]


def live(*, seed: int, clock: Callable[[], int]) -> Iterator[Signed]:
    """Yield events without end, each signed with the time that `clock` gives when it is asked for.

    The first scene is numbered by that time, so that a second run beside the same relays writes scenes of its own, and
    replaces nothing of the first's (which used fewer than one a second: `SCENE_EVENTS` events).
    """
    for number in range(LIVE_SCENES + clock(), LIVE_SCENES << 1):
        yield from scene_events(number, seed=seed, expires_s=clock() + EXPIRY_S, clock=lambda _rng: clock())


def scene_events(number: int, *, seed: int, expires_s: int, clock: Clock) -> Iterator[Signed]:
    """Yield the events of scene `number`."""
    rng = Random(f"{seed}/{number}")  # noqa: S311 a seeded sequence is wanted, not a secret
    recent: list[Signed] = []

    def sign(draft: Draft) -> Signed:
        return sign_draft(draft, clock(rng))

    scene = Scene(
        authors=authors(seed),
        newcomer=make_author(f"{seed}/newcomer/{number}"),
        recent=recent,
        unique=f"{seed}-{number}",
        expires_s=expires_s,
        make_author=lambda label: make_author(f"{seed}/{label}"),
        sign=sign,
    )
    profile = profile_set(rng, scene)
    # Spread over the scene, so that any prefix of it has regular events too.
    places = dict(zip(sorted(rng.sample(range(SCENE_EVENTS), len(profile))), profile, strict=True))
    made: set[str] = set()
    for place in range(SCENE_EVENTS):
        event = sign(places.get(place) or any_draft(rng, scene))
        while event.id in made:  # the same author said the same within one second: that is one event
            event = sign(any_draft(rng, scene))
        made.add(event.id)
        recent.append(event)
        yield event


def sign_draft(draft: Draft, created_at: int) -> Signed:
    """Return the draft as a signed event in the field order of NIP-01."""
    tags = draft.tags
    event_id = _event_id(draft, created_at, tags)
    nonce = 0
    while draft.pow_bits and int.from_bytes(event_id) >> (256 - draft.pow_bits):
        nonce += 1
        tags = [*draft.tags, ["nonce", str(nonce), str(draft.pow_bits)]]
        event_id = _event_id(draft, created_at, tags)
    wire = orjson.dumps(
        {
            "id": event_id.hex(),
            "pubkey": draft.author.pubkey,
            "created_at": created_at,
            "kind": draft.kind,
            "tags": tags,
            "content": draft.content,
            "sig": sign_id(draft.author.secret, event_id),
        }
    )
    return Signed(event_id.hex(), draft.author.pubkey, draft.kind, wire)


@cache
def authors(seed: int) -> tuple[Author, ...]:
    """Return those who write the regular events of `seed`."""
    return tuple(make_author(f"{seed}/author/{number}") for number in range(AUTHORS))


def make_author(label: str) -> Author:
    """Return the key pair that belongs to `label`, always the same."""
    secret = sha256(f"bigbrotr demo key {label}".encode()).digest()
    return Author(secret, public_key(secret))


def _event_id(draft: Draft, created_at: int, tags: list[list[str]]) -> bytes:
    return sha256(orjson.dumps([0, draft.author.pubkey, created_at, draft.kind, tags, draft.content])).digest()


def _stored_scene(number: int, *, seed: int, base_time_s: int, span_s: int) -> list[Signed]:
    expires_s = base_time_s + EXPIRY_S
    return list(
        scene_events(number, seed=seed, expires_s=expires_s, clock=lambda rng: base_time_s - rng.randrange(span_s))
    )
