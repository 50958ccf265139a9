"""One running stack for every test of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers.demo import plan
from tests.containers.stack import Stack, running_stack


@pytest.fixture(scope="package")
def demo_stack(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Up and archiving what three relays were filled with. No test changes what it archives."""
    with running_stack(tmp_path_factory.mktemp("demo"), **plan.VARIABLES) as stack:
        stack.set(BIGBROTR_SETTINGS=plan.mount_settings(stack.folder))
        stack.up()
        yield stack


@pytest.fixture
async def archived(demo_stack: Stack) -> Stack:
    """The stack, with everything archived that the relays took."""
    await demo_stack.wait_archived(demo_stack.filled())
    return demo_stack
