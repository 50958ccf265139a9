"""`bigbrotr demo`: fills local relays (nostr-sdk's) with generated events, and archives and compares them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from bigbrotr import extras
from bigbrotr.commands.archive.digest import as_json, computed
from bigbrotr.commands.archive.migrate import migrated
from bigbrotr.commands.run.status import DEMO_PART
from bigbrotr.commands.topics.topics import created
from bigbrotr.console.display import display
from bigbrotr.console.options import Options, pass_options
from bigbrotr.demo.announcing import finding, seed, told_of
from bigbrotr.demo.comparison import STALLED_AFTER_S, Completion, Held, mismatches
from bigbrotr.demo.isolation import cleared, isolated
from bigbrotr.demo.process import DemoRelays, Offer, arguments
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import say, servers
from bigbrotr.services import FLOW, SERVING
from bigbrotr.status import archive
from bigbrotr.status.snapshot import Snapshot
from bigbrotr.supervise.bounded_log import log_to_file
from bigbrotr.supervise.running import only_one
from bigbrotr.supervise.shown_pipeline import ShownPipeline
from bigbrotr.supervise.stop_wish import StopWish, stop_on_signals
from core.archive.connection import reading
from core.archive.counts import counts
from core.settings import Settings

_TRICKLE_PER_S = 20.0  # a person sees figures move, and the machine has nearly nothing to do
_LAST_EVENTS_S = 1.5  # the sink commits twice a second; Ctrl-C guarantees an end within 15 s
_LAST_REPORT_S = 2.0  # the relays answer at once
_ONCE_LIVE_S = 3.0  # long enough for live subscriptions to be part of what is compared
_MOST_FOUND = 11  # one is a seed; of one domain, which all are of here, the registry admits 10 found ones a day
_FINDING = ("registry", "prober")  # without the seeder, whose list has relays of the network

_EPILOG = """\b
Examples:
  bigbrotr demo
  bigbrotr demo --once --events 2000 --json
  bigbrotr demo --discover
  bigbrotr demo --once --seed 7 --base-time-s 1767225600 --live-s 0
