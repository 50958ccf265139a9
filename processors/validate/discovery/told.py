"""Remembers what was published to `relays.found`, so that a relay which many events name is not published each time.

A hint that saves records, never needed: a process that starts knows nothing, and what is published twice changes
nothing. What is in flight counts as told: a process that dies with it has not committed the bundle that names
it, so the next one tells of it. Where a bundle may come back to a process that lives, at a revoke, all is forgotten.
What the topic has forgotten (it keeps a week) comes back with `bigbrotr relays rediscover`.
"""

from __future__ import annotations

from collections.abc import Iterable

from processors.validate.discovery.findings import Finding

_MOST_RELAYS = 10_000
"""More than are in use; 1 KB each. A full memory is emptied: all of them are published once more."""
_LONGEST_URL = 256
"""Characters; longer ones, which are rare and mostly made up, are published each time."""


class Told:
    """What was told of relays by this process.

    Args:
        most: relays to remember.
    """

    def __init__(self, most: int = _MOST_RELAYS) -> None:
        self._most = most
        self._by_url: dict[str, Finding] = {}

    def news(self, findings: Iterable[Finding]) -> list[Finding]:
        """Give those that say more than what was told."""
        told = self._by_url
        return [each for each in findings if (known := told.get(each.url.url)) is None or not known.covers(each)]

    def learn(self, findings: Iterable[Finding]) -> None:
        """Remember what is handed over to be published."""
        for finding in findings:
            known = self._by_url.get(finding.url.url)
            if known is not None:
                known.take(finding)
            elif len(finding.url.url) <= _LONGEST_URL:
                if len(self._by_url) >= self._most:
                    self._by_url.clear()
                self._by_url[finding.url.url] = finding

    def forget(self) -> None:
        """Know nothing, as a process that starts."""
        self._by_url.clear()
