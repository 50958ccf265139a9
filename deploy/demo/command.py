"""What the commands of the demo's relays have in common: output, signals, and options for relays."""

from __future__ import annotations

import asyncio
import signal
import sys

import click
import orjson

from schemas.relay_urls.relay_url import RelayUrlError, normalize


class RelayUrl(click.ParamType):
    """A relay's URL, spelled as connectors and topics spell it; hosts of private networks are allowed."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Spell it."""
        try:
            return normalize(value, allow_private=True).url
        except RelayUrlError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


def say(line: dict[str, object]) -> None:
    """Write a JSON line to standard output at once."""
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()


def stop_wish() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, in place of what they do otherwise."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
