"""Garbage that counts cannot see is collected by time."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from core.service.gc_tuning import settle_and_collect
from tests.waiting import until


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Node:
    """Refers to itself."""

    def __init__(self) -> None:
        self.self = self


async def test_old_garbage_is_collected_by_time() -> None:
    collecting = asyncio.create_task(settle_and_collect(every_s=0.01))
    await asyncio.sleep(0)
    gc.disable()
    try:
        node = Node()
        gone = weakref.ref(node)
        del node
        await until(lambda: gone() is None, "a collection")
    finally:
        gc.enable()
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
