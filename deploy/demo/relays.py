"""Relays for demo, tests and benchmarks, in a process of their own: several of nostr-sdk's LocalRelay, filled.

    python -m deploy.demo.relays --relays 3 --events 2000 --copies 2.4 --trickle-per-s 20

The relays are not ours, and they are filled by EVENT messages, so they have checked every signature themselves.
Standard output gets one JSON line when the stored events are there (`"ready": true`) and one when the trickle has ended
(`"ended": true`), both as `deploy.demo.offer` counts them. A line on standard input ends the trickle; its end
ends the process, so that relays never outlive who started them. With relays that run elsewhere the same is done by
`deploy.demo.relay` and `deploy.demo.filler`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import click

from core.parent import ParentPipe
from deploy.demo.command import say
from deploy.demo.events import generate
from deploy.demo.filling import filling
from deploy.demo.naming import naming
from deploy.demo.plan import Plan, plan_options
from deploy.demo.relay import address, build_relay


async def serve(plan: Plan, *, named: bool) -> None:
    """Run relays on free loopback ports, as planned, until the starter closes standard input or is gone.

    If `named`, each relay holds events beyond the plan that name the next.
    """
    parent = ParentPipe()
    events = await asyncio.to_thread(
        generate, plan.events, seed=plan.seed, base_time_s=plan.base_time_s, span_s=plan.span_s
    )
    relays = [build_relay() for _ in range(plan.relays)]
    for relay in relays:
        await relay.run()
    urls = [await address(relay) for relay in relays]
    async with filling(urls, plan) as filled:
        filled.deal(events)
        if named:
            hands = naming(urls, seed=plan.seed, created_at=plan.base_time_s)
            for door, hand in zip(filled.doors, hands, strict=True):
                door.hand(hand)
        del events
        await filled.settled()
        say({"ready": True, **filled.offer.report()})
        if plan.trickle_per_s > 0:
            await filled.trickle(parent.line)
        else:
            await parent.line.wait()
        await filled.settled()
        say({"ended": True, **filled.offer.report()})
        await parent.closed.wait()


@click.command()
@click.option("--relays", default=3, show_default=True, type=click.IntRange(1), help="How many relays.")
@click.option("--named", is_flag=True, help="Give each relay events that name the next, beyond those planned.")
@plan_options
def main(*, named: bool, **options: Any) -> None:
    """Run filled relays on this machine.

    Example: python -m deploy.demo.relays --relays 4 --events 100000 < /dev/tty
    """
    plan = Plan(**options)
    if not sys.stdin.isatty():  # Ctrl-C goes to the starter too, which drains before it closes our input
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(plan, named=named))


if __name__ == "__main__":
    main()
