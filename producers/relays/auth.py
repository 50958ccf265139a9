"""The answer to a relay's AUTH challenge (NIP-42): an ephemeral event, signed with the configured key."""

from __future__ import annotations

from schemas.event import Event, encode_event
from schemas.event_id import compute_id
from schemas.kinds import AUTH_KIND
from schemas.signature import public_key, sign

MAX_CHALLENGE = 1024
"""Characters of a challenge that are signed. Relays send 16 to 64."""


def auth_message(secret: bytes, relay: str, challenge: str, now_s: int) -> tuple[str, bytes]:
    """Build the AUTH message.

    Args:
        secret: 32 bytes.
        relay: the URL that was connected to.
        challenge: the newest that the relay sent on this connection.
        now_s: relays accept a few seconds to minutes around their own clock.

    Returns:
        The event's id, which the relay's OK will name, and the text to send.
    """
    tags = [["relay", relay], ["challenge", challenge]]
    unsigned = Event("", public_key(secret), now_s, AUTH_KIND, tags, "", "")
    event_id = compute_id(unsigned)
    event = unsigned._replace(id=event_id, sig=sign(secret, bytes.fromhex(event_id)))
    return event_id, b'["AUTH",%b]' % encode_event(event)
