"""Bounds of a relay on what it is asked: what connectors and probes learnt beside what its document advertises."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records.coverage import Fact
from schemas.records.probe import Observed
from schemas.records.relay_health import Limits

_PAGE, _SUBSCRIPTIONS = "page_events", "subscriptions"
"""Facts of connectors, see `producers.connector.relay_model.Name`."""


def by_facts(facts: Iterable[Fact]) -> Limits:
    """The limits that a connector met. What is no positive whole number is no limit."""
    values = {fact.name: fact.value for fact in facts}
    return Limits(max_limit=_whole(values.get(_PAGE)), max_subscriptions=_whole(values.get(_SUBSCRIPTIONS)))


def learnt(met: Limits, observed: Observed, advertised: Limits) -> Limits:
    """What was learnt, which takes precedence over what is advertised.

    A page that is larger than the advertised limit refutes it. One that is not larger proves nothing: there may have
    been no more to give.

    Args:
        met: by connectors.
        observed: by probes.
        advertised: by the document.
    """
    largest = observed.largest_page
    if met.max_limit is None and largest and advertised.max_limit is not None and largest > advertised.max_limit:
        return met.model_copy(update={"max_limit": largest})
    return met


def _whole(value: float | str | None) -> int | None:
    """Return a limit; facts are written by programs of any version."""
    return int(value) if isinstance(value, int | float) and 1 <= value < 2**31 else None
