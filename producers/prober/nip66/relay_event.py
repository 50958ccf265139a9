"""The event of one relay, kind 30166 (NIP-66), with the tags of the NIP and of its open change 2241. Pure.

A tag says what was seen, or what the relay says of itself where only it can know. What a relay must be given (`R`) is
never taken from its document: a member that is missing there says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from producers.prober.nip66.facts import Facts
from schemas.nostr.relay_document import NotADocumentError, RelayInformation, parse_document
from schemas.nostr.signing import Draft
from schemas.records.probe import Cause, Checks, Observed, ProbeRecord
from schemas.relay_urls.relay_url import Network

RELAY_KIND = 30_166
MOST_VALUES = 64
"""Tags of one letter from a relay's document: some relays take no event with more than a few hundred tags."""
LONGEST_VALUE = 100
"""Characters of a value of a document: topics, attributes and languages are words."""
_NETWORKS = {Network.CLEARNET: "clearnet", Network.TOR: "tor", Network.I2P: "i2p", Network.LOKI: "loki"}
_TOPIC = re.compile(r"[a-z][a-z0-9-]*")
"""Hashtags are lower case (NIP-24)."""
_LANGUAGE = re.compile(r"([A-Za-z]{2})(?:[-_].*)?")
"""An IETF language tag that begins with a code of ISO 639-1; `*` is no language."""
_TO_READ: dict[Cause, str] = {"auth": "auth", "payment": "payment", "pow": "pow"}
_TO_WRITE: dict[Cause, tuple[str, ...]] = {
    # Reading may be free: `auth` says that nothing is, before AUTH.
    "auth": ("writes",),
    "whitelist": ("writes",),
    "payment": ("payment", "writes"),
    "pow": ("pow",),
}
"""What a relay demands that refuses for this."""


def address_of(url: str) -> str:
    """The value of `d`: the normalised URL, with a slash for an empty path as in the NIP (RFC 3986 section 6.2.3)."""
    return url if "/" in url.partition("://")[2] else f"{url}/"


def relay_event(record: ProbeRecord, facts: Facts) -> Draft:
    """Write the event of a relay that is online.

    Args:
        record: of the probe.
        facts: what is known of the relay, this probe included.
    """
    information = _information(facts.text)
    checks, observed = facts.checks, facts.observed
    tags = [
        ["d", address_of(record.url)],
        ["n", _NETWORKS[record.network]],
        *_round_trips(record.checks, checks),
        *(["N", str(number)] for number in _nips(information, checks, observed)),
        *(["R", word] for word in _requirements(checks, observed)),
        *_said(information),
        *(["g", prefix] for prefix in prefixes(checks.geo.geohash if checks.geo is not None else None)),
        *_labels(information, checks),
        *_certificate(checks),
        *_network(checks),
        *_place(checks),
        *_names(checks),
        *_server(checks),
    ]
    return Draft(RELAY_KIND, tags, facts.text if information is not None else "")


def prefixes(geohash: str | None) -> list[str]:
    """A geohash and all that it lies in, the finest first: filters compare whole values (NIP-01)."""
    return [] if geohash is None else [geohash[:length] for length in range(len(geohash), 0, -1)]


def _information(text: str) -> RelayInformation | None:
    try:
        return parse_document(text) if text else None
    except NotADocumentError:
        return None


def _round_trips(now: Checks, known: Checks) -> Iterator[list[str]]:
    for name, check in (("open", now.open), ("read", now.read), ("write", known.write)):
        if check is not None and check.ok and check.took_ms is not None:
            yield [f"rtt-{name}", str(check.took_ms)]


def _nips(information: RelayInformation | None, checks: Checks, observed: Observed) -> list[int]:
    """Those that the document names, put right by what was seen."""
    said = set() if information is None else set(information.supported_nips[:MOST_VALUES])
    shown = {
        1: checks.read.ok if checks.read is not None and checks.read.ended_by in ("EVENT", "EOSE") else None,
        11: checks.nip11.document is not None if checks.nip11 is not None else None,
        42: observed.auth_required or None,
        45: observed.counts,
        67: observed.hints,
        77: observed.reconciles,
    }
    for number, does in shown.items():
        if does is not None:
            (said.add if does else said.discard)(number)
    return sorted(said)


