"""Events that name relays, and what a registry must know after all of them, worked out without one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from random import Random

import orjson

from deploy.demo.events import AUTHORS, authors, sign_draft
from deploy.demo.scene import Draft, Signed
from schemas.records.relay import RelayRecord, Source
from schemas.relay_urls.registrable_domain import registrable_domain
from schemas.relay_urls.relay_url import RelayUrl, normalize

EACH = 5
"""Relays of one event: few, so that there are many events to be killed between."""
OF_A_DOMAIN = 4
SECOND = 8
"""One relay of so many is named by a second author, which admits it."""
SPAN_S = 3_600
"""The time in which events lie: recent enough for a live subscription."""


def naming(relays: int, *, seed: int, base_s: int) -> list[Signed]:
    """Signed events that name so many relays, in an order of chance."""
    rng = Random(seed)
    urls = [f"wss://r{number % OF_A_DOMAIN}.site{number // OF_A_DOMAIN}.example" for number in range(relays)]
    # Each event of the second kind names relays of `SECOND` of the first kind, and its author wrote none of those.
    drafts = [*_drafts(urls, seed, 1, 0), *_drafts(urls[::SECOND], seed, SECOND, AUTHORS // 2)]
    rng.shuffle(drafts)
    return [sign_draft(draft, base_s - rng.randrange(SPAN_S)) for draft in drafts]


def _drafts(urls: list[str], seed: int, step: int, first: int) -> Iterable[Draft]:
    by = authors(seed)
    for number, start in enumerate(range(0, len(urls), EACH)):
        tags = [["r", url] for url in urls[start : start + EACH]]
        yield Draft(by[(first + step * number) % AUTHORS], 1, tags, "these are mine")


def known(events: Iterable[Signed], seen_at_ms: Mapping[str, int], denied: Collection[str]) -> list[RelayRecord]:
    """What a registry whose caps let all in must know of events: what its digest covers.

    Args:
        events: all that were archived.
        seen_at_ms: when each was received, by id.
        denied: registrable domains.
    """
    named: dict[str, list[Signed]] = defaultdict(list)
    for event in events:
        for _, url in orjson.loads(event.wire)["tags"]:
            named[url].append(event)
    return [_record(url, by, seen_at_ms, denied) for url, by in named.items()]


def _record(url: str, by: list[Signed], seen_at_ms: Mapping[str, int], denied: Collection[str]) -> RelayRecord:
    relay, first_ms = normalize(url), min(seen_at_ms[event.id] for event in by)
    enough = len({event.pubkey for event in by}) > 1
    return _digested(relay, "event", first_ms, is_admitted=enough).model_copy(
        update={"allowed": registrable_domain(relay.host) not in denied}
    )


def seeded(relay: RelayUrl, at_ms: int) -> RelayRecord:
    """What a registry must know of a relay that only a list of seeds names, at this time."""
    return _digested(relay, "seed", at_ms, is_admitted=True)


def _digested(relay: RelayUrl, source: Source, first_ms: int, *, is_admitted: bool) -> RelayRecord:
    return RelayRecord(
        url=relay.url,
        network=relay.network,
        source=source,
        sources=(source,),
        first_seen_ms=first_ms,
        admitted_at_ms=first_ms if is_admitted else None,
        updated_at_ms=first_ms,
    )
