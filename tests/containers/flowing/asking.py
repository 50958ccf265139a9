"""What a service in a container says of itself, asked from inside: nothing but the servers has a port outside."""

from __future__ import annotations

import json
from typing import Any

from tests.containers.engine import docker
from tests.containers.stack import Stack

_READ = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"


def status(container: str) -> dict[str, Any]:
    """What /status tells."""
    return dict(json.loads(docker("exec", container, "python", "-c", _READ, "http://127.0.0.1:8080/status")))


def why_not_ready(stack: Stack, service: str) -> str:
    """What the image's health command says of /readyz; empty where the service is ready."""
    result = stack.exec(service, "healthcheck")
    return "" if result.exit_code == 0 else f"{result.stdout}{result.stderr}"
