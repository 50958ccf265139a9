"""Addresses of replaceable and addressable events (NIP-01): kind:pubkey:d."""

from __future__ import annotations

import re
from typing import NamedTuple

from schemas.nostr.kinds import EventClass, classify

MOST_BYTES = 2_048
"""Of the `d` of an address that is asked for: people's have some tens, and the line of an HTTP request must hold it."""

_FORM = re.compile(r"([0-9]{1,5}):([0-9a-f]{64}):(.*)", re.DOTALL)
ADDRESS_FORM = "kind:pubkey:d with a decimal kind, 64 lower-case hex digits, and the value of the d tag, or naddr1…"
"""How an address may be written."""


class Address(NamedTuple):
    """What the versions of an event have in common; `d` is empty for replaceable kinds."""

    kind: int
    pubkey: str
    d: str

    def __str__(self) -> str:
        """Write it as tags do."""
        return f"{self.kind}:{self.pubkey}:{self.d}"


def parse_address(text: str) -> Address:
    """Read `kind:pubkey:d`, where `d` may hold colons.

    Raises:
        ValueError: it is none, or none that an event can have; the message says what it must be.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"it must be {ADDRESS_FORM}")
    return checked(Address(int(found[1]), found[2], found[3]))


def checked(address: Address) -> Address:
    """Return an address that an event can have.

    Raises:
        ValueError: kind and `d` do not fit each other; the message says how.
    """
    if len(address.d.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise ValueError(f"it has a d of more than {MOST_BYTES} bytes; ask for the events by kind and author instead")
    match classify(address.kind):
        case EventClass.ADDRESSABLE:
            return address
        case EventClass.REPLACEABLE:
            if not address.d:
                return address
            raise ValueError(f"it has a d, and kind {address.kind} is replaceable: nothing may follow the last colon")
        case _:
            raise ValueError(
                f"it has kind {address.kind}, whose events have no address; "
                "that must be 0, 3, 10000 to 19999 or 30000 to 39999"
            )
