"""The list of services, against what must agree with it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bigbrotr.importing.import_wait import NEEDED
from bigbrotr.services import BY_NAME, DISCOVERY, FLOW, READINGS, SERVICES, SERVING, STOP_TIMES, ServiceSpec
from bigbrotr.services_table import services_table
from core.settings import KafkaSettings, Settings
from schemas.topics import TOPICS, physical
from sinks.tables import contents

ROOT = Path(__file__).parents[3]
CTRL_C_S = 15.0  # what `run` promises
SERVERS_S = 6.0  # what the embedded servers may take of it


@pytest.mark.parametrize("spec", SERVICES, ids=lambda spec: spec.name)
def test_each_is_made_by_its_factory_and_has_the_name_of_its_entry(spec: ServiceSpec) -> None:
    assert spec.factory()(Settings()).name == spec.name


def test_no_two_have_one_name() -> None:
    assert len(BY_NAME) == len(SERVICES)


def test_what_run_starts_and_stops_in_which_order() -> None:
    assert FLOW == ("connector", "processor", "sink")
    assert DISCOVERY == ("registry", "seeder", "finder", "prober")
    assert SERVING == ("api",)
    times = [STOP_TIMES[name] for name in FLOW]
    assert all(one.told_at_s < one.killed_at_s for one in times)
    assert all(one.killed_at_s <= two.told_at_s for one, two in pairwise(times)), "each has its time for itself"
    assert times[-1].killed_at_s <= CTRL_C_S - SERVERS_S
    assert all(STOP_TIMES[name].killed_at_s <= times[-1].killed_at_s for name in (*DISCOVERY, *SERVING)), (
        "stopped beside them"
    )


def test_topics_and_groups_of_what_they_read_are_those_that_there_are() -> None:
    settings = Settings(kafka=KafkaSettings(topic_prefix="p."))
    topics = {topic.name for topic in TOPICS}
    assert all(set(reading.topics) <= topics for reading in READINGS.values())
    assert {name: reading.group_id(settings) for name, reading in READINGS.items()} == {
        "processor": settings.processor.group_id,
        "registry": settings.registry.group_id,
        "sink": settings.sink.group_id,
    }
    assert {physical("p.", name) for name in READINGS["sink"].topics} == set(contents(settings))


def test_an_import_waits_for_those_that_judge_and_archive() -> None:
    assert NEEDED == ("processor", "sink")
    assert set(NEEDED) <= set(FLOW), "an import starts them as `run` does"


def test_the_documentation_shows_the_services_as_they_are() -> None:
    """To mend it, put the output of `python -m bigbrotr.services_table` between the marks."""
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    between = page.split("<!-- services: begin -->\n")[1].split("<!-- services: end -->")[0]
    assert between == services_table()
