"""A clock that is set, by mistake or on purpose, moves nothing at once."""

from __future__ import annotations

import pytest

from core.clock import BELIEVED_AFTER_S, TOLERANCE_S, Clock

DAY_S = 86_400
START_S = 1_700_000_000


class Host:
    """Both clocks of a host."""

    def __init__(self) -> None:
        self.wall_s = float(START_S)
        self.boot_s = 1000.0
        self.clock = Clock(lambda: int(self.wall_s * 1e9), lambda: int(self.boot_s * 1e9))

    def passes(self, seconds: float) -> float | None:
        self.wall_s += seconds
        self.boot_s += seconds
        return self.clock.check()


@pytest.mark.parametrize("step_s", [40 * DAY_S, -40 * DAY_S, TOLERANCE_S + 1, -TOLERANCE_S - 1])
def test_a_step_that_is_taken_back_has_changed_nothing(step_s: float) -> None:
    host = Host()
    host.wall_s += step_s
    assert host.passes(1) == pytest.approx(step_s)
    assert host.clock.stepped
    assert host.passes(5) is None
    assert host.clock.now_s() == pytest.approx(START_S + 6)
    host.wall_s -= step_s
    assert host.passes(1) is None
    assert not host.clock.stepped
    assert host.clock.now_s() == pytest.approx(START_S + 7)


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S])
def test_a_step_that_lasts_is_believed(step_s: float) -> None:
    host = Host()
    host.wall_s += step_s
    assert host.passes(1) == pytest.approx(step_s)
    assert host.passes(BELIEVED_AFTER_S - 1) is None
    assert host.clock.now_s() == pytest.approx(START_S + BELIEVED_AFTER_S)
    assert host.passes(1) == pytest.approx(step_s)
    assert host.clock.now_s() == pytest.approx(START_S + BELIEVED_AFTER_S + 1 + step_s)
    assert host.passes(1) is None


def test_what_is_slewed_is_followed() -> None:
    host = Host()
    for _ in range(100):
        host.wall_s += 0.5
        assert host.passes(1) is None
    assert host.clock.now_s() == pytest.approx(host.wall_s)


def test_another_step_begins_the_wait_again() -> None:
    host = Host()
    host.wall_s += DAY_S
    host.passes(1)
    host.passes(BELIEVED_AFTER_S - 10)
    host.wall_s += DAY_S
    assert host.passes(1) == pytest.approx(2 * DAY_S)
    assert host.passes(20) is None
    assert host.clock.stepped
