"""Kafka's jars: a pinned list with checksums, fetched once into a cache and checked at every start."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import INSTALL, ArtifactsMissingError, Report
from deploy.embedded.lock import locked
from deploy.embedded.paths import KAFKA_VERSION, jar_cache

MIRROR_VARIABLE = "BIGBROTR_MAVEN_REPOSITORY"
"""Names a Maven repository to use in place of the public one, for networks that only reach a mirror."""
LIST = Path(__file__).with_name("kafka-jars.txt")
_THREADS = 6  # 46 files: enough to hide the round trips, few enough not to load the server
_REPORTS = 4  # lines that tell how far the download is
_ATTEMPTS = 3
_RETRY_S = 0.5
_NETWORK_S = 10  # without an answer; a jar that arrives slowly may take longer
_LOCK_TIMEOUT_S = 600.0  # as long as a download over a slow line may take in another process


@dataclass(frozen=True)
class Jar:
    """One artifact of the pinned list."""

    group: str
    artifact: str
    version: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """Its file name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


Fetch = Callable[[Jar, Path], Path]
"""Fetches a jar into a folder and returns the file; raises any exception when it cannot."""


def pinned(path: Path) -> list[Jar]:
    """A list of pinned jars."""
    jars = []
    for line in path.read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            coordinates, size, digest = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(group, artifact, version, int(size), digest))
    return jars


def is_intact(path: Path, jar: Jar) -> bool:
    """Whether the file is there, whole and unchanged."""
    try:
        if path.stat().st_size != jar.size_bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def fetch_by_jgo(jar: Jar, folder: Path) -> Path:
    """Fetch one jar by its coordinates; jgo's own resolution of a graph is not used, as it picks other versions."""
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415 - part of an extra, and slow to import when nothing is missing
    except ModuleNotFoundError as error:
        cause = f"its jars are not there, and the Python package that fetches them is not installed ({error})"
        raise ArtifactsMissingError(f"Apache Kafka {KAFKA_VERSION}", cause, INSTALL) from error
    mirror = os.environ.get(MIRROR_VARIABLE)
    context = MavenContext(repo_cache=folder, remote_repos={"mirror": mirror} if mirror else None, timeout=_NETWORK_S)
    return Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())


def _fetch_one(jar: Jar, folder: Path, fetch: Fetch, given_up: threading.Event) -> Exception | None:
    error: Exception | None = None
    for attempt in range(_ATTEMPTS):
        if given_up.wait(attempt * _RETRY_S):
            return error or InterruptedError(f"{jar.name} was not tried, as another could not be had")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
            try:
                file = fetch(jar, Path(temporary))
                if is_intact(file, jar):
                    file.replace(folder / jar.name)  # only whole and checked files ever bear the final name
                    return None
                error = ValueError(f"{jar.name} arrived with another checksum than the pinned one")
            except ArtifactsMissingError:
                given_up.set()  # as below, and no other try would help
                raise
            except Exception as failed:  # noqa: BLE001 - whatever a network and its libraries raise
                error = failed
    given_up.set()  # a network that is away is away for all: no hour of time-outs, one jar after the other
    return error


def _cause(failures: list[Exception]) -> str:
    first = next((failure for failure in failures if not isinstance(failure, InterruptedError)), failures[0])
    return f"{type(first).__name__}: {first}"


def _fetch_all(wanted: list[Jar], folder: Path, report: Report, fetch: Fetch) -> list[Exception]:
    total, fetched, told = sum(jar.size_bytes for jar in wanted), 0, 0
    report(f"fetching Apache Kafka {KAFKA_VERSION}: {len(wanted)} jars, {total / 1e6:.0f} MB")
    failures: list[Exception] = []
    given_up = threading.Event()
    with ThreadPoolExecutor(_THREADS) as pool:
        outcomes = pool.map(lambda jar: _fetch_one(jar, folder, fetch, given_up), wanted)
        for jar, error in zip(wanted, outcomes, strict=True):
            if error is not None:
                failures.append(error)
                continue
            fetched += jar.size_bytes
            if fetched * _REPORTS // total > told:
                told = fetched * _REPORTS // total
                report(f"fetched {fetched / 1e6:.0f} of {total / 1e6:.0f} MB")
    return failures


def _missing(jars: list[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if not is_intact(folder / jar.name, jar)]


def ensure_jars(report: Report, fetch: Fetch = fetch_by_jgo, folder: Path | None = None, listed: Path = LIST) -> Path:
    """The folder that holds every jar of the pinned list, intact; what is missing or damaged is fetched.

    A complete folder is only read, so that an image or an administrator may provide it. Raises ArtifactsMissingError,
    which says how many jars are missing and why the first could not be had.
    """
    folder = jar_cache() if folder is None else folder
    jars = pinned(listed)
    if not _missing(jars, folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", timeout_s=_LOCK_TIMEOUT_S):
        for left_over in folder.glob(".fetch-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        wanted = _missing(jars, folder)  # another process may have fetched them while we waited
        failures = _fetch_all(wanted, folder, report, fetch) if wanted else []
    if failures:
        raise ArtifactsMissingError(
            f"Apache Kafka {KAFKA_VERSION}",
            f"{len(failures)} of its {len(jars)} jars are not in {folder} and cannot be fetched ({_cause(failures)})",
            f"Start again with a network, name a repository within reach in {MIRROR_VARIABLE}, "
            "or copy that folder from a machine that has it.",
        )
    return folder
