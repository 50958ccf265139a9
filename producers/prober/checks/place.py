"""The checks `geo` and `net`: where databases on this machine place the address that was connected to.

They are files in MaxMind's format (MMDB) with the members of GeoLite2-City and GeoLite2-ASN, which others have too.
No service is asked, so none learns which relays are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import maxminddb

from core.settings.errors import SettingsError, key_and_variable
from core.waiting import brief
from producers.prober.checks.geohash import geohash
from producers.prober.checks.words import words
from schemas.records.probe import GeoCheck, NetCheck

_COUNTRY_LENGTH = 2
_LANGUAGE = "en"
_Found = Mapping[str, Any]


class Places:
    """Looks addresses up in the databases that there are; one look-up takes microseconds."""

    def __init__(self, city: maxminddb.Reader | None, asn: maxminddb.Reader | None) -> None:
        """Look up in these; None: no such check."""
        self._city = city
        self._asn = asn

    def geo(self, address: str) -> GeoCheck | None:
        """Place an address; None without a database."""
        if self._city is None:
            return None
        found = _look_up(self._city, address)
        if isinstance(found, str):
            return GeoCheck(ok=False, error=found)
        location = _member(found, "location")
        latitude, longitude = _number(location, "latitude", 90), _number(location, "longitude", 180)
        # Without a radius nothing says how exact the place is.
        radius_km = _number(location, "accuracy_radius", 40_000)
        country = _text(_member(found, "country"), "iso_code")
        is_placed = latitude is not None and longitude is not None
        return GeoCheck(
            ok=True,
            country=country.upper() if country is not None and len(country) == _COUNTRY_LENGTH else None,
            city=_text(_member(_member(found, "city"), "names"), _LANGUAGE),
            latitude=latitude if is_placed else None,
            longitude=longitude if is_placed else None,
            geohash=None
            if latitude is None or longitude is None or radius_km is None
            else geohash(latitude, longitude, radius_km),
            timezone=_text(location, "time_zone"),
        )

    def net(self, address: str) -> NetCheck | None:
        """Name the network of an address; None without a database."""
        if self._asn is None:
            return None
        found = _look_up(self._asn, address)
        if isinstance(found, str):
            return NetCheck(ok=False, error=found)
        number = found.get("autonomous_system_number")
        return NetCheck(
            ok=True,
            asn=number if type(number) is int and number >= 0 else None,
            organization=_text(found, "autonomous_system_organization"),
        )


@contextmanager
def open_places(city: Path | None, asn: Path | None) -> Iterator[Places | None]:
    """Open the databases of the settings; None where there is none.

    Raises:
        SettingsError: a file is not there, or no MMDB.
    """
    with ExitStack() as opened:
        readers = [_open(opened, city, "city_database"), _open(opened, asn, "asn_database")]
        yield Places(*readers) if any(readers) else None


def _open(opened: ExitStack, path: Path | None, setting: str) -> maxminddb.Reader | None:
    if path is None:
        return None
    try:
        return opened.enter_context(maxminddb.open_database(path, maxminddb.MODE_MMAP))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        name = key_and_variable(["prober", setting])
        raise SettingsError(f"{name}: {brief(error)}; give a file in MMDB format, or none") from error


def _look_up(database: maxminddb.Reader, address: str) -> _Found | str:
    """What a database has of an address, or why it has nothing."""
    try:
        found = database.get(address)
    except (ValueError, maxminddb.InvalidDatabaseError) as error:
        return words(brief(error))
    return found if isinstance(found, dict) else f"the database has nothing of {words(address)}"


def _member(found: _Found, name: str) -> _Found:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _text(found: _Found, name: str) -> str | None:
    value = found.get(name)
    return words(value) or None if isinstance(value, str) else None


def _number(found: _Found, name: str, largest: float) -> float | None:
    value = found.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not -largest <= value <= largest:
        return None
    return float(value)
