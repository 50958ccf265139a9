"""The line of progress shows what was added, and names metrics that the service has."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bigbrotr.services import SERVICES, ServiceSpec
from core import metrics
from core.service.progress import Progress
from core.settings import Settings


def test_counters_are_shown_by_what_was_added_and_gauges_as_they_are() -> None:
    values: dict[str, float] = {"bigbrotr_a_total": 5.0, "bigbrotr_lag": 9.0}

    def now() -> Mapping[str, float]:
        return values

    progress = Progress({"a": "bigbrotr_a_total", "lag": "bigbrotr_lag", "none": "bigbrotr_n_total"}, now)
    assert progress.take() == {"a": 0, "lag": 9, "none": 0}
    values.update({"bigbrotr_a_total": 12.0, "bigbrotr_lag": 2.0, "bigbrotr_n_total": 3.0})
    assert progress.take() == {"a": 7, "lag": 2, "none": 3}
    assert progress.take() == {"a": 0, "lag": 2, "none": 0}


@pytest.mark.parametrize("spec", SERVICES, ids=lambda spec: spec.name)
def test_every_service_shows_metrics_of_its_own(spec: ServiceSpec) -> None:
    shown = spec.factory()(Settings(kafka={"bootstrap_servers": "localhost:9092"})).progress
    assert shown
    families = {family.name: family for family in metrics.FAMILIES}
    assert all(families[name].is_of(spec.name) for name in shown.values())
