"""One running stack for every test of this folder. Each leaves every service as it was: one instance, healthy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers.flowing.flow import RELAY_SERVICES, Flow
from tests.containers.stack import SERVICES, running_stack


@pytest.fixture(scope="package")
def flow(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """A stack whose relays are empty until a flow is begun.

    The share of a killed service is free after 6 s, not 15: less to wait for.
    """
    variables = {"COMPOSE_PROFILES": "demo", "BIGBROTR_KAFKA__SESSION_TIMEOUT_S": "6"}
    with running_stack(tmp_path_factory.mktemp("flow"), **variables) as stack:
        stack.up(*SERVICES, "registry", *RELAY_SERVICES)  # without a registry, no relay is read
        yield Flow(stack)
