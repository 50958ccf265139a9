"""Hosts of relays: how their names and addresses are spelled, which network they are in, which are private."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import idna

MAX_HOST_LENGTH = 253
"""RFC 1035 section 2.3.4, without the root dot."""
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
"""RFC 1123, and the underscore that some hosts have."""
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that browsers and resolvers read as part of an IPv4 address."""
_LOCAL_NAMES = ("localhost", "local", "lan", "internal", "home", "corp", "localdomain", "home.arpa")
"""Names that mean something inside one network only (RFC 6761, RFC 6762, RFC 8375, ICANN's reserved ones)."""
_ONION = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z2-7]{56}\.onion")
"""Version 3; version 2 (16 characters) is dead since 2021."""
_I2P_B32 = re.compile(r"[a-z2-7]{52,}\.b32\.i2p")
_LOKI = re.compile(r"(?:[a-z0-9_-]+\.)*[ybndrfg8ejkmcpqxot1uwisza345h769]{52}\.loki")
"""The alphabet of z-base-32."""

_NAT64 = IPv6Network("64:ff9b::/96")
_LINK_LOCAL = (IPv4Network("169.254.0.0/16"), IPv6Network("fe80::/10"))
"""RFC 3927 and RFC 4291. Clouds serve the credentials of their machines there."""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that IANA has allocated for public use. `is_global` trusts more: the former site-local fec0::/10, for one."""
_NOT_UNICAST = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
"""Protocol assignments (RFC 6890) and the anycast address of 6to4 relays (RFC 7526): `is_global` trusts some."""


class Network(StrEnum):
    """How a relay is reached (NIP-66's `n` tag)."""

    CLEARNET = "clearnet"
    TOR = "tor"
    I2P = "i2p"
    LOKI = "loki"


class RelayUrlError(ValueError):
    """A text that is no URL of a relay we may connect to.

    Attributes:
        field: `url`, `scheme`, `host`, `port` or `path`.
        detail: what is wrong.
    """

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


def spell_host(host: str, *, allow_private: bool) -> tuple[str, Network]:
    """The host as it stands in the normalised URL, and the network it is in."""
    if host.startswith("["):
        return _literal(host[1:-1], allow_private=allow_private), Network.CLEARNET
    name = _ascii(host).removesuffix(".")
    labels = name.split(".")
    if len(name) > MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise RelayUrlError("host", "is not a host name")
    if _NUMERIC.fullmatch(labels[-1]):
        return _literal(name, allow_private=allow_private), Network.CLEARNET
    network = _network(name)
    if network is Network.CLEARNET and not allow_private:
        if len(labels) == 1:
            raise RelayUrlError("host", "has no dot, so it means something only inside one network")
        if labels[-1] in _LOCAL_NAMES or name.endswith(".home.arpa"):
            raise RelayUrlError("host", "is a name that means something only inside one network")
    return name, network


def _literal(text: str, *, allow_private: bool) -> str:
    """An IP address as it stands in a URL."""
    try:
        address = ip_address(text)
    except ValueError:
        raise RelayUrlError("host", "is not an IP address") from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise RelayUrlError("host", "has a zone, which means something only on one machine")
    if is_link_local_address(address):
        raise RelayUrlError("host", "is no public address but a link-local one, which no relay may have")
    if not allow_private and is_private_address(address):
        raise RelayUrlError("host", "is not a public address")
    return f"[{address.compressed}]" if isinstance(address, IPv6Address) else str(address)


def _ascii(host: str) -> str:
    """A host name in lower case, other scripts in their ASCII form (UTS 46, as browsers do)."""
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise RelayUrlError("host", "is not an internationalised host name") from None


def _network(name: str) -> Network:
    top = name.rpartition(".")[2]
    if top == "onion":
        if not _ONION.fullmatch(name):
            raise RelayUrlError("host", "is no version 3 onion address: 56 characters a-z2-7 before .onion")
        return Network.TOR
    if top == "i2p":
        if name == "i2p" or (name.endswith(".b32.i2p") and not _I2P_B32.fullmatch(name)):
            raise RelayUrlError("host", "is no I2P address: a name, or 52 characters a-z2-7, before .b32.i2p")
        return Network.I2P
    if top == "loki":
        if not _LOKI.fullmatch(name):
            raise RelayUrlError("host", "is no Lokinet address: 52 characters of z-base-32 before .loki")
        return Network.LOKI
    return Network.CLEARNET


def is_private_address(ip: str | IPv4Address | IPv6Address) -> bool:
    """Whether an address is anything but a public unicast one: loopback, private, link-local, reserved, multicast.

    IPv6 addresses that carry an IPv4 address for a translator or tunnel are checked by that one too.

    Raises:
        ValueError: a text that is no address.
    """
    address = ip_address(ip) if isinstance(ip, str) else ip
    if isinstance(address, IPv6Address):
        carried = _carried_ipv4(address)
        if carried is not None:
            return is_private_address(carried)
        if address not in _GLOBAL_UNICAST:
            return True
    elif any(address in network for network in _NOT_UNICAST):
        return True
    return not address.is_global or address.is_multicast or address.is_reserved


def is_link_local_address(ip: str | IPv4Address | IPv6Address) -> bool:
    """Whether an address is link-local, or carries one that is. No permission makes such a one a relay's.

    Raises:
        ValueError: a text that is no address.
    """
    address = ip_address(ip) if isinstance(ip, str) else ip
    if isinstance(address, IPv6Address) and (carried := _carried_ipv4(address)) is not None:
        return is_link_local_address(carried)
    return any(address in network for network in _LINK_LOCAL)


def _carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped (RFC 4291), 6to4 (RFC 3056), Teredo (RFC 4380) or NAT64 (RFC 6052) address."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour
