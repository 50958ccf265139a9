"""Which images the servers of a run come from: those that were named, the official ones, or stand-ins built here.

The official images cannot be pulled on every machine. The stand-ins in images/ have their variables, paths, users and
signals, so that one compose.yaml fits both; what a run has proven depends on which it used, so it says so.
"""

from __future__ import annotations

import functools
import logging
import os
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.paths import KAFKA_VERSION
from deploy.embedded.servers.jars import LIST, ensure_jars, pinned
from deploy.embedded.servers.postgres_binaries import installed_binaries
from tests.containers.engine import DockerError, docker

RECIPES = Path(__file__).with_name("images")
_PULL_S = 180  # 200 MB over a slow line; where no registry answers, the engine gives up much sooner
_BUILD_S = 600  # 20 s, most of them for Debian's packages; a slow mirror takes minutes
_UNUSED = (".a", ".h", ".py", ".pyc")  # what a server and its clients do not need of the wheel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chosen:
    """An image that a run uses, and why that one."""

    image: str
    why: str


_chosen: dict[str, Chosen] = {}


def kafka_image() -> Chosen:
    """The image of the broker, which is there when this returns."""
    return _choose("KAFKA_IMAGE", f"apache/kafka:{KAFKA_VERSION}", "kafka")


def postgres_image() -> Chosen:
    """The image of the database, which is there when this returns."""
    return _choose("POSTGRES_IMAGE", "postgres:18", "postgres")


def what_was_used() -> list[str]:
    """A line for each image that was asked for, for pytest's summary."""
    return [f"{chosen.image}: {chosen.why}" for chosen in _chosen.values()]


@functools.cache
def _choose(variable: str, official: str, recipe: str) -> Chosen:
    if named := os.environ.get(variable):
        return _use(variable, Chosen(named, f"named by {variable}"))
    try:
        docker("image", "inspect", official)
        return _use(variable, Chosen(official, "the official image, which was here"))
    except DockerError:
        log.debug("%s is not here, so it is pulled", official)
    try:
        docker("pull", "--quiet", official, timeout_s=_PULL_S)
        return _use(variable, Chosen(official, "the official image, pulled"))
    except DockerError as error:
        why = f"a stand-in for {official}, which cannot be had ({error})"
    tag = f"bigbrotr-tests/{recipe}:{official.rpartition(':')[2]}"
    _build(tag, [(RECIPES / recipe, "."), *(_kafka_parts() if recipe == "kafka" else _postgres_parts())])
    return _use(variable, Chosen(tag, why))


def _use(variable: str, chosen: Chosen) -> Chosen:
    log.warning("%s: %s", chosen.image, chosen.why)
    _chosen[variable] = chosen
    return chosen


def _kafka_parts() -> Iterable[tuple[Path, str]]:
    folder = ensure_jars(log.warning)
    return [(folder / jar.name, f"jars/{jar.name}") for jar in pinned(LIST)]


def _postgres_parts() -> Iterable[tuple[Path, str]]:
    package = installed_binaries().parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    return [(package / "pginstall", "pginstall"), (libraries, libraries.name)]


def _build(tag: str, parts: Iterable[tuple[Path, str]]) -> None:
    """Build an image from files and folders under the given names; the engine's cache makes a second time quick."""
    with tempfile.TemporaryFile() as context:
        with tarfile.open(fileobj=context, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for source, name in parts:
                tar.add(source, name, filter=_plain)
        context.seek(0)
        docker("build", "--quiet", "--tag", tag, "-", timeout_s=_BUILD_S, stdin=context)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what is unused, and of the rest whose it is and how old: none of it may change what is built."""
    if member.name.endswith(_UNUSED):
        return None
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def main() -> None:
    """Have both images, and say which: `python -m tests.containers.server_images`."""
    logging.basicConfig(format="%(message)s")
    kafka_image()
    postgres_image()


if __name__ == "__main__":
    main()
