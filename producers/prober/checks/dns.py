"""The check `dns`: what the name servers say of a relay's host, and which ones serve its domain."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

from producers.addresses.address_guard import is_address
from producers.addresses.dns_client import DnsClient, DnsRecord, RecordKind
from producers.prober.checks.words import failure, words
from schemas.records.probe import MOST_VALUES, DnsCheck
from schemas.relay_urls.registrable_domain import registrable_domain
from schemas.relay_urls.relay_url import Network, RelayUrl

_LARGEST_TTL_S = 2**31 - 1
"""RFC 2181 section 8: a larger one is to be read as 0."""


async def check_dns(url: RelayUrl, client: DnsClient, timeout_s: float) -> DnsCheck | None:
    """Ask for the addresses, aliases and name servers of a host; None for an address or a name of an overlay network.

    It is a check of the name servers' answers, so nothing is connected to, and an address may be any.

    Args:
        url: of the relay.
        client: asks.
        timeout_s: for each kind of record; they are asked for at once.
    """
    if url.network is not Network.CLEARNET or is_address(url.host):
        return None
    loop = asyncio.get_running_loop()
    began = loop.time()
    a, aaaa, ns = await asyncio.gather(
        _ask(client, url.host, "A", timeout_s),
        _ask(client, url.host, "AAAA", timeout_s),
        _ask(client, registrable_domain(url.host), "NS", timeout_s),
    )
    took_ms = round((loop.time() - began) * 1000)
    answers = [answer for answer in (a, aaaa) if isinstance(answer, list)]
    records = [record for answer in answers for record in answer]
    addresses = [record for record in records if record.kind in ("A", "AAAA")]
    errors = [answer for answer in (a, aaaa) if isinstance(answer, str)]
    return DnsCheck(
        ok=bool(addresses),
        took_ms=took_ms if addresses else None,
        error=None if addresses else errors[0] if errors else "the name has no address",
        a=_values(records, "A"),
        aaaa=_values(records, "AAAA"),
        cname=_values(records, "CNAME"),
        ns=_values(ns if isinstance(ns, list) else [], "NS"),
        ttl_s=min((_ttl_s(record) for record in addresses), default=None),
    )


async def _ask(client: DnsClient, name: str, kind: RecordKind, timeout_s: float) -> list[DnsRecord] | str:
    """The records, none where the name has none, or why they are not known."""
    try:
        async with asyncio.timeout(timeout_s):
            return await client.records(name, kind)
    except socket.gaierror as error:
        return [] if error.errno == socket.EAI_NONAME else failure(error, timeout_s)
    except (OSError, ValueError) as error:
        return failure(error, timeout_s)


def _values(records: Iterable[DnsRecord], kind: RecordKind) -> tuple[str, ...]:
    """What records of a kind hold, in an order that does not change from answer to answer; aliases in theirs."""
    found = dict.fromkeys(words(record.value.lower()).rstrip(".") for record in records if record.kind == kind)
    return tuple(list(found) if kind == "CNAME" else sorted(found))[:MOST_VALUES]


def _ttl_s(record: DnsRecord) -> int:
    return record.ttl_s if 0 <= record.ttl_s <= _LARGEST_TTL_S else 0
