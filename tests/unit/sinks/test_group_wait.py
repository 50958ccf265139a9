"""A sink that has waited for its database for long reads on as one that starts."""

from __future__ import annotations

import asyncio

import pytest

from core.flag import Flag
from sinks.writing.consumer import GroupReader
from sinks.writing.group_wait import GroupWait
from sinks.writing.missed_tombstones import LONGEST_ABSENCE_MS
from tests.unit.producers.connector.virtual_time import run_virtually

LONG_S = LONGEST_ABSENCE_MS / 1000


class Member(GroupReader):
    """A member of a group without a consumer."""

    def __init__(self) -> None:
        super().__init__("group")
        self.displaced = 0

    async def idle(self, seconds: float) -> None:
        """Nothing to read."""

    def resume(self) -> None:
        """Nothing to let flow."""

    def displace(self) -> None:
        """Count it."""
        self.displaced += 1


@pytest.mark.parametrize(("held_s", "displaced"), [(LONG_S / 2, 0), (LONG_S + 2, 1)])
def test_positions_are_looked_up_anew_after_half_a_day_without_a_database(held_s: float, displaced: int) -> None:
    async def wait() -> None:
        member = Member()
        assert await GroupWait(member, Flag(), 8.0).until_done(asyncio.sleep(held_s, "written")) == "written"
        assert member.displaced == displaced

    run_virtually(wait())
