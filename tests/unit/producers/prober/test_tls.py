"""Certificates of real servers: what is wrong with each, and what it says all the same."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from producers.prober.checks.certificate import certificate_facts
from producers.prober.checks.tls import check_tls
from schemas.records.probe import LONGEST_WORDS, MOST_VALUES, SslCheck
from tests.broker.secured.certificates import DAY, Authority, Pair
from tests.unit.producers.fetching.servers import http_server, json_text, raw_server
from tests.unit.producers.prober.routes import route_to, server_tls, to_loopback

LONG_S = 60.0
ONION = "a" * 56 + ".onion"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def look(pair: Pair, host: str = "127.0.0.1", trusted: Path | None = None) -> SslCheck:
    async with http_server(json_text("{}"), server_tls(pair)) as url:
        port = url.rpartition(":")[2]
        found = await check_tls(
            route_to(f"wss://{host}:{port}", trusted=trusted, look_up=to_loopback), timeout_s=LONG_S
        )
    assert found is not None
    found.encode()
    return found


async def test_a_valid_certificate_is_described(authority: Authority) -> None:
    pair = authority.sign("valid", hosts=["relay.example", "*.example", "127.0.0.1"])
    found = await look(pair, "relay.example", authority.certificate)
    assert (found.ok, found.problem, found.error) == (True, None, None)
    assert found.names == ("relay.example", "*.example", "127.0.0.1")
    assert (found.issuer, found.protocol) == ("authority", "TLSv1.3")
    assert found.cipher is not None
    assert found.took_ms is not None
    assert found.valid_from_s is not None
    assert found.valid_until_s == found.valid_from_s + 2 * 86_400


@pytest.mark.parametrize(
    ("problem", "host", "options"),
    [
        ("expired", "relay.example", {"starts": -2 * DAY, "ends": -DAY}),
        ("not_yet_valid", "relay.example", {"starts": DAY, "ends": 2 * DAY}),
        ("wrong_host", "other.example", {}),
        ("wrong_host", "127.0.0.1", {}),
        ("self_signed", "relay.example", {"by_itself": True}),
    ],
)
async def test_a_certificate_that_is_not_valid_is_described_too(
    authority: Authority, problem: str, host: str, options: dict[str, Any]
) -> None:
    found = await look(
        authority.sign(f"{problem}-{host}", hosts=["relay.example"], **options), host, authority.certificate
    )
    assert (found.ok, found.problem, found.took_ms) == (False, problem, None)
    assert "CERTIFICATE_VERIFY_FAILED" in (found.error or "")
    assert found.names == ("relay.example",)
    assert found.valid_until_s is not None


async def test_a_certificate_of_an_unknown_authority_is_untrusted(authority: Authority) -> None:
    assert (await look(authority.sign("stranger"))).problem == "untrusted"


async def test_an_address_may_be_certified(authority: Authority) -> None:
    assert (await look(authority.sign("address"), trusted=authority.certificate)).ok


async def test_a_certificate_without_names_has_none(authority: Authority) -> None:
    found = await look(authority.sign("nameless", hosts=()), "relay.example", authority.certificate)
    assert (found.problem, found.names) == ("wrong_host", ())


async def test_what_does_not_speak_tls_shows_no_certificate() -> None:
    talks: set[asyncio.Task[None] | None] = set()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        await reader.read(1 << 16)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await check_tls(route_to(f"wss://127.0.0.1:{port}"), timeout_s=LONG_S)
        await asyncio.gather(*filter(None, talks))
    assert found is not None
    assert (found.ok, found.problem) == (False, "no_certificate")
    assert found.error is not None


async def test_a_server_that_says_nothing_is_given_up_at_the_deadline() -> None:
    async with raw_server(b"", then=asyncio.StreamWriter.drain) as url:
        found = await check_tls(route_to(url.replace("http", "wss")), timeout_s=0.2)
    assert found == SslCheck(ok=False, error="no answer within 0.2 s")


async def test_a_private_address_is_not_connected_to() -> None:
    for address in ("127.0.0.1", "::ffff:10.0.0.1"):
        route = route_to("wss://relay.example.com", allow_private=False, address=address)
        found = await check_tls(route, timeout_s=LONG_S)
        assert found is not None
        assert "no public address" in (found.error or "")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", f"wss://{ONION}"])
async def test_without_tls_and_in_overlay_networks_there_is_none_to_look_at(url: str) -> None:
    assert await check_tls(route_to(url), timeout_s=LONG_S) is None


async def test_no_socket_is_left(authority: Authority) -> None:
    process = psutil.Process()
    await look(authority.sign("left"), trusted=authority.certificate)
    before = process.num_fds()
    for _ in range(5):
        await look(authority.sign("left"), trusted=authority.certificate)
        await look(authority.sign("left"))
    await asyncio.sleep(0)
    assert process.num_fds() <= before


def made(issuer: list[tuple[x509.ObjectIdentifier, str]], *extensions: x509.ExtensionType) -> bytes:
    """A certificate as hostile as its library lets one be."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in issuer])
    builder = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        1,
        dt.datetime(1960, 1, 1, tzinfo=dt.UTC),
        dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_names_and_words_of_a_hostile_certificate_are_bounded() -> None:
    names = [x509.DNSName("x" * 60_000), x509.DNSName("a\x1b[31m\n.example"), x509.RFC822Name("a@b.example")]
    many = [x509.DNSName(f"{number}.example") for number in range(1000)]
    found = certificate_facts(
        made([(NameOID.ORGANIZATION_NAME, "O\x00\n" + "o" * 60)], x509.SubjectAlternativeName([*names, *many]))
    )
    assert found is not None
    assert found.issuer == "O? " + "o" * 60
    assert found.names[0] == "a?[31m .example"
    assert len(found.names) == MOST_VALUES
    assert len(found.issuer) <= LONGEST_WORDS
    assert found.valid_from_s == -315_619_200


def test_an_issuer_without_an_organisation_is_its_common_name_and_may_have_none() -> None:
    named = certificate_facts(made([(NameOID.COMMON_NAME, "Root"), (NameOID.COUNTRY_NAME, "US")]))
    assert named is not None
    assert named.issuer == "Root"
    nameless = certificate_facts(made([]))
    assert nameless is not None
    assert (nameless.issuer, nameless.names) == (None, ())


@given(st.binary(max_size=64), st.integers(0, 400), st.binary(max_size=8))
def test_damaged_certificates_are_read_or_not(noise: bytes, place: int, patch: bytes) -> None:
    certificate_facts(noise)
    certificate_facts(WHOLE[:place] + patch + WHOLE[place + len(patch) :])


WHOLE = made([(NameOID.COMMON_NAME, "Root")], x509.SubjectAlternativeName([x509.DNSName("relay.example")]))
