"""Which seeds are published, and the list that is part of the program."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import Settings, SettingsError
from producers.operator.listed_relays import RelayList
from producers.operator.relay_commands import adding, compared, listing
from producers.operator.relay_lists import RelayListError, parse_relay_text
from producers.seeding.seed_list import read_seed_list
from producers.seeding.service import SeederService
from schemas.records.relay_command import RelayCommand
from schemas.relay_urls.relay_url import RelayUrl, normalize

HOSTS = [f"wss://relay-{number}.example" for number in range(6)]
LISTS = st.lists(st.sampled_from(HOSTS), unique=True).map(lambda urls: [normalize(url) for url in urls])


def seeded(recorded: dict[bytes, RelayCommand], relays: list[RelayUrl], at_ms: int) -> list[str]:
    """Publish a list as the topic keeps it; the URLs that were published."""
    _, new = compared(adding(relays, source="seed", now_ms=at_ms), recorded, listing)
    recorded |= {seed.key(): seed for seed in new}
    return [seed.target for seed in new]


@given(st.lists(LISTS, max_size=5))
def test_each_seed_is_published_once_however_lists_change(lists: list[list[RelayUrl]]) -> None:
    recorded: dict[bytes, RelayCommand] = {}
    known: set[str] = set()
    for at_ms, relays in enumerate(lists):
        urls = {url.url for url in relays}
        assert set(seeded(recorded, relays, at_ms)) == urls - known
        known |= urls
    assert len(recorded) == len(known), "what has left the list stays"


def test_one_that_is_spelled_otherwise_is_published_again() -> None:
    recorded: dict[bytes, RelayCommand] = {}
    assert seeded(recorded, [normalize("wss://a.example/x")], 1) == ["wss://a.example/x"]
    assert seeded(recorded, [normalize("wss://a.example//x")], 2) == ["wss://a.example/x"]
    assert seeded(recorded, [normalize("wss://a.example//x")], 3) == []


async def test_the_list_of_the_program_has_public_relays_only() -> None:
    found = await read_seed_list(Settings())
    assert 20 <= len(found.relays) <= 40
    assert (found.refused, found.duplicates) == ([], 0)
    assert {url.scheme for url in found.relays.values()} == {"wss"}
    assert len({url.host for url in found.relays.values()}) == len(found.relays)


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_private_relay_needs_the_setting_that_its_refusal_names(tmp_path: Path, allowed: bool) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("ws://127.0.0.1:7777\nwss://a.example\n")
    found = await read_seed_list(Settings.model_validate({"seeder": {"list": str(path), "allow_private": allowed}}))
    assert (len(found.relays), len(found.refused)) == (1 + allowed, 1 - allowed)
    remedy = "the setting seeder.allow_private (BIGBROTR_SEEDER__ALLOW_PRIVATE) lets it through"
    assert all(refused.place == f"{path}:1" and remedy in refused.reason for refused in found.refused)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("http://lists.example.com/relays.txt", "scheme: must be https"),
        ("ftp://lists.example.com/relays.txt", "scheme: must be https"),
        ("https://169.254.169.254/latest/meta-data", "link-local"),
        ("https://10.0.0.1/list", "host: is not a public address"),
    ],
)
def test_a_list_that_is_not_fetched_from_there_stops_the_service_with_the_key(place: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        SeederService(Settings.model_validate({"seeder": {"list": place}}))
    assert str(caught.value).startswith("seeder.list (BIGBROTR_SEEDER__LIST), ")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=12) | st.sampled_from(HOSTS),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["relays", "url", "relay", "name"]), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_list_of_relays_or_is_refused_with_places(value: object) -> None:
    found = RelayList()
    with suppress(RelayListError):
        parse_relay_text(json.dumps(value), "list", into=found)
    assert all(refused.place.startswith("list:") for refused in found.refused)
    assert set(found.relays) <= set(HOSTS)
