"""What an audit finds in a row of the registry."""

from __future__ import annotations

import pytest

from schemas.relay_urls.relay_url import normalize
from sinks.integrity.audit_registry import audit_relay


@pytest.mark.parametrize(
    ("spelling", "network"),
    [
        ("WSS://Relay.Example:443/Path", "clearnet"),
        ("ws://127.0.0.1:7000", "clearnet"),
        (f"ws://{'a' * 56}.onion", "tor"),
    ],
)
def test_a_row_as_the_registry_makes_it_is_right(spelling: str, network: str) -> None:
    made = normalize(spelling, allow_private=True)
    assert made.network.value == network
    assert list(audit_relay("registry", made.url, spelling, network)) == []


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (("WSS://a.example", "WSS://a.example", "clearnet"), ["url"]),
        (("no relay", "wss://a.example", "tor"), ["url"]),
        (("wss://a.example", "wss://b.example", "clearnet"), ["spelling"]),
        (("wss://a.example", "", "loki"), ["spelling", "network"]),
        (("wss://a.example", "wss://a.example", "tor"), ["network"]),
    ],
)
def test_what_was_altered_is_named(row: tuple[str, str, str], columns: list[str]) -> None:
    found = list(audit_relay("registry", *row))
    assert [(each.url, each.column) for each in found] == [(row[0], column) for column in columns]
