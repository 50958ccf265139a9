"""The served OpenAPI document is valid, and the API keeps to it for whatever schemathesis makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import asyncpg
import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.broker.api.known_relays import SEEN, fill_relays
from tests.broker.api.rest.served import served
from tests.broker.sinks.archived import difficult, some_events

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers

pytestmark = [
    pytest.mark.broker,
    # The service, in another thread of the same process, does so when it connects to Kafka again.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies"),
]

Operation = APIOperation[Any, Any, Any, Any]
EVENTS = [*some_events(50), *difficult()]
PROFILE = next(event for event in EVENTS if event.kind == 0)
KNOWN = {"id": PROFILE.id, "pubkey": PROFILE.pubkey, "address": f"0:{PROFILE.pubkey}:", "url": quote(SEEN, safe="")}
EXAMPLES = 160
"""Requests, shared among the operations and the two modes: their making takes most of the time."""


async def test_every_answer_is_as_the_document_says(servers: Servers, tmp_path: Path) -> None:
    async with served(servers, "api_document", EVENTS, tmp_path, {"requests_per_minute": 600_000}) as (url, settings):
        assert settings.postgres.dsn is not None
        connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
        await fill_relays(connection)
        await connection.close()
        await asyncio.to_thread(_fuzz, url)


def _fuzz(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    schema.validate()
    operations = list(_operations(schema))
    assert operations
    with requests.Session() as session:
        for operation in operations:
            _ask_for_known(operation, session)
            for mode in GenerationMode:
                _fuzz_operation(operation, mode, session, EXAMPLES // (2 * len(operations)))


def _operations(schema: Any) -> Iterator[Operation]:
    for found in schema.get_all_operations():
        yield found.ok()


def _ask_for_known(operation: Operation, session: requests.Session) -> None:
    """What is random is hardly ever in the archive: its answer would stay unseen."""
    named = {each.name: KNOWN[each.name] for each in operation.path_parameters}
    if operation.method == "post":
        case = operation.Case(path_parameters=named, body={"kinds": [1]}, media_type="application/json")
    else:
        case = operation.Case(path_parameters=named)
    answer = case.call_and_validate(session=session)
    assert answer.status_code == HTTPStatus.OK, (operation.label, answer.text)


def _fuzz_operation(operation: Operation, mode: GenerationMode, session: requests.Session, examples: int) -> None:
    # Valid data may be refused: no schema can say that a cursor is ours, or that a checksum is right.
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Case[Any]) -> None:
        case.call_and_validate(session=session, excluded_checks=[positive_data_acceptance])

    try:
        each()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "any text is valid data of a path"
