"""What every part of the API works with."""

from __future__ import annotations

from dataclasses import dataclass

from api.clients import ClientAddresses
from api.rates import Rates
from api.reader import ArchiveReader
from core.archive.queries.view import View
from core.settings import Settings


@dataclass(frozen=True)
class Context:
    """What every part of the API works with.

    Attributes:
        settings: of the process.
        reader: of the archive.
        view: what is seen without login.
        addresses: tell who a request is from.
        rates: how many requests each client may still make.
    """

    settings: Settings
    reader: ArchiveReader
    view: View
    addresses: ClientAddresses
    rates: Rates
