"""A relay that events name is found, admitted and read without a person, and one that is denied is let go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bigbrotr.demo.announcing import seed
from deploy.embedded.stack import Servers
from producers.operator.relay_commands import commanding, publish_commands, replacing
from tests.pipeline.fixtures import Pipeline, pipeline
from tests.pipeline.services import NAMES
from tests.relays.demo_process import demo_relays
from tests.waiting import until

pytestmark = pytest.mark.e2e

DENIED_S = 10.0
"""What the documentation promises."""


@pytest.fixture
def finding(servers: Servers, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline with a registry, which may find relays on this machine."""
    private = {"BIGBROTR_DISCOVERY__ALLOW_PRIVATE": "true"}
    with pipeline(servers, "discovery", tmp_path, names=(*NAMES, "registry"), **private) as started:
        yield started


async def test_a_relay_that_two_authors_name_is_read_and_one_that_is_denied_is_let_go(finding: Pipeline) -> None:
    services = finding.services

    def read() -> set[str]:
        return {relay["url"] for relay in services.details("connector").get("relays", ())}

    with demo_relays("--named", relays=3, events=60, copies=1.5) as relays:
        first, *others = relays.urls
        await seed(finding.settings, [first])
        offered = int(relays.offer["pairs"])

        async def all_is_archived() -> bool:
            return (await finding.archive.counts())[1] == offered

        await finding.archive.until("what the found relays hold", all_is_archived)
        assert {relay for _, relay in await finding.archive.sightings()} == set(relays.urls)
        assert read() == set(relays.urls), "the domains of examples, which the events name too, are denied"

        last = others[-1]
        await publish_commands(finding.settings, commanding("deny", [last], "asked to be left alone"), replacing)
        await until(lambda: last not in read(), "the denied relay is let go", DENIED_S)
        services.check()
        assert read() == set(relays.urls) - {last}
