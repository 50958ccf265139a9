"""The filters that the connectors are set to read."""

from __future__ import annotations

from core.settings import Settings, SettingsError
from schemas.nostr.filter_wire import filter_from_wire
from schemas.nostr.filters import Filter

_FIELDS = frozenset({"ids", "authors", "kinds"})


def configured_filters(settings: Settings) -> list[Filter]:
    """The filters of `connector.filters`.

    Raises:
        SettingsError: one has a field that cannot stand in it, or a wrong value. Times and limits are the connector's
            own business.
    """
    found = []
    for place, wire in enumerate(settings.connector.filters):
        where = f"connector.filters[{place}] (BIGBROTR_CONNECTOR__FILTERS)"
        if extra := sorted(name for name in wire.keys() - _FIELDS if not name.startswith("#")):
            raise SettingsError(
                f"{where}: {', '.join(extra)} cannot stand in it; give ids, authors, kinds or tags such as #t"
            )
        try:
            found.append(filter_from_wire(wire))
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from error
    return found
