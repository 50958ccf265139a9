"""Services and how they are run: `class Connector(Service)`, then `sys.exit(run_service(Connector(settings)))`."""

from __future__ import annotations

from core.lifecycle import run_service
from core.service_base import Service

__all__ = ["Service", "run_service"]
