"""Draws the README's picture of the live view from a recorded run: `python -m tests.unit.pages.live_view`.

The record, `docs/pictures/live-view.json`, is two answers of `bigbrotr status --json`, taken some seconds apart while
`make demo` ran; `python -m tests.unit.pages.live_view --record DIRECTORY` takes them from the demo of a data directory.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI

from bigbrotr.console.live_view.picture import View, picture
from bigbrotr.status.snapshot import Counts, RelayState, ServiceState, Snapshot, rates
from bigbrotr.supervise import running

PICTURES = Path(__file__).resolve().parents[3] / "docs" / "pictures"
SVG = PICTURES / "live-view.svg"
RECORD = PICTURES / "live-view.json"
COLUMNS = 100
BETWEEN_S = 5
TITLE = "BigBrotr demo"
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
      line-height: {line_height}px; }}
    .{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""
"""Rich's own format without its fonts, which are fetched from elsewhere."""


def drawn() -> str:
    """Draw the recorded snapshot as SVG."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    before, now = snapshot(record["before"], 0.0), snapshot(record["now"], float(BETWEEN_S))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(picture(now, rates(before, now), record["uptime_s"], View(COLUMNS), title=TITLE).panel)
    return console.export_svg(title="make demo", theme=MONOKAI, code_format=FORMAT, unique_id="live-view")


def snapshot(answer: dict[str, Any], at_s: float) -> Snapshot:
    """Make a snapshot of an answer of `status --json`."""
    return Snapshot(
        at_s=at_s,
        servers=answer["servers"],
        services=tuple(ServiceState(**each) for each in answer["services"]),
        relays=tuple(RelayState(**each) for each in answer["relays"]),
        counts=Counts(**answer["counts"]),
        lags={key.removesuffix("_lag"): lag for key, lag in answer.items() if key.endswith("_lag")},
    )


def record(data_dir: str) -> None:
    """Ask a demo that runs, twice."""
    answers = []
    for wait_s in (0, BETWEEN_S):
        time.sleep(wait_s)
        command = [sys.executable, "-m", "bigbrotr", "--data-dir", data_dir, "status", "--json"]
        answers.append(json.loads(subprocess.check_output(command)))
    began_s = min(service.started_at_s for service in running.read(Path(data_dir)))
    kept: dict[str, Any] = {"uptime_s": round(time.time() - began_s)}
    kept |= {name: without_place(answer) for name, answer in zip(("before", "now"), answers, strict=True)}
    RECORD.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def without_place(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs between machines and is not shown."""
    return {key: value for key, value in answer.items() if key not in {"data_dir", "disk", "topics", "server_notes"}}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        record(sys.argv[2])
    SVG.write_text(drawn(), encoding="utf-8")
