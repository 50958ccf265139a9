"""The relay answers nostr-sdk, Rust's library of the network, by its Python binding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast

import aiohttp
import pytest
from nostr_sdk import (
    Client,
    ClientBuilder,
    ClientNotification,
    Filter,
    Keys,
    Kind,
    NostrSdkError,
    PublicKey,
    RelayInformationDocument,
    RelayLimits,
    RelayUrl,
    ReqTarget,
    SignerAuthenticator,
)
from nostr_sdk.nostr_sdk import uniffi_set_event_loop

from schemas.nostr.event import Event
from tests.broker.api.clients.conftest import NOTES, WRAPS, new_events
from tests.broker.api.served import Served
from tests.broker.sinks.archived import AUTHORS, SECRETS

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

PATIENCE = timedelta(seconds=20)


@asynccontextmanager
async def connected(served: Served, secret: bytes | None = None) -> AsyncIterator[tuple[Client, RelayUrl]]:
    builder = ClientBuilder().relay_limits(RelayLimits.disable())  # it takes no event above 70,000 bytes by default
    if secret is not None:
        # Threads of the library call the authenticator.
        uniffi_set_event_loop(cast("asyncio.BaseEventLoop", asyncio.get_running_loop()))
        builder = builder.authenticator(SignerAuthenticator(Keys.parse(secret.hex())))
    client = builder.build()
    url = RelayUrl.parse(served.url.replace("http", "ws"))
    await client.add_relay(url)
    await client.connect(PATIENCE)
    try:
        yield client, url
    finally:
        await client.shutdown()
        # It is one for the whole process, and other tests have loops of their own.
        uniffi_set_event_loop(cast("asyncio.BaseEventLoop", None))


async def ids(client: Client, wanted: Filter) -> set[str]:
    return {event.id().to_hex() for event in await client.fetch_events(ReqTarget.auto([wanted]), PATIENCE)}


def ids_of(events: list[Event]) -> set[str]:
    return {event.id for event in events}


async def test_it_fetches_and_counts(served: Served) -> None:
    async with connected(served) as (client, url):
        author = PublicKey.parse(AUTHORS[0])
        assert await ids(client, Filter().author(author).kind(Kind(1)).limit(500)) == ids_of(NOTES)
        assert await ids(client, Filter().kind(Kind(1)).hashtag("topic1").limit(4)) == ids_of(NOTES[-2:-14:-3])
        (found,) = await client.fetch_events(ReqTarget.auto([Filter().kind(Kind(1)).limit(1)]), PATIENCE)
        assert found.verify()
        assert (found.content(), found.created_at().as_secs()) == (NOTES[-1].content, NOTES[-1].created_at)
        relay = await client.relay(url)
        assert relay is not None
        assert await relay.count_events(Filter().kind(Kind(1)), PATIENCE) == len(NOTES)


async def test_it_receives_new_events(served: Served) -> None:
    async with connected(served) as (client, _):
        notifications = client.notifications()
        await client.subscribe(ReqTarget.auto([Filter().kind(Kind(2001))]))
        new = new_events(2001)
        await served.add(*new)
        found: set[str] = set()
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while found != ids_of(new):
                notification = await notifications.next()
                if isinstance(notification, ClientNotification.NEW_EVENT):
                    found.add(notification.event.id().to_hex())


async def test_gift_wraps_are_for_those_who_authenticate(served: Served) -> None:
    wraps = Filter().kind(Kind(1059)).limit(10)
    async with connected(served, SECRETS[1]) as (client, _):
        assert await ids(client, wraps) == ids_of(WRAPS[1:])
    async with connected(served) as (client, url):
        relay = await client.relay(url)
        assert relay is not None
        with pytest.raises(NostrSdkError, match="auth"):
            await relay.fetch_events(wraps, timedelta(seconds=3))


async def test_it_reads_the_document(served: Served) -> None:
    async with (
        aiohttp.ClientSession(headers={"Accept": "application/nostr+json"}) as http,
        http.get(f"{served.url}/") as response,
    ):
        document = RelayInformationDocument.from_json(await response.text())
    assert document.name() == served.settings.api.name
    assert {1, 11, 42, 45} <= set(document.supported_nips() or [])
