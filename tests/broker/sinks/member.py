"""A sink in a process of its own, which the group misses after 6 s: `python -m tests.broker.sinks.member FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from core import kafka_clients
from core.service import run_service
from core.settings import load_settings
from sinks.service import SinkService

if __name__ == "__main__":
    # The shortest that Kafka's own default for group.min.session.timeout.ms allows.
    kafka_clients._SESSION_TIMEOUT_MS = 6_000
    sys.exit(run_service(SinkService(load_settings(Path(sys.argv[1])))))
