"""Authentication of a connection (NIP-42): by an event of kind 22242 that its client signed for this relay."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from schemas.nostr.event import Event
from schemas.nostr.event_id import id_form
from schemas.nostr.kinds import AUTH_KIND
from schemas.nostr.signature import verify

_FRESH_S = 600
"""NIP-42: about ten minutes, for clocks that are wrong."""
_KEYS = 16
"""Public keys of one connection: people have a few accounts, and each is looked for in every query."""
_UNKNOWN_ADDRESS = "restricted: this relay does not know its address; its operator has to set api.public_url"
_DEFAULT_PORTS = (None, 80, 443)
"""Behind a proxy the port that a client sees is another one than ours, so the two defaults are one."""


class Login:
    """The public keys that one connection has proved.

    Args:
        challenge: random text for this connection.
        authority: the host of this relay, with its port, as clients know it; None: it is not known (`own_authority`).
    """

    def __init__(self, challenge: str, authority: str | None) -> None:
        self.challenge = challenge
        self.keys: frozenset[str] = frozenset()
        self._authority = authority

    def take(self, event: Event, now_s: float) -> str | None:
        """Take the event of an AUTH; returns why it is not taken, None where its key is proved."""
        reason = refusal(event, self.challenge, self._authority, now_s)
        if reason is not None:
            return reason
        if event.pubkey not in self.keys and len(self.keys) >= _KEYS:
            return f"restricted: a connection has {_KEYS} keys at most; open another one"
        self.keys |= {event.pubkey}
        return None


def refusal(event: Event, challenge: str, authority: str | None, now_s: float) -> str | None:
    """Why an event proves nothing to this relay; None where it proves the key of its author."""
    if event.kind != AUTH_KIND:
        return f"invalid: kind is {event.kind}; it must be {AUTH_KIND}"
    if abs(event.created_at - now_s) > _FRESH_S:
        return f"invalid: created_at is more than {_FRESH_S} seconds from the time here; sign with the present time"
    if _values(event, "challenge") != [challenge]:
        return "invalid: the tag challenge is not the challenge of this connection"
    if authority is None:
        return _UNKNOWN_ADDRESS
    if [_authority(value) for value in _values(event, "relay")] != [authority]:
        return f"invalid: the tag relay does not name this relay; it must be one on {authority}"
    if id_form(event) is None:
        return "invalid: id is not that of the event"
    if not verify(event.pubkey, event.id, event.sig):
        return "invalid: sig is not a signature of the id by pubkey"
    return None


def own_authority(public_url: str | None, host: str) -> str | None:
    """The host and port that AUTH events must name; None: it cannot be known.

    The header Host is what the client says. Another relay could pass our challenge on to its own clients, let them sign
    for its own name, and give that name as Host here. So it counts only where it names an address of the own machine or
    a private network, at which no such relay is.

    Args:
        public_url: the setting `api.public_url`.
        host: the header Host; empty where there is none.
    """
    if public_url is not None:
        return _authority(public_url)
    authority = _authority(f"ws://{host}")
    if authority is None:
        return None
    name = urlsplit(f"ws://{host}").hostname or ""
    try:
        is_near = name == "localhost" or ip_address(name).is_private
    except ValueError:
        return None
    return authority if is_near else None


def _authority(url: str) -> str | None:
    """Host and port of a URL in one spelling; scheme and path are not looked at, as clients vary in them."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    host = f"[{host}]" if ":" in host else host.removesuffix(".")
    return host if port in _DEFAULT_PORTS else f"{host}:{port}"


def _values(event: Event, name: str) -> list[str]:
    return [tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == name]