def _requirements(checks: Checks, observed: Observed) -> list[str]:
    """What the relay was seen to demand, and, with an exclamation mark, what it was seen to do without."""
    needed: dict[str, bool] = {}
    if observed.auth_required is not None:
        needed["auth"] = observed.auth_required
    read, write = checks.read, checks.write
    if read is not None and read.cause in _TO_READ:
        needed[_TO_READ[read.cause]] = True
    if write is not None and write.accepted:
        needed = {"payment": False} | needed | {"writes": False}
    # An event that was not sent was refused by the document alone.
    elif write is not None and write.accepted is False and write.cause in _TO_WRITE:
        needed |= dict.fromkeys(_TO_WRITE[write.cause], True)
    return [name if is_needed else f"!{name}" for name, is_needed in sorted(needed.items())]


def _said(information: RelayInformation | None) -> Iterator[list[str]]:
    """What only the relay can say: kinds, topics, attributes."""
    if information is None:
        return
    yield from (["k", str(kind)] for kind in information.kinds[:MOST_VALUES])
    topics = dict.fromkeys(topic.lower() for topic in information.tags[:MOST_VALUES])
    yield from (["t", topic] for topic in topics if _TOPIC.fullmatch(topic) and len(topic) <= LONGEST_VALUE)
    yield from (["W", word[:LONGEST_VALUE]] for word in information.attributes[:MOST_VALUES])


def _labels(information: RelayInformation | None, checks: Checks) -> Iterator[list[str]]:
    """Labels (NIP-32), those of a namespace behind its `L`."""
    geo, net = checks.geo, checks.net
    languages = () if information is None else information.languages[:MOST_VALUES]
    codes = (match[1].lower() for language in languages if (match := _LANGUAGE.fullmatch(language)))
    by_namespace: dict[str, Iterable[str | None]] = {
        "ISO-639-1": dict.fromkeys(codes),
        "ISO-3166-1": (geo.country if geo is not None else None,),
        "nip66.label.city": (geo.city if geo is not None else None,),
        "IANA-tz": (geo.timezone if geo is not None else None,),
        "IANA-asn": (str(net.asn) if net is not None and net.asn is not None else None,),
        "IANA-asnOrg": (net.organization if net is not None else None,),
    }
    for namespace, values in by_namespace.items():
        labels = [value for value in values if value]
        if labels:
            yield ["L", namespace]
            yield from (["l", label, namespace] for label in labels)


def _certificate(checks: Checks) -> Iterator[list[str]]:
    ssl = checks.ssl
    if ssl is not None and (ssl.ok or ssl.problem not in (None, "no_certificate")):
        yield ["ssl", "valid" if ssl.ok else "!valid"]
        if ssl.valid_until_s is not None:
            yield ["ssl-expires", str(ssl.valid_until_s)]
        yield from _given("ssl-issuer", ssl.issuer)


def _network(checks: Checks) -> Iterator[list[str]]:
    address = checks.open.address if checks.open is not None else None
    if address is not None:
        yield ["net-ipv6" if ":" in address else "net-ip", address]
    if checks.net is not None:
        yield from _given("net-asn", checks.net.asn)
        yield from _given("net-asn-org", checks.net.organization)


def _place(checks: Checks) -> Iterator[list[str]]:
    geo = checks.geo
    if geo is not None:
        for name, value in (
            ("geo-country", geo.country),
            ("geo-city", geo.city),
            ("geo-lat", geo.latitude),
            ("geo-lon", geo.longitude),
            ("geo-tz", geo.timezone),
        ):
            yield from _given(name, value)


def _names(checks: Checks) -> Iterator[list[str]]:
    dns = checks.dns
    if dns is not None and dns.ok:
        for name, values in (("dns-ip", dns.a), ("dns-ip6", dns.aaaa), ("dns-cname", dns.cname)):
            yield from ([name, value] for value in values)
        yield from _given("dns-ttl", dns.ttl_s)


def _server(checks: Checks) -> Iterator[list[str]]:
    if checks.http is not None:
        yield from _given("http-server", checks.http.server)
        yield from _given("http-powered-by", checks.http.powered_by)


def _given(name: str, value: str | float | None) -> Iterator[list[str]]:
    if value not in (None, ""):
        yield [name, str(value)]
