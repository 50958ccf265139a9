"""Where real databases in MMDB format place an address, and what is made of odd and broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings.errors import SettingsError
from producers.prober.checks.geohash import encode, geohash
from producers.prober.checks.place import open_places
from schemas.records.probe import LONGEST_WORDS, GeoCheck, NetCheck
from tests.unit.producers.prober.mmdb import write_mmdb

PLACE = {
    "country": {"iso_code": "it", "names": {"en": "Italy"}},
    "city": {"names": {"en": "Pisa", "de": "Pisa am Arno"}},
    "location": {"latitude": 43.7, "longitude": 10.4, "accuracy_radius": 20, "time_zone": "Europe/Rome"},
}
latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


def geo(tmp_path: Path, value: Any, address: str = "9.9.9.9") -> GeoCheck:
    city = write_mmdb(tmp_path / "city.mmdb", {"9.9.9.0/24": value})
    with open_places(city, None) as places:
        assert places is not None
        assert places.net(address) is None
        found = places.geo(address)
    assert found is not None
    found.encode()
    return found


def test_an_address_is_placed_no_finer_than_the_database_knows(tmp_path: Path) -> None:
    assert geo(tmp_path, PLACE) == GeoCheck(
        ok=True, country="IT", city="Pisa", latitude=43.7, longitude=10.4, geohash="spz", timezone="Europe/Rome"
    )


def test_an_address_belongs_to_a_network(tmp_path: Path) -> None:
    known = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example\x00 " + "e" * 300}
    asn = write_mmdb(tmp_path / "asn.mmdb", {"9.9.9.0/24": known, "2001:db8::/32": {"autonomous_system_number": 1}})
    with open_places(None, asn) as places:
        assert places is not None
        assert places.geo("9.9.9.9") is None
        found = places.net("9.9.9.9")
        assert found == NetCheck(ok=True, asn=64500, organization=f"Example? {'e' * 300}"[:LONGEST_WORDS])
        assert places.net("2001:db8::1") == NetCheck(ok=True, asn=1)
        assert places.net("8.8.8.8") == NetCheck(ok=False, error="the database has nothing of 8.8.8.8")


@pytest.mark.parametrize("address", ["8.8.8.8", "::1", "2001:db8::1"])
def test_an_address_that_is_nowhere_is_said(tmp_path: Path, address: str) -> None:
    found = geo(tmp_path, PLACE, address)
    assert found == GeoCheck(ok=False, error=f"the database has nothing of {address}")


@pytest.mark.parametrize("address", ["", "nowhere", "9.9.9.9.9", "x" * 1000])
def test_what_is_no_address_is_said(tmp_path: Path, address: str) -> None:
    found = geo(tmp_path, PLACE, address)
    assert not found.ok
    assert found.error


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"country": "IT", "city": ["Pisa"], "location": 1},
        {
            "country": {"iso_code": "ITALY"},
            "city": {"names": {"en": 1}},
            "location": {"latitude": True, "longitude": 10.4},
        },
        {"location": {"latitude": 43.7}},
        {"location": {"latitude": 91, "longitude": 10}},
        {"location": {"latitude": "43.7", "longitude": "10.4"}},
        {"location": {"latitude": float("nan"), "longitude": float("inf"), "accuracy_radius": 5}},
    ],
)
def test_what_a_database_does_not_say_in_its_way_is_not_known(tmp_path: Path, value: Any) -> None:
    assert geo(tmp_path, value) == GeoCheck(ok=True)


@pytest.mark.parametrize("radius", [{}, {"accuracy_radius": 20_000}, {"accuracy_radius": "20"}])
def test_without_a_usable_radius_there_is_no_geohash(tmp_path: Path, radius: dict[str, Any]) -> None:
    found = geo(tmp_path, {"location": {"latitude": 43.7, "longitude": 10.4} | radius})
    assert found == GeoCheck(ok=True, latitude=43.7, longitude=10.4)


def test_a_damaged_database_fails_its_check_alone(tmp_path: Path) -> None:
    path = write_mmdb(tmp_path / "city.mmdb", {"9.9.9.0/24": PLACE})
    whole = path.read_bytes()
    at = whole.index(b"country") - 2
    path.write_bytes(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :])
    with open_places(path, None) as places:
        assert places is not None
        found = places.geo("9.9.9.9")
    assert found is not None
    assert not found.ok
    assert found.error


def test_no_database_is_no_check() -> None:
    with open_places(None, None) as places:
        assert places is None


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"\xab\xcd\xefMaxMind.com"])
def test_a_file_that_is_no_database_is_an_error_of_the_settings(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.mmdb"
    if content is not None:
        path.write_bytes(content)
    for city, asn, name in ((path, None, "city_database"), (None, path, "asn_database")):
        match = rf"prober\.{name} \(BIGBROTR_PROBER__{name.upper()}\)"
        with pytest.raises(SettingsError, match=match), open_places(city, asn):
            pass


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((57.64911, 10.40744), "u4pruydqq"),  # the example of geohash.org
        ((42.605, -5.603), "ezs42"),
        ((0.0, 0.0), "s00000000"),
        ((90.0, 180.0), "zzzzzzzzz"),
        ((-90.0, -180.0), "000000000"),
    ],
)
def test_geohashes_are_those_of_others(place: tuple[float, float], expected: str) -> None:
    for length in range(1, len(expected) + 1):
        assert encode(*place, length) == expected[:length]


@pytest.mark.parametrize(
    ("radius_km", "length"),
    [(1, 5), (5, 4), (9, 4), (20, 3), (50, 3), (100, 2), (500, 1), (1000, 1), (0.001, 9), (0, 9)],
)
def test_the_cell_is_no_finer_than_the_radius(radius_km: float, length: int) -> None:
    assert geohash(0.0, 10.0, radius_km) == encode(0.0, 10.0, length)


@given(latitudes, longitudes, st.floats(0.1, 5000))
def test_a_place_anywhere_has_a_geohash_that_shortens_as_the_radius_grows(
    latitude: float, longitude: float, radius_km: float
) -> None:
    finer, coarser = geohash(latitude, longitude, radius_km), geohash(latitude, longitude, radius_km * 2)
    assert coarser is None or (finer is not None and finer.startswith(coarser))
