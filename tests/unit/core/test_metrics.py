"""The table of metrics is complete and true, and each service exports what its code counts."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from core import metrics
from core.metrics.table import metrics_table

ROOT = Path(__file__).resolve().parents[3]
OTHERS = {"seeding", "finding", "prober"}
"""Packages of producers that are services of their own."""
READING = [f"producers/{path.name}" for path in sorted((ROOT / "producers").iterdir()) if path.name not in OTHERS]


def counted(place: str) -> Iterator[str]:
    """Name the metrics that modules count with."""
    path = ROOT / place
    for module in [path] if path.is_file() else sorted(path.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "metrics":
                yield node.attr


@pytest.mark.parametrize(
    ("service", "places"),
    [
        ("connector", [*READING, "core/kafka/publisher.py"]),
        (
            "processor",
            ["processors/runtime", "processors/validate", "processors/service.py", "core/erasures.py"],
        ),
        ("registry", ["processors/runtime", "processors/registry", "processors/assess"]),
        ("sink", ["sinks", "core/kafka/publisher.py", "core/erasures.py"]),
        ("janitor", ["bigbrotr/retention/janitor.py"]),
        ("seeder", ["producers/seeding", "core/kafka/publisher.py"]),
        ("finder", ["producers/finding", "core/kafka/publisher.py"]),
        ("prober", ["producers/prober", "producers/relay_share.py", "core/kafka/publisher.py"]),
        ("api", ["api"]),
        ("any other", ["core/service/lifecycle.py", "core/service/watchdog.py"]),
    ],
)
def test_a_service_exports_exactly_what_its_code_counts(service: str, places: list[str]) -> None:
    used = [getattr(metrics, name) for place in places for name in counted(place)]
    found = {id(one) for one in used if isinstance(one, Counter | Gauge | Histogram)}
    common = {id(family.collector) for family in metrics.FAMILIES if not family.owners}
    exported = {id(family.collector) for family in metrics.FAMILIES if family.is_of(service)}
    assert found | common == exported


def test_a_process_exports_its_own_metrics_only() -> None:
    program = (
        "from prometheus_client import generate_latest\n"
        "from core import metrics\n"
        "metrics.export_only('janitor')\n"
        "print(' '.join(metrics.values()))\n"
        "text = generate_latest(metrics.REGISTRY).decode()\n"
        "print('process_cpu_seconds_total' in text, 'bigbrotr_trimmed' in text, 'bigbrotr_batches' in text)\n"
    )
    said = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).splitlines()
    assert set(said[0].split()) == {
        "bigbrotr_loop_lag_seconds",
        "bigbrotr_loop_stalls_total",
        "bigbrotr_trimmed_bundles_total",
    }
    assert said[1] == "True True False"


def test_names_and_types_in_the_table_are_those_of_a_scrape() -> None:
    scraped = {family.name: family.type for family in metrics.REGISTRY.collect() if family.name.startswith("bigbrotr_")}
    assert {family.name.removesuffix("_total"): family.kind for family in metrics.FAMILIES} == scraped
    assert len(metrics.FAMILIES) == len(scraped)


def test_the_page_shows_the_metrics_as_they_are() -> None:
    """To mend it, put the output of `python -m core.metrics.table` between the marks."""
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    assert page.split("<!-- metrics: begin -->\n")[1].split("<!-- metrics: end -->")[0] == metrics_table()
