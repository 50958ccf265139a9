"""Uvicorn's configuration, with the places of the server's connections."""

from __future__ import annotations

import logging
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from api.connections.places import Places

logger = logging.getLogger(__name__)
logger.setLevel(logging.ERROR)
"""Uvicorn warns about each bad request, and informs about each websocket: a client could fill the disk."""


class PlacesConfig(uvicorn.Config):
    """The configuration of a server whose connections have places."""

    def __init__(self, app: ASGIApp, places: Places, **options: Any) -> None:
        super().__init__(app, **options)
        self.places = places


def places_of(config: uvicorn.Config) -> Places:
    """The places of the server that a connection belongs to; uvicorn hands its configuration to each."""
    assert isinstance(config, PlacesConfig)
    return config.places
