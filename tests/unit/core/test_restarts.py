from __future__ import annotations

import pytest

from core.backoff import Backoff
from core.restarts import RestartDelays, describe_exit


def test_waits_grow_until_the_process_has_run_for_a_while() -> None:
    delays = RestartDelays(Backoff(1.0, 8.0, draw=lambda: 1.0), steady_s=30.0)
    assert [delays.next_s(ran_s) for ran_s in (0.0, 1.0, 29.9, 5.0, 5.0)] == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert [delays.next_s(ran_s) for ran_s in (30.0, 0.0)] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("code", "words"),
    [(None, "no exit code"), (0, "exit code 0"), (3, "exit code 3"), (-9, "signal SIGKILL"), (-250, "signal 250")],
)
def test_exit_codes_in_words(code: int | None, words: str) -> None:
    assert describe_exit(code) == words
