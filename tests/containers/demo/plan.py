"""What the shared demo stack is told, in its `.env` and in the settings file that it mounts."""

from __future__ import annotations

from pathlib import Path

EVENTS = 2000
SEED = 1
BASE_TIME_S = 1_767_225_600
POOL_MIN = 3  # another number than the default, which shows in PostgreSQL
PARTITIONS = 8  # another number than the default, which shows in Kafka

VARIABLES = {
    "COMPOSE_PROFILES": "demo",
    "DEMO_EVENTS": str(EVENTS),
    "DEMO_SEED": str(SEED),
    "DEMO_BASE_TIME_S": str(BASE_TIME_S),
    "DEMO_TRICKLE_PER_S": "0",
    "BIGBROTR_POSTGRES__POOL_MIN": str(POOL_MIN),
}


def mount_settings(folder: Path) -> str:
    """Write the settings of deploy/demo.yaml with one more beside them, and return the file's place in the folder."""
    text = (folder / "demo.yaml").read_text()
    (folder / "mine.yaml").write_text(f"{text}\nkafka:\n  partitions: {PARTITIONS}\n")
    return "./mine.yaml"
