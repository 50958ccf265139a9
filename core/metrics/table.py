"""Generates the table of all metrics for docs/reference/metrics.md, in Markdown, from the metrics themselves."""

from __future__ import annotations

import sys

from core.metrics import FAMILIES


def metrics_table() -> str:
    """Write one row for each metric: name, type, labels, unit, what it says, and which services export it."""
    rows = ["| name | type | labels | unit | what it is | exported by |", "|---|---|---|---|---|---|"]
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        owners = ", ".join(family.owners) or "every service"
        rows.append(f"| `{family.name}` | {family.kind} | {labels} | {family.unit} | {family.meaning} | {owners} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(metrics_table())
