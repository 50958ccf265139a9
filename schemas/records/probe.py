"""The `raw.probes` topic: one complete probe of a relay. What was not tried is null; a failure has its reason.

Names of checks are those of NIP-66: open, read, write, nip11, ssl, dns, geo, net, http.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.records.document import Document
from schemas.relay_urls.relay_url import Network

LONGEST_WORDS = 200
"""Characters of an error, a header or what a relay said, so that a record stays below 32 kB."""
MOST_VALUES = 16
"""Addresses, names of a certificate and the like that are kept of each kind."""

Verdict = Literal["works", "refused_by_policy", "refuses_us", "not_nostr", "broken"]
"""works: serves what is asked. refused_by_policy: is a relay and serves somebody else. refuses_us: answers, and not to
this address or program. not_nostr: a websocket that speaks something else. broken: fails at a step."""
Cause = Literal[
    "auth", "payment", "pow", "whitelist",  # refused_by_policy
    "forbidden", "rate_limited", "challenge_page",  # refuses_us
    "no_proxy", "address", "no_route", "dns", "connect", "tls", "handshake", "redirect",  # broken, at this step
    "read", "silent",  # broken too
]  # fmt: skip
"""What a verdict other than works is for: the policy, how we are refused, or the step that failed."""
OURS: frozenset[Cause] = frozenset({"no_proxy", "address", "no_route"})
"""Steps that fail by a setting, a rule or the network of this host: they tell nothing of the relay, which was not
asked."""


class Check(Document):
    """The outcome of one check."""

    ok: bool
    took_ms: int | None = Field(None, ge=0, description="of what is measured; null where it failed")
    error: str | None = Field(None, max_length=LONGEST_WORDS, description="why it failed, for people")


class OpenCheck(Check):
    """The websocket: name, socket, TLS and handshake; `took_ms` is all of them."""

    cause: Cause | None = Field(None, description="the step that failed, or how we are refused")
    address: str | None = Field(None, description="the IP address that was connected to")
    status: int | None = Field(None, description="of HTTP, where the handshake was refused")


class ReadCheck(Check):
    """A question for stored events; it ends at the first EVENT, EOSE or CLOSED."""

    ended_by: Literal["EVENT", "EOSE", "CLOSED"] | None = None
    cause: Cause | None = Field(None, description="the policy that a CLOSED or NOTICE names, or how it failed")
    is_nostr: bool | None = Field(
        None, description="false: what it said is no message of NIP-01; null: it said nothing"
    )
    words: str | None = Field(None, max_length=LONGEST_WORDS, description="of CLOSED or NOTICE")


class WriteCheck(Check):
    """An event of the monitor's own; `ok` where the relay took it and gave it back."""

    cause: Cause | None = None
    event_id: str | None = None
    accepted: bool | None = Field(None, description="the relay's OK")
    read_back: bool | None = Field(None, description="whether it was given when asked for by its id")
    words: str | None = Field(None, max_length=LONGEST_WORDS, description="of its OK")


class Nip11Check(Check):
    """The relay information document."""

    cause: Cause | None = Field(None, description="how the answer refuses us; null: it does not")
    status: int | None = Field(None, description="of HTTP")
    content_type: str | None = Field(None, max_length=LONGEST_WORDS)
    document: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the body: the key in relays.documents; null: no document",
    )


class DnsCheck(Check):
    """What the name servers say of the host."""

    a: tuple[str, ...] = Field((), max_length=MOST_VALUES)
    aaaa: tuple[str, ...] = Field((), max_length=MOST_VALUES)
    cname: tuple[str, ...] = Field((), max_length=MOST_VALUES)
    ns: tuple[str, ...] = Field((), max_length=MOST_VALUES, description="of the registrable domain")
    ttl_s: int | None = Field(None, ge=0, description="the least of the addresses'")


class SslCheck(Check):
    """The certificate; `ok` where it is valid for the host now. What is known of an invalid one is there too."""

    problem: Literal["expired", "not_yet_valid", "wrong_host", "self_signed", "untrusted", "no_certificate"] | None = (
        None
    )
    issuer: str | None = Field(None, max_length=LONGEST_WORDS)
    names: tuple[str, ...] = Field((), max_length=MOST_VALUES, description="subject alternative names")
    valid_from_s: int | None = None
    valid_until_s: int | None = None
    protocol: str | None = Field(None, description="such as TLSv1.3")
    cipher: str | None = None


class GeoCheck(Check):
    """Where a database places the address that was connected to."""

    country: str | None = Field(None, description="ISO 3166-1 alpha-2")
    city: str | None = Field(None, max_length=LONGEST_WORDS)
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    geohash: str | None = Field(None, description="no finer than the radius that the database states")
    timezone: str | None = Field(None, max_length=LONGEST_WORDS)


class NetCheck(Check):
    """Which network the address that was connected to belongs to."""

    asn: int | None = Field(None, ge=0)
    organization: str | None = Field(None, max_length=LONGEST_WORDS)


class HttpCheck(Check):
    """What the HTTP answer of the websocket endpoint says of the server."""

    server: str | None = Field(None, max_length=LONGEST_WORDS)
    powered_by: str | None = Field(None, max_length=LONGEST_WORDS)


class Checks(Document):
    """The checks of one probe; null: not tried."""

    open: OpenCheck | None = None
    read: ReadCheck | None = None
    write: WriteCheck | None = None
    nip11: Nip11Check | None = None
    ssl: SslCheck | None = None
    dns: DnsCheck | None = None
    geo: GeoCheck | None = None
    net: NetCheck | None = None
    http: HttpCheck | None = None


class Observed(Document):
    """What the relay was seen to do, whatever its document says; null: not seen either way."""

    auth_required: bool | None = Field(None, description="it served nothing before AUTH (NIP-42)")
    counts: bool | None = Field(None, description="answers COUNT (NIP-45)")
    hints: bool | None = Field(None, description="says with EOSE whether it gave all (NIP-67)")
    reconciles: bool | None = Field(None, description="answers NEG-OPEN (NIP-77)")
    largest_page: int | None = Field(None, ge=0, description="most events that one answer held")
    clock_difference_s: float | None = Field(None, description="its HTTP Date less our time")


class ProbeRecord(Document):
    """One probe of a relay."""

    version: int = Field(1, ge=1)
    url: str = Field(min_length=1, description="normalised URL, as in the key")
    network: Network
    is_full: bool = Field(description="all checks were due; else open and read")
    attempts: int = Field(1, ge=1, le=2, description="2: the first one failed, and this is the second's outcome")
    verdict: Verdict
    cause: Cause | None = Field(None, description="null where it works or is not Nostr")
    detail: str | None = Field(None, max_length=LONGEST_WORDS, description="the same in words")
    checks: Checks
    observed: Observed = Observed()
    probed_at_ms: int = Field(ge=0, description="when the first attempt began")
    next_in_s: int | None = Field(
        None, ge=1, description="so many seconds later the schedule has the next one; null: not said"
    )
    by: str | None = Field(None, description="public key of the monitor, where it has one")
