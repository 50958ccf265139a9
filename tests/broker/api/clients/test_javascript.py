"""The relay answers nostr-tools and NDK, the libraries of most web clients."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.broker.api.clients.conftest import NOTES, WRAPS, new_events
from tests.broker.api.clients.javascript import NDK, NOSTR_TOOLS, WS, Script, installed
from tests.broker.api.served import Served
from tests.broker.sinks.archived import SECRETS

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

WITH_NOSTR_TOOLS = """
import WebSocket from "ws"
import { Relay, useWebSocketImplementation } from "nostr-tools/relay"
import { SimplePool, useWebSocketImplementation as usePoolWebSocket } from "nostr-tools/pool"
import { finalizeEvent, verifyEvent } from "nostr-tools/pure"
import { fetchRelayInformation } from "nostr-tools/nip11"
useWebSocketImplementation(WebSocket)
usePoolWebSocket(WebSocket)
const [url, secret, kind] = process.argv.slice(2)
const say = (value) => console.log(JSON.stringify(value))
const key = Uint8Array.from(Buffer.from(secret, "hex"))
const document = await fetchRelayInformation(url)
const pool = new SimplePool()
const notes = await pool.querySync([url], { kinds: [1], limit: 500 })
const relay = await Relay.connect(url)
const count = await relay.count([{ kinds: [1] }], {})
const query = (filter) => new Promise((resolve) => {
  const events = []
  const sub = relay.subscribe([filter], {
    onevent: (event) => events.push(event),
    oneose: () => { resolve(events.map(({ id }) => id)); sub.close() },
    onclose: (reason) => resolve(reason),
  })
})
const refused = await query({ kinds: [1059] })
await relay.auth(async (template) => finalizeEvent(template, key))
const wraps = await query({ kinds: [1059] })
const published = await relay.publish(
  finalizeEvent({ kind: 1, created_at: 1, tags: [], content: "" }, key)
).catch((error) => String(error))
say({ nips: document.supported_nips, notes: notes.map(({ id }) => id), valid: notes.every(verifyEvent), count, refused,
  wraps, published })
relay.subscribe([{ kinds: [Number(kind)] }], { onevent: ({ id }) => say(id), oneose: () => say("EOSE") })
"""
WITH_NDK = """
import WebSocket from "ws"
globalThis.WebSocket = WebSocket
const { default: NDK, NDKPrivateKeySigner, NDKRelayAuthPolicies, fetchRelayInformation } =
  await import("@nostr-dev-kit/ndk")
const [url, secret, kind] = process.argv.slice(2)
const say = (value) => console.log(JSON.stringify(value))
const ndk = new NDK({ explicitRelayUrls: [url], signer: new NDKPrivateKeySigner(secret) })
ndk.relayAuthDefaultPolicy = NDKRelayAuthPolicies.signIn({ ndk })
await ndk.connect(5000)
const ids = (events) => [...events].map(({ id }) => id)
const notes = await ndk.fetchEvents({ kinds: [1], limit: 500 })
const wraps = await ndk.fetchEvents({ kinds: [1059] })
say({ notes: ids(notes), wraps: ids(wraps) })
const subscription = ndk.subscribe({ kinds: [Number(kind)] }, { closeOnEose: false })
subscription.on("event", ({ id }) => say(id))
subscription.on("eose", () => say("EOSE"))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(tmp_path_factory.mktemp("npm"), NOSTR_TOOLS, NDK, WS)


async def takes_new_events(script: Script, served: Served, kind: int) -> None:
    """Archive events while a script is subscribed to them."""
    assert await script.line() == "EOSE"
    new = new_events(kind)
    await served.add(*new)
    assert {await script.line() for _ in new} == {event.id for event in new}


async def run(script: Script, served: Served, kind: int) -> dict[str, object]:
    try:
        found: dict[str, object] = await script.line()
        await takes_new_events(script, served, kind)
        return found
    finally:
        with suppress(ProcessLookupError):
            await script.end()


async def test_nostr_tools(served: Served, packages: Path) -> None:
    url = served.url.replace("http", "ws")
    found = await run(
        await Script.start(packages, "nostr_tools", WITH_NOSTR_TOOLS, url, SECRETS[1].hex(), "2002"), served, 2002
    )
    nips, refused, published = found.pop("nips"), found.pop("refused"), found.pop("published")
    assert found == {
        "notes": [event.id for event in reversed(NOTES)],
        "valid": True,
        "count": len(NOTES),
        "wraps": [WRAPS[1].id],
    }
    assert isinstance(nips, list)
    assert {1, 11, 42, 45} <= set(nips)
    assert "auth-required" in str(refused)
    assert "blocked: read-only archive" in str(published)


async def test_ndk(served: Served, packages: Path) -> None:
    url = served.url.replace("http", "ws")
    found = await run(await Script.start(packages, "ndk", WITH_NDK, url, SECRETS[0].hex(), "2003"), served, 2003)
    assert isinstance(found["notes"], list)
    assert sorted(found["notes"]) == sorted(event.id for event in NOTES)
    assert found["wraps"] == [WRAPS[0].id]
