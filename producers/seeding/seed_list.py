"""Reads the list of seeds: a file, a document over HTTPS, or the list that is part of the program."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from core.settings import Settings
from core.settings.errors import key_and_variable
from producers.fetching.client import open_client
from producers.operator.listed_relays import RelayList
from producers.operator.relay_lists import parse_relay_bytes, read_relay_file

_PRIVATE = f"the setting {key_and_variable(['seeder', 'allow_private'])}"


async def read_seed_list(settings: Settings) -> RelayList:
    """Read the list that the settings name.

    Raises:
        FetchError: it cannot be fetched now.
        OSError: the file cannot be read.
        RelayListError: it is no list of relays.
    """
    found = RelayList(private_option=_PRIVATE)
    private, place = settings.seeder.allow_private, settings.seeder.list
    if place is None:
        shipped = files("deploy").joinpath("seed_relays.txt")
        parse_relay_bytes(shipped.read_bytes(), shipped.name, allow_private=private, into=found)
    elif "://" in place:
        async with open_client(settings.connector.nameservers, allow_private=private) as client:
            body = (await client.get(place)).body
        parse_relay_bytes(body, "the document of seeder.list", allow_private=private, into=found)
    else:
        read_relay_file(Path(place), allow_private=private, into=found)
    return found
