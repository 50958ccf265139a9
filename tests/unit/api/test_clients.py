"""Who is charged for a request, behind proxies and without."""

from __future__ import annotations

import pytest

from api.clients import ClientAddresses

PROXIES = ["10.0.0.0/8", "2001:db8:ff::/48"]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a stranger says so
        ("10.1.2.3", "198.51.100.7", "198.51.100.7"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # what stands left of it the client may have sent
        ("10.1.2.3", "198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("10.1.2.3", " 198.51.100.7 ,10.9.9.9 ", "198.51.100.7"),
        ("10.1.2.3", "198.51.100.7:4711", "198.51.100.7"),
        ("10.1.2.3", "[2001:db8::1]:4711", "2001:db8::/64"),
        ("10.1.2.3", "[2001:db8::1]", "2001:db8::/64"),
        ("10.1.2.3", "unknown", "10.1.2.3"),
        ("10.1.2.3", "198.51.100.7, unknown", "10.1.2.3"),
        ("10.1.2.3", ",,,", "10.1.2.3"),
        ("10.1.2.3", "10.0.0.1, " * 5000 + "10.0.0.2", "10.0.0.1"),
        ("2001:db8:ff::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "", "192.0.2.1"),
        ("::ffff:10.1.2.3", "198.51.100.7", "198.51.100.7"),
        ("::1", "", "::/64"),
        ("fe80::1%eth0", "", "fe80::/64"),
        ("", "198.51.100.7", "unknown"),
    ],
)
def test_client(peer: str, forwarded_for: str, client: str) -> None:
    assert ClientAddresses(PROXIES).client(peer, forwarded_for) == client


def test_without_trusted_proxies_each_connection_is_its_own_client() -> None:
    assert ClientAddresses([]).client("127.0.0.1", "198.51.100.7") == "127.0.0.1"


@pytest.mark.parametrize(("name", "is_trusted"), [("10.1.2.3", True), ("192.0.2.1", False), ("", False), ("x", False)])
def test_is_trusted(name: str, is_trusted: bool) -> None:
    assert ClientAddresses(PROXIES).is_trusted(name) is is_trusted
