"""`bigbrotr status`: running services, lag, and contents of the archive; works also when nothing runs."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import click

from bigbrotr.console import snapshot_view
from bigbrotr.console.options import Options, pass_options
from bigbrotr.status.collect import REACHABLE, Collector
from bigbrotr.status.snapshot import Refused, ServiceState, Snapshot, TopicSize
from bigbrotr.status.stack import stack_services
from bigbrotr.supervise import running
from core.settings import Settings

DEMO_PART = "demo"  # the demo keeps its data in this part of the data directory

_EPILOG = """\b
Examples:
  bigbrotr status
  bigbrotr status --json | jq .processor_lag
"""


def attached(settings: Settings) -> Settings:
    """Fill in the embedded servers that run now; start none."""
    from deploy.embedded.stack import attach, filled_in  # noqa: PLC0415 - not needed against one's own servers

    found = attach(settings.data_dir)
    return settings if found is None else filled_in(settings, found)


def running_services(data_dir: Path) -> list[ServiceState]:
    """The services that services.json names and that are alive."""
    return [
        ServiceState(service.name, "running", pid=service.pid, port=service.port) for service in running.read(data_dir)
    ]


async def taken(settings: Settings) -> Snapshot:
    """Take one snapshot."""
    async with Collector(settings, records=True) as collector:
        return await collector.snapshot([*running_services(settings.data_dir), *await stack_services(settings)])


def as_text(snapshot: Snapshot, data_dir: Path) -> str:
    """Write a snapshot for people, line by line."""
    counts = snapshot.counts
    lines = [f"data directory  {data_dir}"]
    for name, state in snapshot.servers.items():
        note = snapshot.server_notes.get(name)
        lines.append(f"{name:<15} {state}" + (f"; {note}" if note else ""))
    if not snapshot.services:
        lines.append("services        none runs here")
    lines += [f"{one.name:<15} {_how(one)}" for one in snapshot.services]
    if snapshot.relays:
        lines.append(f"relays          {snapshot_view.relay_summary(snapshot.relays)}")
        lines += [f"  {relay.url}  {relay.state}  {relay.detail}".rstrip() for relay in snapshot.relays]
    if snapshot.not_read:
        lines.append(f"not read        {snapshot_view.by_reason(snapshot.not_read)} of the known relays")
    if snapshot.probing is not None:
        lines.append(f"probes          {snapshot_view.probe_summary(snapshot.probing)}")
    events = snapshot_view.about(counts.archived, exact=counts.archived_exact)
    sightings = snapshot_view.number(counts.sightings)
    lines.append(f"archived        {events} events, {sightings} pairs of event and relay")
    lines.append(f"lag             {snapshot_view.lags(snapshot)} records")
    lines += [f"{name:<15} {_reasons(found)}" for name, found in snapshot.refused.items()]
    lines += [f"topic           {name}: {_size(held)}" for name, held in snapshot.topics.items()]
    lines += [
        f"disk            {name.removesuffix('_bytes')} {snapshot_view.size(size)}"
        for name, size in snapshot.disk.items()
    ]
    if trouble := snapshot_view.disk_trouble(snapshot.disk):
        lines.append(f"disk            {trouble}")
    return "\n".join(lines)


def _how(service: ServiceState) -> str:
    place = f"at {service.host}:{service.port}" if service.pid is None else f"pid {service.pid}"
    return ", ".join(text for text in (place, service.problem or "ready", service.note) if text)


def _reasons(found: Refused) -> str:
    if not found.records:
        return "nothing"
    listed = snapshot_view.by_reason(found.by_reason) or "`bigbrotr rejections list` counts them by reason"
    return f"{found.records:,} records: {listed}"


def _size(held: TopicSize) -> str:
    size = "" if held.disk_bytes is None else f", {snapshot_view.size(held.disk_bytes)}"
    gone = f" of {held.written:,} written" if held.written != held.records else ""
    return f"{held.records:,} records{gone}{size}"


@click.command(epilog=_EPILOG)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
def status(options: Options, *, as_document: bool) -> None:
    """Show servers, services, relays, topics, lag and what is archived. Starts nothing and works when nothing runs.

    Known relays that are not read are counted by why: candidates were not admitted, and those that are waiting were,
    and no connector of those shown reads them, as where a run reads relays of its own.

    Rows, pairs and records are counted in the archive and in Kafka; what was refused, in the topics rejections,
    quarantine and unwritten. Of an archive whose older rows `migrate` has not counted yet, events are an estimate. Lags
    are in records. Bytes of topics are those on the disks of all brokers. The counts of services in --json begin when a
    service started; its `api.url` is where the API is served, null where it is not. The exit code is 0 whatever is
    shown.
    """
    settings = options.settings()
    logging.getLogger().handlers[:] = [logging.NullHandler()]  # what cannot be reached is part of the answer
    snapshot = asyncio.run(taken(attached(settings)))
    if as_document:
        click.echo(json.dumps({"data_dir": str(settings.data_dir), **snapshot.as_json()}))
        return
    click.echo(as_text(snapshot, settings.data_dir))
    demo_dir = settings.data_dir / DEMO_PART
    if snapshot.servers["postgres"] != REACHABLE and running.read(demo_dir):
        click.echo(f"\nA demo runs: bigbrotr --data-dir {demo_dir} status")
