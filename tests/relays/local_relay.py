"""nostr-sdk's LocalRelay, one instance in the test's own process (its work happens on threads of its own)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nostr_sdk import LocalRelay

from deploy.demo.relay import address, build_relay


@asynccontextmanager
async def local_relay() -> AsyncIterator[str]:
    """Run an empty relay on a free loopback port; yields its URL."""
    relay: LocalRelay = build_relay()
    await relay.run()
    try:
        yield await address(relay)
    finally:
        relay.shutdown()
