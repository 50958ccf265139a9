"""Whose turn it is of relays that are due: so many at once in each network, one of each host, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from schemas.relay_urls.relay_url import Network


class Entry(NamedTuple):
    """A relay in a queue, for as long as it has this ticket."""

    at_ms: int
    ticket: int
    url: str
    host: str
    network: Network


@dataclass(slots=True)
class _Lane:
    most: int
    under_way: int = 0
    ready: list[Entry] = field(default_factory=list)


class Turns:
    """Gives turns, and takes them back."""

    def __init__(self, most: Mapping[Network, int], holds: Callable[[Entry], bool]) -> None:
        """Give so many in each network at once.

        Args:
            most: of each network.
            holds: whether an entry is still meant: its relay may be gone, or have another ticket.
        """
        self._lanes = {network: _Lane(number) for network, number in most.items()}
        self._holds = holds
        self._under_way: dict[str, Entry] = {}
        self._hosts: set[str] = set()
        self._parked: dict[str, list[Entry]] = {}
        """By host: relays that wait for another one of theirs, which has a turn or comes before them."""

    def __len__(self) -> int:
        return len(self._under_way)

    def __contains__(self, url: str) -> bool:
        return url in self._under_way

    def wait(self, entry: Entry) -> None:
        """Let a relay wait for its turn; `at_ms` is when it must have had it."""
        heappush(self._lanes[entry.network].ready, entry)

    def give(self) -> list[Entry]:
        """Give all turns that are free; each lasts until `free`."""
        given = []
        for lane in self._lanes.values():
            while lane.ready and lane.under_way < lane.most:
                entry = heappop(lane.ready)
                if entry.host in self._hosts:
                    heappush(self._parked.setdefault(entry.host, []), entry)
                elif not self._holds(entry):
                    # It may have stood for others of its host.
                    self._unpark(entry.host)
                else:
                    lane.under_way += 1
                    self._hosts.add(entry.host)
                    self._under_way[entry.url] = entry
                    given.append(entry)
        return given

    def free(self, url: str) -> None:
        """Take back the turn of a relay."""
        entry = self._under_way.pop(url)
        self._lanes[entry.network].under_way -= 1
        self._hosts.remove(entry.host)
        self._unpark(entry.host)

    def _unpark(self, host: str) -> None:
        """Let the first relay of a host that is not busy wait for its turn; the others wait for that one."""
        parked = self._parked.get(host, [])
        while parked:
            entry = heappop(parked)
            if self._holds(entry):
                self.wait(entry)
                break
        if not parked:
            self._parked.pop(host, None)
