"""Which relays others can reach: not those that only the network around us leads to."""

from __future__ import annotations

from schemas.relay_urls.relay_host import is_private_address
from schemas.relay_urls.relay_url import normalize


def is_public_relay(url: str, address: str | None = None) -> bool:
    """Whether neither a relay's URL nor the address that was connected to, where it is known, is a private one."""
    try:
        normalize(url)
        return address is None or not is_private_address(address)
    except ValueError:  # also RelayUrlError; a text that is no address tells nothing
        return False
