"""Fixtures that every level of tests shares."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real and tricky events that is kept beside the repository, never inside it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder shared/data with real events is not beside this checkout")
    return SHARED_DATA
