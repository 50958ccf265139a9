"""Kafka's classes are archived once, mapped by later brokers, and a broken archive keeps none from starting."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from deploy.embedded.paths import jar_cache
from deploy.embedded.servers.jars import ensure_jars
from deploy.embedded.stack import running_stack
from tests.broker.embedded.support import Holder, told

pytestmark = [pytest.mark.broker, pytest.mark.timeout(270)]

KAFKA = ("kafka",)


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that has the jars and nothing else."""
    there = ensure_jars(lambda _: None)
    monkeypatch.setenv("BIGBROTR_CACHE_DIR", str(tmp_path / "cache"))
    jar_cache().mkdir(parents=True)
    for jar in there.glob("*.jar"):
        (jar_cache() / jar.name).symlink_to(jar)
    return jar_cache()


def maps(data_dir: Path, archive: Path) -> bool:
    """Whether the broker of a data directory has an archive in its memory."""
    broker = told(data_dir).servers["kafka"].process
    assert broker is not None
    return str(archive) in {one.path for one in psutil.Process(broker.pid).memory_maps()}


@pytest.mark.storms
def test_later_brokers_map_what_the_first_has_loaded(jars: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with running_stack(first, names=KAFKA):
        assert not list(jars.glob("*/kafka.jsa"))
    # Both at once make it: one of them, and the other waits for that.
    with Holder(first) as one, Holder(second) as two:
        assert one.addresses() != two.addresses()
        (archive,) = jars.glob("*/kafka.jsa")
        assert maps(first, archive)
        assert maps(second, archive)
        one.leave()
        two.leave()
    content = archive.read_bytes()
    archive.unlink()
    archive.write_bytes(content[: len(content) // 2])
    with running_stack(first, names=KAFKA):
        assert not maps(first, archive)
    # Where it crashed, Java's report is not left in the folder of who started it.
    assert not list(Path.cwd().glob("hs_err_pid*"))
