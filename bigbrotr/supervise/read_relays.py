"""Which relays the services of a run are to read: these alone, or those of the registry and what is found."""

from __future__ import annotations

from collections.abc import Iterable

from bigbrotr.errors import CommandFailedError
from bigbrotr.supervise.children import relays_variable
from core.settings import Settings
from schemas.relay_urls.relay_url import RelayUrl

_MOST_BYTES = 120_000
"""Linux takes 131,072 bytes for one variable of a process (MAX_ARG_STRLEN); some 3,000 relays."""


def reading_only(settings: Settings, relays: Iterable[RelayUrl], *, allow_private: bool) -> Settings:
    """Have connectors read these relays and no others, whatever the registry says.

    Raises:
        CommandFailedError: there are too many to be handed on.
    """
    urls = [relay.spelling or relay.url for relay in relays]
    if len(relays_variable(urls)) > _MOST_BYTES:
        raise CommandFailedError(
            f"{len(urls):,} relays are too many to be named to a connector: give the list to `bigbrotr relays "
            "publish`, and run with --discover, which reads any number of them"
        )
    connector = settings.connector.model_copy(update={"only": urls, "allow_private": allow_private})
    return settings.model_copy(update={"connector": connector})


def discovering(settings: Settings, *, allow_private: bool) -> Settings:
    """Let relays that are found have private addresses, and probe them there, if wanted; else as the settings say."""
    if not allow_private:
        return settings
    allowed = {"allow_private": True}
    return settings.model_copy(
        update={
            "discovery": settings.discovery.model_copy(update=allowed),
            "prober": settings.prober.model_copy(update=allowed),
        }
    )
