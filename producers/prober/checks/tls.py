"""The check `ssl`: the certificate that a relay shows, and what is wrong with it.

A client that trusts the system's authorities decides whether it is valid. Of one that is not, a second handshake takes
what it says without trusting it; nothing is sent over that connection.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from functools import cache
from typing import Literal

from core.waiting import brief
from producers.addresses.address_guard import AddressRefusedError
from producers.prober.checks.certificate import CertificateFacts, certificate_facts
from producers.prober.checks.route import Route
from producers.prober.checks.words import failure, words
from schemas.records.probe import SslCheck
from schemas.relay_urls.relay_url import Network

Problem = Literal["expired", "not_yet_valid", "wrong_host", "self_signed", "untrusted", "no_certificate"]
_PROBLEMS: dict[int, Problem] = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    62: "wrong_host",
    64: "wrong_host",  # the same for an address
}
"""By OpenSSL's X509_V_ERR_ numbers; the others are ways of not being trusted."""


@dataclass(frozen=True, slots=True)
class _Handshake:
    """One that was completed."""

    certificate: bytes
    protocol: str | None
    cipher: str | None
    took_ms: int


async def check_tls(route: Route, *, timeout_s: float) -> SslCheck | None:
    """Look at the certificate of a relay; None where it has none to show: without TLS, or in an overlay network.

    Args:
        route: to the relay.
        timeout_s: for both handshakes together.
    """
    if route.url.scheme != "wss" or route.url.network is not Network.CLEARNET:
        return None
    try:
        async with asyncio.timeout(timeout_s):
            return await _look(route, timeout_s)
    except (AddressRefusedError, OSError, ValueError) as error:
        return SslCheck(ok=False, error=failure(error, timeout_s))


async def _look(route: Route, timeout_s: float) -> SslCheck:
    try:
        return _check(await _handshake(route, timeout_s, route.tls), None)
    except ssl.SSLError as refused:
        try:
            return _check(await _handshake(route, timeout_s, _untrusting()), refused)
        except ssl.SSLError as error:
            return SslCheck(ok=False, error=words(brief(error)), problem="no_certificate")


def _check(shown: _Handshake, refused: ssl.SSLError | None) -> SslCheck:
    facts = certificate_facts(shown.certificate) or CertificateFacts()
    problem: Problem | None = None
    if isinstance(refused, ssl.SSLCertVerificationError):
        problem = _PROBLEMS.get(refused.verify_code, "untrusted")
    return SslCheck(
        ok=refused is None,
        took_ms=shown.took_ms if refused is None else None,
        error=None if refused is None else words(brief(refused)),
        problem=problem,
        issuer=facts.issuer,
        names=facts.names,
        valid_from_s=facts.valid_from_s,
        valid_until_s=facts.valid_until_s,
        protocol=shown.protocol,
        cipher=shown.cipher,
    )


async def _handshake(route: Route, timeout_s: float, context: ssl.SSLContext) -> _Handshake:
    loop = asyncio.get_running_loop()
    began = loop.time()
    opened = await route.open(timeout_s)
    try:
        _, writer = await asyncio.open_connection(sock=opened, ssl=context, server_hostname=route.url.host)
    except BaseException:
        opened.close()
        raise
    took_ms = round((loop.time() - began) * 1000)
    try:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        cipher = tls.cipher()
        return _Handshake(
            tls.getpeercert(binary_form=True) or b"", tls.version(), None if cipher is None else cipher[0], took_ms
        )
    finally:
        # The other side has no say in how long this takes.
        writer.transport.abort()


@cache
def _untrusting() -> ssl.SSLContext:
    """Takes any certificate, and the protocols and ciphers of old servers: it only looks."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context
