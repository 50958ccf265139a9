"""Two demos with the same seed and base time archive the same events, where no live ones come on top."""

from __future__ import annotations

import pytest

from deploy.demo.events import generate
from schemas.digest import Digest
from tests.broker.bigbrotr.conftest import Command

pytestmark = pytest.mark.broker

BASE_S = 1_767_225_600


async def test_the_same_seed_and_base_time_give_the_same_archive(command: Command) -> None:
    plan = ["--once", "--live-s", "0", "--events", "120", "--seed", "9", "--base-time-s", str(BASE_S), "--json"]
    archived = []
    for schema, relays in (("first", "2"), ("second", "3")):
        done = await command("demo", *plan, "--relays", relays, BIGBROTR_POSTGRES__SCHEMA=schema)
        assert done.returncode == 0, done.stderr
        archived.append(done.json()["archived"])
    expected = Digest()
    for event in generate(120, seed=9, base_time_s=BASE_S):
        expected.add_event(event.id)
    assert [one["events"] for one in archived] == [120, 120]
    assert [one["events_digest"] for one in archived] == [expected.events_hex()] * 2
    assert archived[0]["sightings"] < archived[1]["sightings"], "the relays hold copies of them"
