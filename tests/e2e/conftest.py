"""One running pipeline for every end-to-end test: each adds relays and events of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.embedded.stack import Servers
from tests.pipeline.fixtures import Pipeline, pipeline


@pytest.fixture(scope="package")
def running(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Connector, processor and sink, running."""
    with pipeline(servers, "e2e", tmp_path_factory.mktemp("e2e")) as started:
        yield started
