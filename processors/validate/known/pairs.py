"""The relays that are known to have an event, packed into bytes: what tells that a sighting was published before.

A pair takes a relay's token and the smallest `seen_at` that was published of it. The archive keeps the minimum of a
pair's times, so a copy with an equal or a later one changes nothing there, and an earlier one is published: whatever
the order and the number of copies, the archive ends with the same rows.
"""

from __future__ import annotations

TOKEN_BYTES = 4
TIME_BYTES = 7
"""`seen_at` in ms is below 2^53 in a bundle."""
PAIR_BYTES = TOKEN_BYTES + TIME_BYTES
MOST_RELAYS = 256
"""Of an event: 2.8 KB of pairs. Half of what a connector is connected to; further pairs are published each time."""
_FULL_BYTES = MOST_RELAYS * PAIR_BYTES
_MOST_TOKENS = 65_536
"""Ten times the relays that anyone has listed; 10 MB. Imported files may name any number of them."""


class RelayTokens(dict[str, bytes]):
    """Gives each relay four bytes, the same ones for as long as it is remembered; one table for a process.

    A full table is emptied and goes on counting: no token ever stands for two relays, and what is kept under the former
    ones is not recognised any more, so that those pairs are published once more.

    Args:
        most: relays to remember.
    """

    def __init__(self, most: int = _MOST_TOKENS) -> None:
        super().__init__()
        self._most = most
        self._given = 0

    def __missing__(self, relay: str) -> bytes:
        """Give a token to a relay that has none."""
        if len(self) >= self._most:
            self.clear()
        self._given += 1
        token = self[relay] = self._given.to_bytes(TOKEN_BYTES)
        return token


def pack_time(seen_at_ms: int) -> bytes:
    """Pack a time so that packed times compare like the times."""
    return seen_at_ms.to_bytes(TIME_BYTES)


def known_time(record: bytes, head_bytes: int, token: bytes) -> bytes | None:
    """Return the time that is known of a relay, or None.

    Args:
        record: pairs behind a head of so many bytes.
        head_bytes: its length.
        token: of the relay.
    """
    at = record.find(token, head_bytes)
    if at < 0:
        return None
    at = _aligned(record, head_bytes, token, at)
    return None if at < 0 else record[at + TOKEN_BYTES : at + PAIR_BYTES]


def with_pair(record: bytes, head_bytes: int, token: bytes, time: bytes) -> bytes:
    """Return the record with a pair added or made earlier; the same object where that changes nothing."""
    at = record.find(token, head_bytes)
    if at >= 0:
        at = _aligned(record, head_bytes, token, at)
    if at < 0:
        full = len(record) - head_bytes >= _FULL_BYTES
        return record if full else record + token + time
    at += TOKEN_BYTES
    if record[at : at + TIME_BYTES] <= time:
        return record
    return record[:at] + time + record[at + TIME_BYTES :]


def with_pairs(record: bytes, head_bytes: int, pairs: bytes) -> bytes:
    """Return the record with pairs added or made earlier, as `with_pair` does with one."""
    if len(pairs) == PAIR_BYTES and len(record) < _FULL_BYTES and record.find(pairs[:TOKEN_BYTES], head_bytes) < 0:
        return record + pairs  # nearly always
    for at in range(0, len(pairs), PAIR_BYTES):
        time_at = at + TOKEN_BYTES
        record = with_pair(record, head_bytes, pairs[at:time_at], pairs[time_at : at + PAIR_BYTES])
    return record


def _aligned(record: bytes, head_bytes: int, token: bytes, at: int) -> int:
    """Return where the pair of a token begins, or -1; `at` is where its bytes first stand, maybe in other members."""
    while at >= 0 and (at - head_bytes) % PAIR_BYTES:
        at = record.find(token, at + 1)
    return at
