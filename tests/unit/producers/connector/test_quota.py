"""An operator's bound on what one relay may send in an hour; without one there is none."""

from __future__ import annotations

import pytest

from producers.connector.reading.quota import Quota
from producers.relay_client.refusals import HOUR_S, RelayError


async def test_a_relay_over_its_quota_is_left_until_its_hour_is_over() -> None:
    now_s = [1000.0]
    quota = Quota(3, lambda: now_s[0])
    for _ in range(3):
        assert not quota.full
        quota.taken()
        now_s[0] += 60
    with pytest.raises(RelayError) as error:
        await quota.room()
    assert (error.value.state, error.value.wait_s) == ("over_quota", HOUR_S - 180)
    assert "connector.events_per_hour" in str(error.value)
    now_s[0] = 1000 + HOUR_S
    assert quota.over() is None
    quota.taken()
    assert quota.over() is None


def test_without_a_quota_nothing_is_counted() -> None:
    quota = Quota(None)
    for _ in range(100_000):
        quota.taken()
    assert not quota.full
