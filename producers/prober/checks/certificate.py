"""What a certificate (X.509, RFC 5280) says. It is untrusted: TLS bounds its size, and what is odd is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from cryptography import x509
from cryptography.x509.oid import NameOID

from producers.prober.checks.words import words
from schemas.records.probe import MOST_VALUES

_LONGEST_NAME = 253
"""Of a host, RFC 1035."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a record holds of a certificate.

    Attributes:
        issuer: its organisation, or its common name where it states none.
        names: DNS names and addresses that it is for.
        valid_from_s: since 1970.
        valid_until_s: since 1970.
    """

    issuer: str | None = None
    names: tuple[str, ...] = ()
    valid_from_s: int | None = None
    valid_until_s: int | None = None


def certificate_facts(der: bytes) -> CertificateFacts | None:
    """Read a certificate in DER; None where it cannot be read as a whole."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return CertificateFacts(
            _issuer(certificate.issuer),
            tuple(islice(_names(certificate), MOST_VALUES)),
            int(certificate.not_valid_before_utc.timestamp()),
            int(certificate.not_valid_after_utc.timestamp()),
        )
    except (ValueError, OverflowError, x509.InvalidVersion):
        return None


def _issuer(issuer: x509.Name) -> str | None:
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for attribute in issuer.get_attributes_for_oid(oid):
            value = attribute.value
            if text := words(value if isinstance(value, str) else value.decode("latin-1")):
                return text
    return None


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return
    for each in found:
        if isinstance(each, x509.DNSName) and 0 < len(each.value) <= _LONGEST_NAME:
            yield words(each.value)
        elif isinstance(each, x509.IPAddress):
            yield str(each.value)
