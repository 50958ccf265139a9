"""The relays as a process, by hand or for a test.

    python -m tests.relays.odd --whole --port 18900 "cap 10" "AUTH, held"

Standard output gets one JSON line: `control`, a URL, and `relays`, the URL and number of events of each by name. At the
control URL, `/account` tells everything by relay (`/account?relay=NAME`: of one), and `/missing` what was never given:
`created_at` and the time of storing of each such event. It serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import asyncio
import logging
import os

import click
import orjson
from aiohttp import web

from core.parent import parent_pid, watch_parent
from deploy.demo.command import say, stop_wish
from tests.relays.odd.farm import farm, served
from tests.relays.odd.relay import OddRelay


def control(relays: dict[str, OddRelay]) -> web.Application:
    """Build what answers questions about the relays."""

    async def account(request: web.Request) -> web.Response:
        names = request.query.getall("relay", list(relays))
        return _json({name: relays[name].as_json() for name in names if name in relays})

    async def missing(request: web.Request) -> web.Response:
        found = {
            name: [[event.created_at, event.stored_s] for event in each.missing()] for name, each in relays.items()
        }
        return _json(found)

    app = web.Application()
    app.router.add_get("/account", account)
    app.router.add_get("/missing", missing)
    return app


async def serve(relays: dict[str, OddRelay], port: int) -> None:
    """Run relays until a signal comes."""
    stop = stop_wish()
    parent = parent_pid(os.environ)
    if parent is not None:
        # Nothing here is worth a drain.
        watch_parent(parent, lambda: os._exit(1))
    runner = web.AppRunner(control(relays), access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    async with served(relays, port):
        await web.TCPSite(runner, "127.0.0.1", port).start()
        told = {name: {"url": each.url, "events": len(list(each.store))} for name, each in relays.items()}
        host, bound = runner.addresses[0][:2]
        say({"control": f"http://{host}:{bound}", "relays": told})
        await stop.wait()
    await runner.cleanup()


@click.command()
@click.argument("names", nargs=-1)
@click.option("--whole", is_flag=True, help="With the sizes that relays were reported with.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Of every relay and the control; 0: free ones.")
@click.option("--verbose", is_flag=True, help="Log every handshake.")
def main(*, names: tuple[str, ...], whole: bool, port: int, verbose: bool) -> None:
    """Run odd relays; all of them unless named."""
    logging.basicConfig(level=logging.INFO if verbose else logging.CRITICAL)
    relays = farm(whole=whole)
    unknown = [name for name in names if name not in relays]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of: {', '.join(relays)}", param_hint="NAME")
    asyncio.run(serve({name: each for name, each in relays.items() if not names or name in names}, port))


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


if __name__ == "__main__":
    main()
