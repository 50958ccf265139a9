"""Commands by their target, and what they want of one relay together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from processors.registry.merging import newest
from schemas.records.relay_command import RelayCommand

_BY_WEIGHT = ("operator", "seed")
"""A person's command outweighs any of a seed list."""


class Wanted(NamedTuple):
    """What is wanted of one relay.

    Attributes:
        own: the command about its URL, a person's before a seed list's.
        in_force: the one that decides whether it is connected to: `own`, or a newer `deny` of its host or a parent.
    """

    own: RelayCommand | None = None
    in_force: RelayCommand | None = None

    @property
    def denied(self) -> bool:
        """Whether it must not be connected to."""
        return self.in_force is not None and self.in_force.action == "deny"


class Commands:
    """The newest command of each source and target."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, RelayCommand] = {}

    def take(self, command: RelayCommand) -> bool:
        """Add a command unless a newer one of its source and target is known; whether it was news."""
        key = command.key()
        known = self._by_key.get(key)
        if newest(known, command) == known:
            return False
        self._by_key[key] = command
        return True

    def forget(self, key: bytes) -> RelayCommand | None:
        """Drop the command of a key that has a tombstone; what it was."""
        return self._by_key.pop(key, None)

    def wanted(self, url: str, host: str) -> Wanted:
        """Return what is wanted of a relay.

        Args:
            url: normalised.
            host: of it, as in `RelayUrl.host`.
        """
        own = self._get("operator", url) or self._get("seed", url)
        for source in _BY_WEIGHT:
            in_force = self._get(source, url)
            for target in hosts_above(host):
                command = self._get(source, target)
                if command is not None and command.action == "deny":
                    in_force = newest(in_force, command)
            if in_force is not None:
                return Wanted(own, in_force)
        return Wanted()

    def targets(self) -> Iterator[str]:
        """Every target, of some twice."""
        return (command.target for command in self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def _get(self, source: str, target: str) -> RelayCommand | None:
        return self._by_key.get(f"{source} {target}".encode())


def is_url(target: str) -> bool:
    """Whether a command is about one URL, not about a host with all beneath it."""
    return "://" in target


def hosts_above(host: str) -> Iterator[str]:
    """Give a host and each domain that it lies in; an address lies in none."""
    yield host
    if ":" not in host and not host.rpartition(".")[2].isdigit():
        while host := host.partition(".")[2]:
            yield host
