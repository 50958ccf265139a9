"""An archive of the classes that a broker loads, which later ones map instead of reading and checking them (JEP 310).

The first broker writes down what it loads, the next start makes the archive of it, and all that follow use it. It is
tried before a broker gets it: Java 17 crashes where one is cut short.
"""

from __future__ import annotations

import subprocess
import time
import uuid
import zlib
from pathlib import Path
from typing import NamedTuple

from deploy.embedded.errors import EmbeddedError, Report
from deploy.embedded.lock import locked
from deploy.embedded.servers.process import server_environment

_TIMEOUT_S = 60
"""A trial takes 0.1 s, and making an archive 8 s of CPU; a busy machine takes much longer."""
_LOCK_TIMEOUT_S = 2 * _TIMEOUT_S
"""Another process makes the archive that we wait for."""
_KEPT_S = 86_400.0
"""An archive that is of no use, and a list without an end, are kept for a day: making one may fail anew every time."""
_LAST_CLASS = b"kafka/server/Server$SHUTTING_DOWN$"
"""A broker loads it when it stops: a list that has it has all that a start needs."""


class SharedClasses(NamedTuple):
    """Options for Java; it needs none of them."""

    use: tuple[str, ...] = ()
    """For every program on the class path that the archive is of."""
    record: tuple[str, ...] = ()
    """For a broker that shall write down what it loads, while there is no archive."""


def shared_classes(command: list[str], folder: Path, report: Report) -> SharedClasses:
    """Choose how a Java comes by its classes; every trouble with that costs time and nothing else.

    Args:
        command: Java with the options and the class path that its programs get.
        folder: where archives are kept for all data directories.
        report: told when an archive is made.
    """
    java = zlib.crc32(str(Path(command[0]).resolve()).encode())  # no Java takes the archive of another
    folder = folder / f"classes-{java:08x}"
    try:
        folder.mkdir(exist_ok=True)
        with locked(folder / ".lock", timeout_s=_LOCK_TIMEOUT_S):
            return _chosen(command, folder, report)
    except (OSError, EmbeddedError):  # a cache that others provide may be closed to us
        return SharedClasses()


def _chosen(command: list[str], folder: Path, report: Report) -> SharedClasses:
    archive = folder / "kafka.jsa"
    use = (f"-XX:SharedArchiveFile={archive}",)
    # A Java that crashes writes a report, which would be in the folder of who runs us.
    crash = f"-XX:ErrorFile={folder / 'crash.log'}"
    if _runs([*command, *use, crash, "-Xshare:on", "-XX:+VerifySharedSpaces", "-version"]):
        return SharedClasses(use)
    for file in folder.glob("kafka*"):
        if time.time() - file.stat().st_mtime > _KEPT_S:
            file.unlink()
    if archive.exists():
        return SharedClasses()
    lists = list(folder.glob("kafka-*.classes"))
    whole = next((one for one in lists if _LAST_CLASS in one.read_bytes()), None)
    if whole is None:
        return SharedClasses(record=(f"-XX:DumpLoadedClassList={folder / f'kafka-{uuid.uuid4().hex}.classes'}",))
    report("making an archive of Kafka's classes, once: later starts take less time by it")
    made = _make(command, whole, archive)
    for one in lists:
        one.unlink()
    return SharedClasses(use if made else ())


def _make(command: list[str], listed: Path, archive: Path) -> bool:
    """Make an archive; whether it could be. It appears only when whole, or else empty, so that the next start knows."""
    new = archive.with_suffix(".new")
    made = _runs([*command, f"-XX:SharedClassListFile={listed}", f"-XX:SharedArchiveFile={new}", "-Xshare:dump"])
    if not made:
        new.unlink(missing_ok=True)
        new.touch()
    new.replace(archive)
    return made


def _runs(command: list[str]) -> bool:
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S, env=server_environment())  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
    return True
