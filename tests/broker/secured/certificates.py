"""An authority of the tests' own, and certificates of it, as files (PEM)."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)
LOOPBACK = "127.0.0.1"


class Pair(NamedTuple):
    """Files of a certificate and of its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; `certificate` is what those are given who are to trust them."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(self._name, self._key.public_key(), ca=True).sign(self._key, hashes.SHA256())
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def sign(
        self,
        name: str,
        password: str | None = None,
        *,
        hosts: Sequence[str] = (LOOPBACK,),
        starts: dt.timedelta = -DAY,
        ends: dt.timedelta = DAY,
        by_itself: bool = False,
    ) -> Pair:
        """Make a certificate for these hosts, with its key, encrypted where a password is given.

        Args:
            name: its common name, and that of its files.
            password: of the key.
            hosts: names, or addresses.
            starts: from now.
            ends: from now.
            by_itself: it is signed with its own key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _named(name) if by_itself else self._name
        builder = self._builder(_named(name), key.public_key(), ca=False, issuer=issuer, starts=starts, ends=ends)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_host, hosts))), critical=False)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        made = builder.sign(key if by_itself else self._key, hashes.SHA256())
        pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        locked = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        pair.key.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked),
        )
        return pair

    def _builder(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        ca: bool,
        issuer: x509.Name | None = None,
        starts: dt.timedelta = -DAY,
        ends: dt.timedelta = DAY,
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer or self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
