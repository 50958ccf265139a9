"""What an import leaves to be done, in words: lines that Kafka has and the archive not yet."""

from __future__ import annotations

from collections.abc import Collection


def pending(lines: int, missing: Collection[str]) -> str:
    """Say how lines that were sent get archived.

    Args:
        lines: that Kafka has acknowledged.
        missing: services that do not run.
    """
    are = "1 line is" if lines == 1 else f"{lines:,} lines are"
    if not missing:
        return f"{are} in Kafka; the services that run archive them, and `bigbrotr status` shows their lag"
    return (
        f"{are} in Kafka and not archived yet, as no {' and no '.join(missing)} runs. Repeat the import with --wait, "
        "or start the services (`bigbrotr run`): either archives them, and nothing twice"
    )


def interrupted(lines: int) -> str:
    """Say what an import that was interrupted has done."""
    if not lines:
        return "interrupted: nothing was sent"
    are = "1 line was" if lines == 1 else f"{lines:,} lines were"
    return (
        f"interrupted: {are} sent and stay in Kafka, to be archived once the services run. It is safe to repeat the "
        "import: no event is archived twice"
    )
