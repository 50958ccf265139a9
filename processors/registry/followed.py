"""Takes what the registry's own topics say: the state at the start, our own writes, and those of other processes.

The process that had a partition before may write once more after this one has begun. What it wrote is merged, and
written again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from processors.registry.book import Entry, RelayBook
from processors.registry.merging import adopt, merge
from processors.relay_keys import read_key
from schemas.records.relay import RelayRecord

RegistryTopic = Literal["relays", "relays.candidates"]


class Followed:
    """Keeps a book as the topics are.

    Args:
        book: of all relays.
        owns: whether this process writes about an entry.
        recheck: called with the URL of an owned entry that must be decided and perhaps written again.
    """

    def __init__(self, book: RelayBook, owns: Callable[[Entry], bool], recheck: Callable[[str], None]) -> None:
        self._book = book
        self._owns = owns
        self._recheck = recheck

    def heard(self, topic: RegistryTopic, url: str, record: RelayRecord | None) -> None:
        """Take the newest record of a URL, or its tombstone."""
        entry = self._book.get(url)
        if record is None:
            if entry is not None:
                self._gone(topic, url, entry)
            return
        relay = read_key(url)
        if relay is None or record.url != url:
            return
        theirs = adopt(record)
        mine = None if entry is None else entry.record
        if mine is None or (entry is not None and not self._owns(entry) and theirs.updated_at_ms >= mine.updated_at_ms):
            merged = theirs
        else:
            merged = merge(mine, theirs)
        is_news, was_durable = merged != mine, entry is not None and entry.durable
        if entry is None or is_news:
            admitted = topic == "relays" or (entry is not None and entry.in_relays)
            entry = self._book.put(merged, relay.host, admitted=admitted)
        if not self._owns(entry) or is_news or was_durable:  # else it is a write of ours, which a later one follows
            if topic == "relays":
                entry.in_relays = True
            else:
                entry.in_candidates = True
        if merged == record and entry.admitted == (topic == "relays"):
            entry.durable = True
        elif is_news or was_durable:
            self._doubted(url, entry)

    def _gone(self, topic: RegistryTopic, url: str, entry: Entry) -> None:
        """Take a tombstone. One of our own is known already; another's is undone where the record belongs there."""
        in_topic = entry.in_relays if topic == "relays" else entry.in_candidates
        owned = self._owns(entry)
        if not in_topic or (owned and not entry.durable):
            return  # a write of ours comes after it
        if topic == "relays":
            entry.in_relays = False
        else:
            entry.in_candidates = False
        if owned:
            self._doubted(url, entry)
        elif not (entry.in_relays or entry.in_candidates):
            self._book.remove(url)
        elif topic == "relays":
            self._book.put(entry.record, entry.host, admitted=False)

    def _doubted(self, url: str, entry: Entry) -> None:
        entry.durable = False
        if self._owns(entry):
            self._recheck(url)
