"""All endpoints."""

from __future__ import annotations

from typing import Any

from api.rest.endpoint import Endpoint
from api.rest.endpoints import addresses, author, events, one_event, references, sightings
from api.rest.endpoints.relays import coverage, documents, history, listing, one, probes

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    *events.ENDPOINTS,
    *one_event.ENDPOINTS,
    *sightings.ENDPOINTS,
    *references.ENDPOINTS,
    *addresses.ENDPOINTS,
    *author.ENDPOINTS,
    *listing.ENDPOINTS,
    *one.ENDPOINTS,
    *history.ENDPOINTS,
    *probes.ENDPOINTS,
    *documents.ENDPOINTS,
    *coverage.ENDPOINTS,
)
