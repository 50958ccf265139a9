"""A configured filter is one of NIP-01, or the start ends with a sentence that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings, SettingsError
from producers.filters import configured_filters
from schemas.nostr.filters import Filter


def settings(*filters: dict[str, object]) -> Settings:
    return Settings(data_dir=Path("unused"), connector={"filters": list(filters)})


def test_a_filter_is_taken_as_nip_01_writes_it() -> None:
    assert configured_filters(settings({}, {"kinds": [0, 3], "#t": ["nostr"]})) == [
        Filter(),
        Filter(kinds=(0, 3), tags={"t": ("nostr",)}),
    ]


@pytest.mark.parametrize(
    "wire",
    [
        {"since": 5},
        {"limit": 5},
        {"search": "x"},
        {"kinds": []},
        {"kinds": 5},
        {"#tt": ["x"]},
        {"#t": [5]},
        {"authors": ["abcd"]},
        {"ids": ["AB" * 32]},
    ],
)
def test_anything_else_is_named(wire: dict[str, object]) -> None:
    (name,) = wire
    with pytest.raises(SettingsError, match=rf"connector\.filters\[1\].*{name}"):
        configured_filters(settings({}, wire))
