"""One relay of the demo, empty, in a process of its own: nostr-sdk's LocalRelay on a given address.

    python -m deploy.demo.relay --host 0.0.0.0 --port 7777 --url ws://relay-1:7777

It serves until SIGTERM or SIGINT, then ends with exit code 0. It keeps events in memory alone, so a relay that is
started again is empty. Standard output gets one JSON line once it listens.

LocalRelay answers whatever name a client calls it by, but believes an authentication (NIP-42) only if that names the
address which it was given: behind `0.0.0.0` it is `ws://0.0.0.0:7777` to itself (see `demo_publisher`).
"""

from __future__ import annotations

import asyncio
import ipaddress

import click
from nostr_sdk import LocalRelay, LocalRelayBuilder, NostrSdkError, RateLimit

from deploy.demo.command import RelayUrl, say, stop_wish
from schemas.relay_urls.relay_url import normalize

PAGE_LIMIT = 500  # what strfry, the most common relay, gives per request
NO_LIMIT = 1_000_000  # LocalRelay wants numbers: more than anybody here will send


def build_relay(host: str = "127.0.0.1", port: int = 0) -> LocalRelay:
    """Return an empty relay with every limit raised that a busy client could meet; port 0 is a free one."""
    builder = LocalRelayBuilder().addr(host)
    if port:
        builder = builder.port(port)
    builder = builder.auth_dm(enable=False).max_filter_limit(PAGE_LIMIT)
    return builder.rate_limit(RateLimit(max_reqs=NO_LIMIT, notes_per_minute=NO_LIMIT)).build()


async def address(relay: LocalRelay) -> str:
    """Where a running relay listens, spelled as on every topic."""
    return normalize(str(await relay.url()), allow_private=True).url


def _address(_context: object, _parameter: object, value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an IP address: LocalRelay resolves no names") from None


async def serve(host: str, port: int, url: str | None) -> None:
    """Run a relay until a signal comes."""
    stop = stop_wish()
    relay = build_relay(host, port)
    try:
        await relay.run()
    except NostrSdkError as error:
        raise click.ClickException(f"cannot listen on {host}, port {port}: {error}; choose another --port") from error
    here = await address(relay)
    say({"listening": here, "url": url or here})
    await stop.wait()
    relay.shutdown()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, callback=_address, help="IP address to listen on.")
@click.option("--port", default=7777, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option("--url", default=None, type=RelayUrl(), help="What connectors call it, for the line that tells.")
def main(*, host: str, port: int, url: str | None) -> None:
    """Run one empty relay.

    Example: python -m deploy.demo.relay --port 7777
    """
    asyncio.run(serve(host, port, url))


if __name__ == "__main__":
    main()
