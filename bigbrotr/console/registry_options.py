"""Which relays a list is about: options that choose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import get_args

import click

from bigbrotr.status.registry import sources_of
from bigbrotr.status.registry_wait import is_beneath
from schemas.records.relay import Lane, RelayRecord, Source, State
from schemas.records.relay_health import HealthState
from schemas.relay_urls.relay_host import Network, RelayUrlError, spell_host

# What older records have as their source is shown as the operator's.
_SOURCES = [source for source in get_args(Source) if source != "publish"]


@dataclass(frozen=True)
class Wanted:
    """Of each kind of choice, none given takes all."""

    states: frozenset[str] = frozenset()
    lanes: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    health: frozenset[str] = frozenset()
    denied: bool = False
    domain: str | None = None
    text: str | None = None

    def takes(self, record: RelayRecord, health: HealthState | None = None) -> bool:
        """Whether a record is wanted; `health` is the state that probes found, None where it was never probed."""
        return (
            _among(record.state, self.states)
            and _among(record.lane, self.lanes)
            and _among(record.network, self.networks)
            and (not self.sources or not self.sources.isdisjoint(sources_of(record)))
            and (not self.health or health in self.health)
            and not (self.denied and record.allowed)
            and (self.domain is None or is_beneath(record.url, self.domain))
            and (self.text is None or self.text.lower() in f"{record.url} {record.spelling or ''}".lower())
        )


def _among(value: str, wanted: frozenset[str]) -> bool:
    return not wanted or value in wanted


class DomainType(click.ParamType):
    """A host or domain, as it stands in normalised URLs."""

    name = "HOST"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give its one spelling."""
        try:
            return spell_host(value, allow_private=True)[0].strip("[]")
        except RelayUrlError as error:
            self.fail(f"{value}: {error}", param, ctx)


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which relays are wanted; `wanted` puts them together."""
    for option in (
        click.option("--domain", type=DomainType(), help="Only of this host, and of those beneath it."),
        click.option("--denied", is_flag=True, help="Only those that are not to be connected to."),
        _several("--source", "sources", _SOURCES, "Only those that were named so."),
        _several("--network", "networks", [network.value for network in Network], "Only of this network."),
        _several("--lane", "lanes", get_args(Lane), "Only in this lane."),
        _several("--health", "health", get_args(HealthState), "Only those that probes found so."),
        _several("--state", "states", get_args(State), "Only in this state."),
    ):
        command = option(command)
    return command


def _several(
    name: str, keyword: str, values: Iterable[str], text: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(name, keyword, type=click.Choice(list(values)), multiple=True, help=text)


def wanted(
    *,
    states: tuple[str, ...],
    lanes: tuple[str, ...],
    networks: tuple[str, ...],
    sources: tuple[str, ...],
    health: tuple[str, ...],
    denied: bool,
    domain: str | None,
    text: str | None,
) -> Wanted:
    """Put the options together."""
    return Wanted(
        frozenset(states),
        frozenset(lanes),
        frozenset(networks),
        frozenset(sources),
        frozenset(health),
        denied,
        domain,
        text,
    )
