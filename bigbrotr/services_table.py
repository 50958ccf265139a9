"""Generates the table of all services for docs/explanation/architecture.md, in Markdown, from their list."""

from __future__ import annotations

from bigbrotr.services import SERVICES

_SERVERS = {"kafka": "Kafka", "postgres": "PostgreSQL"}


def services_table() -> str:
    """Write one row for each service: its name, what it does and needs, whether `run` starts it, and its module."""
    rows = ["| service | what it does | needs | started by `run` and `demo` | code |", "|---|---|---|---|---|"]
    for spec in SERVICES:
        needs = ", ".join(_SERVERS[server] for server in spec.needs)
        code = spec.target.partition(":")[0].replace(".", "/")
        started = "yes" if spec.stop is not None else "no"
        rows.append(f"| `{spec.name}` | {spec.summary} | {needs} | {started} | `{code}.py` |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(services_table(), end="")  # noqa: T201 - for pasting into docs/explanation/architecture.md
