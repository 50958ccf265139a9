"""What a command and a service do not need is neither asked for nor started."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.kafka import read_to_end
from core.settings import Settings
from deploy.embedded.paths import DataPaths
from schemas.topics import physical
from tests.broker.bigbrotr.conftest import Command
from tests.pipeline.services import Services

pytestmark = pytest.mark.broker

NO_DSN = {"BIGBROTR_POSTGRES__DSN": ""}


async def test_topics_relays_connector_and_processor_work_without_postgresql(
    command: Command, settings: Settings
) -> None:
    made = await command("topics", "create", **NO_DSN)
    assert made.returncode == 0, made.stderr
    done = await command("relays", "publish", "wss://one.example", **NO_DSN)
    assert done.returncode == 0, done.stderr
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    services = Services(settings, **NO_DSN)
    services.start("connector", "processor")
    services.wait_until_ready()
    assert services.stop() == {"connector": 0, "processor": 0}
    assert not DataPaths.of(settings.data_dir).run.exists(), "no embedded server was started in its place"


async def test_bundles_are_sent_and_judged_again_without_postgresql(command: Command, settings: Settings) -> None:
    # A line that is no event is refused, which needs no server at all; what is asked here is that none is missed.
    for arguments, code in ((("import", "-"), 1), (("reprocess", "--since", "2026-01-01"), 0)):
        done = await command(*arguments, stdin=b"no event\n", **NO_DSN)
        assert done.returncode == code, done.stderr
        assert "dsn" not in done.stderr
    assert not DataPaths.of(settings.data_dir).run.exists()


async def test_schemas_are_made_and_switched_without_kafka(command: Command, settings: Settings) -> None:
    made = await command("migrate", BIGBROTR_KAFKA__BOOTSTRAP_SERVERS="")
    assert made.returncode == 0, made.stderr
    switched = await command("switch", "other", BIGBROTR_KAFKA__BOOTSTRAP_SERVERS="")
    assert (switched.returncode, "there is no schema other" in switched.stderr) == (1, True), switched.stderr
    assert not DataPaths.of(settings.data_dir).run.exists()


async def test_relays_of_the_settings_are_published_where_none_are_named(
    command: Command, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "bigbrotr.yaml").write_text(
        "relays:\n- wss://one.example\n- WSS://ONE.example/\n- http://two.example\n- wss://three.example\n"
    )
    done = await command("relays", "publish", "--json", BIGBROTR_CONFIG=str(tmp_path / "bigbrotr.yaml"))
    assert done.returncode == 0, done.stderr
    assert "relays:3: http://two.example" in done.stderr
    assert (done.json()["written"], done.json()["duplicates"]) == (2, 1)
    named = await command("relays", "publish", "wss://four.example", BIGBROTR_RELAYS="wss://five.example")
    assert named.returncode == 0, named.stderr
    topic = physical(settings.kafka.topic_prefix, "relays.commands")
    found = set(await read_to_end(settings, topic, range(4)))
    assert found == {f"operator wss://{name}.example".encode() for name in ("one", "three", "four")}
