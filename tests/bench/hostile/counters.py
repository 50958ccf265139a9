"""What services count of refused input and failed connections, and what the connector says of the hostile relays."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.pipeline.services import NAMES, Services

_TELLING = (
    "bigbrotr_rejected",
    "bigbrotr_quarantined",
    "bigbrotr_relay_failures",
    "bigbrotr_loop_stalls",
    "bigbrotr_producer_pauses",
    "bigbrotr_received_copies",
    "bigbrotr_copies",
    "bigbrotr_verified",
    "bigbrotr_duplicates",
    "bigbrotr_archived",
)
"""Counters by what they count, as the library names them: without `_total`."""
_TIMEOUT_S = 10.0
_NO_ANSWER = "no answer of the connector"
_EVERY_S = 5.0
"""A thousand relays are a long answer."""


def read_counters(services: Services) -> dict[str, float]:
    """The counters of all services by name and labels; of a service that does not answer there are none."""
    found: dict[str, float] = {}
    for name in NAMES:
        try:
            with urllib.request.urlopen(f"{services.url(name)}/metrics", timeout=_TIMEOUT_S) as answer:
                text = answer.read().decode()
        except (OSError, ValueError):
            continue
        for family in text_string_to_metric_families(text):
            if family.name not in _TELLING:
                continue
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    labels = ",".join(sample.labels.values())
                    found[f"{name}: {family.name.removeprefix('bigbrotr_')}" + (f" {labels}" if labels else "")] = (
                        sample.value
                    )
    return found


def counted(before: dict[str, float], after: dict[str, float]) -> dict[str, int]:
    """What was counted between two readings, without what was not."""
    more = {name: round(value - before.get(name, 0)) for name, value in sorted(after.items())}
    return {name: value for name, value in more.items() if value > 0}


@dataclass
class Standing:
    """What the connector says of some relays, looked at again and again.

    Attributes:
        states: how often a relay was met in each state.
        last: what it said last.
    """

    states: Counter[str] = field(default_factory=Counter)
    last: list[dict[str, Any]] = field(default_factory=list)

    async def follow(self, services: Services, urls: Sequence[str]) -> None:
        """Look until cancelled."""
        wanted = frozenset(urls)
        while True:
            details = await asyncio.to_thread(services.details, "connector")
            relays = [each for each in details.get("relays", ()) if each.get("url") in wanted]
            self.states.update([str(each.get("state")) for each in relays] if details else [_NO_ANSWER])
            self.last = relays or self.last
            await asyncio.sleep(_EVERY_S)

    def summary(self) -> dict[str, Any]:
        """Shares of the states, sums over the relays, and the errors by how many relays have them."""
        looks = sum(self.states.values())
        errors = Counter(str(each["last_error"]) for each in self.last if each.get("last_error"))
        return {
            "state_shares": {state: round(times / looks, 2) for state, times in self.states.most_common()},
            "received": sum(each.get("received", 0) for each in self.last),
            "refused": sum(each.get("refused", 0) for each in self.last),
            "last_errors": dict(errors.most_common(3)),
        }
