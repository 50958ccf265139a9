"""A page of relays reads what it gives, in every order, however many relays there are."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

import pytest

from core.archive.queries.relays.listing import RelayChoice, RelaySort, list_relays
from tests.broker.core.queries.explained import cost
from tests.broker.sinks.archived import archive

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = pytest.mark.broker

RELAYS = 5000
LIMIT = 20
MOST_PAGES = 8 * LIMIT
"""Of the database: for each relay a row of the registry and one of health, by two indexes of two or three levels. All
relays together have more than twice as many."""

_REGISTRY = """
INSERT INTO registry (url, spelling, network, state, lane, allowed, allow_private, sources, first_seen_ms, authors,
    places, history, updated_at_ms)
SELECT 'wss://relay' || number || '.example.com', '', 'clearnet', 'confirmed', 'regular', true, false, '{event}',
    number * 1000, 1, '{}', '[]', 1
FROM generate_series(1, $1::integer) AS number
"""
_HEALTH = """
INSERT INTO relay_health (url, network, state, since_ms, failures, document, checks, observed, advertised, learnt,
    honesty, hours, claims, judged_at_ms)
SELECT url, network, 'online', first_seen_ms, 0, 'document ' || first_seen_ms / 1000 % 100,
    jsonb_build_object('open', jsonb_build_object('ok', true, 'took_ms', first_seen_ms % 1777)), '{}', '{}', '{}', '{}',
    (SELECT jsonb_agg(jsonb_build_object('hour', hour, 'up_s', first_seen_ms % 3600, 'down_s', 60, 'probes', 1))
        FROM generate_series(1, 25) AS hour), '[]', 1
FROM registry
"""
_DOCUMENTS = """
INSERT INTO relay_documents (hash, text, members, first_seen_ms)
SELECT 'document ' || number, '', jsonb_build_object('name', number, 'supported_nips', jsonb_build_array(1, number)), 1
FROM generate_series(0, 99) AS number
"""


async def test_a_page_of_relays_reads_few_pages_of_the_database(servers: Servers) -> None:
    async with archive(servers, "relay_lists") as pool, pool.acquire() as connection:
        await connection.fetch(_REGISTRY, RELAYS)
        await connection.execute(_HEALTH)
        await connection.execute(_DOCUMENTS)
        await connection.execute("VACUUM ANALYZE registry, relay_health, relay_documents")
        for sort in RelaySort:
            _, middle = await list_relays(connection, RelayChoice(), sort, limit=RELAYS // 2)
            assert middle is not None
            for above, choice in itertools.product((None, middle), (RelayChoice(), RelayChoice(health="online"))):
                read = partial(list_relays, choice=choice, sort=sort, limit=LIMIT, above=above)
                assert len((await read(connection))[0]) == LIMIT
                spent = await cost(connection, read)
                assert spent.statements == 1
                assert spent.buffers <= MOST_PAGES, (sort, above, choice)
