"""Names of one owner are told from names of others."""

from __future__ import annotations

import pytest

from schemas.relay_urls.registrable_domain import registrable_domain


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("relay.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("somebody.github.io", "somebody.github.io"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("x.abcdefghijklmnop.onion", "abcdefghijklmnop.onion"),
    ],
)
def test_a_host_belongs_to_a_domain(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain
