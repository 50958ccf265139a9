"""Our own images, built from this checkout."""

from __future__ import annotations

import functools
from pathlib import Path

from tests.containers.engine import docker

ROOT = Path(__file__).resolve().parents[2]
_BUILD_S = 900  # a minute or two with nothing in the engine's cache, most of it Debian's and Python's packages


def our_image() -> str:
    """The image that runs every service and command."""
    return _built("bigbrotr")


def demo_image() -> str:
    """The same with the relays of the demo."""
    return _built("demo")


@functools.cache
def _built(target: str) -> str:
    # Names of the tests' own: an operator's image on this machine stays what it is.
    tag = f"bigbrotr-tests/{target}:checkout"
    docker(
        "build", "--file", str(ROOT / "deploy/Dockerfile"), "--target", target, "--tag", tag, str(ROOT),
        timeout_s=_BUILD_S,
    )  # fmt: skip
    return tag
