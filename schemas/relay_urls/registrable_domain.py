"""The registrable domain of a host, by which its owner is known: the public suffix list (publicsuffix.org)."""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

from schemas.partition import relay_partition

_KNOWN = 20_000
"""Hosts that are remembered: more than there are relays; 2 MB."""


@lru_cache(maxsize=_KNOWN)
def registrable_domain(host: str) -> str:
    """The domain of a host's owner; the host itself where it is an address, or nothing that can be registered.

    Args:
        host: as in `RelayUrl.host`: lower case, IDNA, an IPv6 address with or without its brackets.
    """
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return _suffixes().privatesuffix(host) or host


def is_public_suffix(host: str) -> bool:
    """Whether a host is a name beneath which strangers register theirs, such as `com` or `co.uk`; no address is."""
    return ":" not in host and bool(_suffixes().is_public(host))


def domain_partition(host: str, partitions: int) -> int:
    """The partition of a relay in topics of which one reader is to see all of a domain."""
    return relay_partition(registrable_domain(host), partitions)


@cache
def _suffixes() -> PublicSuffixList:
    """Read once: 40 ms."""
    return PublicSuffixList()
