"""Hostile relays beside an honest one: `python -m tests.bench.bench_hostile --load notices --seconds 300`.

For each load the whole pipeline runs from sockets to rows, each service a process of its own, with an embedded Kafka
and PostgreSQL. An honest relay sends 20 new events a second throughout; a hostile one joins it after the baseline.
Measured without and with it: how long honest events take to their rows, how long services take to answer, what memory,
processor time and disk it costs, and what the connector does about it. Other work on the machine moves all figures:
compare those of one run.
"""

from __future__ import annotations

import json
import platform

import click
import psutil
from rich.console import Console

from tests.bench.hostile.loads import LOADS
from tests.bench.hostile.report import hurts, show
from tests.bench.hostile.run import Times, run_load

_DEFAULT_S = 300.0
"""Long enough for what grows to show whether it goes on growing."""
_LONGEST_BASELINE_S = 60.0
"""1,200 honest events: the 99th percentile is that of a dozen."""


@click.command()
@click.option(
    "--load", "names", multiple=True, type=click.Choice(["all", *LOADS]), default=["all"], show_default=True,
    help="Which one; may be given several times.",
)  # fmt: skip
@click.option("--seconds", default=_DEFAULT_S, show_default=True, help="Beside the load.")
@click.option("--baseline-seconds", type=float, help="Before it.  [default: as long, at most 60]")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object a line for each load instead of tables.")
def main(*, names: tuple[str, ...], seconds: float, baseline_seconds: float | None, as_json: bool) -> None:
    """Measure what hostile relays do to an honest one and to the pipeline."""
    error_console = Console(stderr=True)
    times = Times(baseline_seconds or min(seconds, _LONGEST_BASELINE_S), seconds)
    for name in LOADS if "all" in names else dict.fromkeys(names):
        result = run_load(name, times, lambda words: error_console.print(words, highlight=False))
        result["hurts"] = hurts(result)
        # As they come: all of them take 85 minutes.
        click.echo(json.dumps({**result, "machine": _machine()})) if as_json else show(result, Console())


def _machine() -> dict[str, object]:
    return {"cores": psutil.cpu_count(), "python": platform.python_version(), "system": platform.platform()}


if __name__ == "__main__":
    main()
