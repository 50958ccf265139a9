"""A configured filter is one of NIP-01, or the start ends with a sentence that names the key."""

from __future__ import annotations

import pytest

from core.settings import SettingsError
from producers.relays.service import filter_from_wire
from schemas.filters import Filter


def test_a_filter_is_taken_as_nip_01_writes_it() -> None:
    assert filter_from_wire({}) == Filter()
    assert filter_from_wire({"kinds": [0, 3], "#t": ["nostr"]}) == Filter(kinds=(0, 3), tags={"t": ("nostr",)})


@pytest.mark.parametrize(
    "wire", [{"since": 5}, {"limit": 5}, {"search": "x"}, {"kinds": []}, {"kinds": 5}, {"#tt": ["x"]}]
)
def test_anything_else_is_named(wire: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"connector\.filters"):
        filter_from_wire(wire)