"""


@click.command(epilog=_EPILOG)
@click.option("--once", is_flag=True, help="End by itself, once everything that the relays offer is archived.")
@click.option("--events", default=2000, show_default=True, type=click.IntRange(1), help="Distinct stored events.")
@click.option("--relays", default=3, show_default=True, type=click.IntRange(1, 64), help="Local relays.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same authors and texts.")
@click.option("--base-time-s", type=int, help="Newest time of a stored event, in Unix seconds; else the present.")
@click.option("--live-s", type=click.FloatRange(0), help=f"With --once, seconds of live events; else {_ONCE_LIVE_S:g}.")
@click.option("--discover", is_flag=True, help="Name one relay only, and have the others found in the events.")
@click.option("--json", "as_document", is_flag=True, help="Write the result as one JSON object to stdout.")
@pass_options
def demo(
    options: Options,
    /,
    *,
    once: bool,
    relays: int,
    live_s: float | None,
    discover: bool,
    as_document: bool,
    **stored: int | None,
) -> None:
    """Archive generated, really signed events from local relays that are not ours, and show how they travel.

    The demo keeps its data in the part "demo" of the data directory, and begins with an empty archive each time.

    With --once it ends by itself: with exit code 0 only if the archive holds exactly the distinct valid events that its
    relays offered. Without, it goes on with new events until q or Ctrl-C. The archive is served meanwhile, as by `run`.
    Two runs with the same seed and base time and with --once --live-s 0 archive the same events.

    With --discover, each relay holds events that name the next one, besides those that are counted here, and only the
    first relay is a seed: the registry runs too, and the prober, which writes nothing to relays. With --live-s 0,
    nothing names a relay, and all are seeds.
    """
    if live_s is not None and not once:
        raise click.UsageError("--live-s goes with --once: without it, live events come until Ctrl-C")
    if discover and not 1 < relays <= _MOST_FOUND:
        raise click.UsageError(f"--discover goes with 2 to {_MOST_FOUND} relays: so many are admitted in a day")
    extras.require("demo", "the relays of the demo")
    settings = isolated(options.settings(DEMO_PART))
    for_s = _ONCE_LIVE_S if once and live_s is None else live_s
    named = discover and for_s != 0
    plan = arguments(relays=relays, named=named, trickle_per_s=_TRICKLE_PER_S, for_s=for_s, **stored)
    seeds = (1 if named else relays) if discover else 0
    with only_one(settings.data_dir):
        cleared(settings.data_dir)
        log_to_file(settings)
        with servers(settings) as filled:
            outcome = asyncio.run(_demo(filled, options.config, plan, seeds, once=once, as_document=as_document))
    if as_document:
        click.echo(json.dumps(outcome))
    if outcome["problems"]:
        raise CommandFailedError("; ".join(outcome["problems"]))


async def _demo(
    settings: Settings, config: Path | None, plan: list[str], seeds: int, *, once: bool, as_document: bool
) -> dict[str, Any]:
    """Fill relays and archive them; if any are `seeds`, registry and prober run, and are told of these first ones."""
    began_s = time.monotonic()
    relays = await DemoRelays.start(settings.data_dir / "logs", plan)
    try:
        await created(settings)
        await migrated(settings)
        if (await archive.counted(settings)).events:
            raise CommandFailedError("the database holds events already: give the demo one of its own")
        say("filling the relays")
        offer = await relays.report()
        if seeds:
            await seed(settings, offer.urls[:seeds])
        say(f"{len(offer.urls)} relays offer {offer.events:,} distinct events, {offer.pairs:,} copies")
        completion = Completion()
        async with stop_on_signals() as wish:
            with display("BigBrotr demo", wish.ask, file=sys.stderr if as_document else None) as shown:
                told = finding(settings) if seeds else told_of(settings, offer.urls)
                names = (*FLOW, *(_FINDING if seeds else ()), *SERVING)
                pipeline = ShownPipeline(told, config, shown, names=names)
                problems = await _shown(settings, pipeline, relays, wish, completion, once=once)
        outcome = await _outcome(settings, completion, began_s, problems, once=once)
        _tell(outcome)
        return outcome
    finally:
        await relays.stop()


async def _shown(
    settings: Settings,
    pipeline: ShownPipeline,
    relays: DemoRelays,
    wish: StopWish,
    completion: Completion,
    *,
    once: bool,
) -> list[str]:
    """Run the services until everything is archived, or somebody wants it to end; what went wrong, in sentences."""
    last_report = asyncio.create_task(relays.report())

    async def until(snapshot: Snapshot) -> bool:
        if last_report.done():
            completion.offer = last_report.result()
        return completion.reached(snapshot) and once

    async def before_stop() -> None:
        if completion.offer is None:
            relays.end_trickle()
            try:
                completion.offer = await asyncio.wait_for(last_report, _LAST_REPORT_S)
            except TimeoutError:
                raise CommandFailedError(
                    "the demo relays do not say what they offer, so nothing was compared"
                ) from None
            await _arrived(settings, completion.offer)

    problems = await pipeline.conduct(until, wish, before_stop)
    if once and wish.asked.is_set():
        problems.append("interrupted before everything was archived")
    if completion.stalled:
        problems.append(f"nothing more was archived for {STALLED_AFTER_S:.0f} s, with events still missing")
    return problems


async def _arrived(settings: Settings, offer: Offer) -> None:
    """Give the last events a moment to travel, so that Ctrl-C leaves a whole picture behind."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_EVENTS_S), reading(settings) as connection:
            while (await counts(connection)).pairs != offer.pairs:  # noqa: ASYNC110 - see pipeline
                await asyncio.sleep(0.1)


async def _outcome(
    settings: Settings, completion: Completion, began_s: float, problems: list[str], *, once: bool
) -> dict[str, Any]:
    """Compare the archive with what was offered; `problems` is empty only if they are the same."""
    offer = completion.offer
    assert offer is not None
    digests = await computed(settings)
    held = Held(digests.archive.digest(), await archive.counted_per_relay(settings))
    differences = mismatches(offer, held, completion.rejected)
    first_row_s = None if completion.first_row_at_s is None else round(completion.first_row_at_s - began_s, 1)
    return {
        "complete": not differences,
        "offered": {"relays": len(offer.urls), "events": offer.events, "copies": offer.pairs},
        "archived": as_json(digests),
        "rejected": completion.rejected,
        "first_row_s": first_row_s,
        "seconds": round(time.monotonic() - began_s, 1),
        "problems": problems + (differences if once else []),
    }


def _tell(outcome: dict[str, Any]) -> None:
    offered, archived = outcome["offered"], outcome["archived"]
    say(f"offered   {offered['events']:>10,} events, {offered['copies']:,} copies at {offered['relays']} relays")
    say(f"archived  {archived['events']:>10,} events, {archived['sightings']:,} sightings")
    say(f"digest    {archived['digest']}")
    if outcome["first_row_s"] is not None:
        say(f"counted from ready servers: first row after {outcome['first_row_s']} s, end after {outcome['seconds']} s")
    if outcome["complete"]:
        say("the archive holds exactly what the relays offered")
