"""Names become addresses here, and only here: what is connected to is exactly what was judged.

A relay's URL comes from strangers, and so does that of a redirect. Its host may resolve to a private address, now or at
the second look-up, so the addresses are judged after resolving and the socket is opened to one of them, not to a name.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from schemas.relay_urls.relay_host import is_link_local_address, is_private_address

MAX_ADDRESSES = 4
"""Tried in turn within one connection time-out: two of each family are what hosts have."""


class AddressRefusedError(Exception):
    """Every address of a host is one that strangers must not make us connect to."""


async def no_resolver(host: str) -> list[str]:
    """Resolve no name, where relays have literal addresses only."""
    raise socket.gaierror(socket.EAI_FAIL, f"{host} is not an address; give a look_up with a resolver")


async def allowed_addresses(
    host: str, *, allow_private: bool, resolve: Callable[[str], Awaitable[list[str]]] = no_resolver
) -> list[str]:
    """Resolve a host and keep the addresses that may be connected to, in the resolver's order.

    Args:
        host: a name or a literal address.
        allow_private: the operator's own relay: loopback and private addresses too, but no link-local ones.
        resolve: gives the addresses of a name, as `Resolver.addresses` does.

    Raises:
        AddressRefusedError: there are addresses, and none is public.
        OSError: the name does not resolve.
    """
    found = [host] if is_address(host) else await resolve(host)
    allowed = [address for address in found if _is_allowed(address, allow_private=allow_private)]
    if not allowed:
        named = ", ".join(found[:MAX_ADDRESSES])
        more = f" and {len(found) - MAX_ADDRESSES} more" if len(found) > MAX_ADDRESSES else ""
        reason = "a link-local address, which no server may have" if allow_private else "no public address"
        raise AddressRefusedError(f"{host} resolves to {named}{more}, {reason}")
    return allowed[:MAX_ADDRESSES]


def _is_allowed(address: str, *, allow_private: bool) -> bool:
    return not (is_link_local_address(address) if allow_private else is_private_address(address))


def is_address(host: str) -> bool:
    """Whether a host is a literal address, which no name server is asked for."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
