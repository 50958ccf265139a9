"""Fixtures that every level of tests shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real and tricky events that is kept beside the repository, never inside it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder shared/data with real events is not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A real Kafka and PostgreSQL for the whole run of tests; each takes topics and a schema of its own."""
    from deploy.embedded.stack import running_stack  # noqa: PLC0415 - unit tests need no servers

    with running_stack(tmp_path_factory.mktemp("stack")) as started:
        yield started
