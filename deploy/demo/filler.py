"""Fill relays that run elsewhere, each in a process or container of its own, as `make demo` fills those of its own.

    python -m deploy.demo.filler --url ws://relay-1:7777 --url ws://relay-2:7777 --copies 1.5 --trickle-per-s 2

Which relay holds what follows from seed, base time and the order of the URLs. A relay that does not listen yet is
waited for, one that goes away is asked again, and only what a relay said OK to is counted. Standard output gets the two
JSON lines of `deploy.demo.relays`: when the stored events are there, and at the end. That comes with SIGTERM,
SIGINT or the end of `--for-s`, and has exit code 0.

A filler that is killed and started again with the same seed and base time ends with the same counts of stored events,
since relays say OK to what they have already. Of the trickle it knows only what it has published itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import click

from core.tasks import run_until_first
from deploy.demo.command import RelayUrl, say, stop_wish
from deploy.demo.events import stored
from deploy.demo.filling import filling
from deploy.demo.plan import Plan, plan_options
from deploy.demo.scene import Signed


async def fill(urls: Sequence[str], plan: Plan) -> None:
    """Fill relays as planned until a signal comes or the planned time is over."""
    stop = stop_wish()

    def made() -> list[Signed]:
        # One process: in a container the cores that are seen are not the cores, and the memory, that may be used.
        events = stored(plan.events, seed=plan.seed, base_time_s=plan.base_time_s, span_s=plan.span_s)
        return list(takewhile(lambda _: not stop.is_set(), events))

    events = await asyncio.to_thread(made)
    async with filling(urls, plan) as filled:
        if not stop.is_set():
            filled.deal(events)
            del events
            await run_until_first(filled.settled(), stop.wait())
        if not stop.is_set():
            say({"ready": True, **filled.offer.report()})
        await filled.trickle(stop)
        if plan.for_s is None:  # do not exit when the relays are full: a restart would begin again
            await stop.wait()
        await filled.last_answers()
        say({"ended": True, **filled.offer.report()})


@click.command()
@click.option("--url", "urls", multiple=True, required=True, type=RelayUrl(), help="A relay; give it several times.")
@plan_options
def main(*, urls: tuple[str, ...], **options: Any) -> None:
    """Fill relays that run elsewhere.

    Example: python -m deploy.demo.filler --url ws://127.0.0.1:7777 --copies 1 --events 500
    """
    if len(set(urls)) < len(urls):
        raise click.BadParameter("the same relay is named twice", param_hint="--url")
    asyncio.run(fill(urls, Plan(relays=len(urls), **options)))


if __name__ == "__main__":
    main()
