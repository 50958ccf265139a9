"""Physical names of the topics that producers write to."""

from __future__ import annotations

from core.settings import Settings
from schemas.topics import physical


def full_name(settings: Settings, name: str) -> str:
    """The physical name of a topic of the table."""
    return physical(settings.kafka.topic_prefix, name)
