"""The last addresses of each name, for when its name servers do not answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from core.clock import boot_ns

_KEPT_NS = 24 * 3600 * 1_000_000_000
"""An outage of name servers is mended within a day; an address that was given up longer ago may be another's."""
_NAMES = 10_000
"""More than there are relays that answer; 2 MB with two addresses each."""
_ADDRESSES = 8
"""Twice as many as are tried: some may be refused. A name may have thousands."""


class LastAddresses:
    """Remembers the names that were looked up last, a bounded number of them."""

    def __init__(self, now_ns: Callable[[], int] = boot_ns) -> None:
        """Begin without any; `now_ns` is a clock that is never set."""
        self._now_ns = now_ns
        self._names: OrderedDict[str, tuple[int, list[str]]] = OrderedDict()

    def put(self, host: str, addresses: list[str]) -> None:
        """Remember what a name server has answered just now."""
        self._names[host] = (self._now_ns(), addresses[:_ADDRESSES])
        self._names.move_to_end(host)
        if len(self._names) > _NAMES:
            self._names.popitem(last=False)

    def get(self, host: str) -> list[str]:
        """Return the addresses of a name, first those that are to be tried first; none after a day."""
        at_ns, addresses = self._names.get(host, (0, []))
        return addresses if self._now_ns() - at_ns < _KEPT_NS else []

    def forget(self, host: str) -> None:
        """Drop a name that does not exist any more."""
        self._names.pop(host, None)
