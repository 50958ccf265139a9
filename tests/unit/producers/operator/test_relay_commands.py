"""Which command is to stand, of one that is wanted and one that stands."""

from __future__ import annotations

from typing import Any

import pytest

from producers.operator.relay_commands import (
    Settle,
    adding,
    changing_lane,
    commanding,
    host_of,
    importing,
    replacing,
    told,
)
from schemas.records.relay_command import RelayCommand
from schemas.relay_urls.relay_url import normalize

URL = "wss://a.example/x"


def command(**fields: Any) -> RelayCommand:
    return RelayCommand(**{"target": URL, "action": "add", "spelling": URL, "at_ms": 5, **fields})


DENIED, REMOVED = command(action="deny", spelling=None), command(action="remove", spelling=None)
PRIORITY, PRIVATE = command(lane="priority"), command(allow_private=True)
FIRST = command(spelling=f"{URL}/", at_ms=1)


@pytest.mark.parametrize(
    ("settle", "wanted", "before", "settled"),
    [
        (replacing, command(), None, command()),
        (replacing, command(), DENIED, command()),
        (replacing, command(), PRIORITY, command()),
        (replacing, command(), PRIVATE, command()),
        (replacing, command(), FIRST, command(spelling=f"{URL}/")),
        (replacing, DENIED, FIRST, DENIED),
        (importing, command(), None, command()),
        (importing, command(), DENIED, None),
        (importing, command(), REMOVED, None),
        (importing, command(), PRIORITY, PRIORITY),
        (importing, command(), command(lane="ignored"), command(lane="ignored")),
        (importing, PRIORITY, command(), PRIORITY),
        (importing, command(), PRIVATE, PRIVATE),
        (importing, command(), FIRST, command(spelling=f"{URL}/")),
        (changing_lane, command(), PRIORITY, command()),
        (changing_lane, PRIORITY, PRIVATE, command(lane="priority", allow_private=True)),
        (changing_lane, PRIORITY, DENIED, None),
    ],
)
def test_which_command_is_to_stand(
    settle: Settle, wanted: RelayCommand, before: RelayCommand | None, settled: RelayCommand | None
) -> None:
    assert settle(wanted, before) == settled


def test_a_command_that_adds_a_relay_names_it_and_no_other_does() -> None:
    (seed,) = adding([normalize("wss://a.example//x")], source="seed")
    assert (seed.target, seed.spelling, seed.source) == (URL, "wss://a.example//x", "seed")
    (deny,) = commanding("deny", ["example.com"], "asked to be left alone")
    news = [told(each) for each in (seed, deny)]
    assert [(each.url, each.source, each.spelling) for each in news] == [
        (URL, "seed", "wss://a.example//x"),
        ("example.com", None, None),
    ]
    assert [each.command for each in news] == [seed, deny]


def test_the_host_of_a_target() -> None:
    assert [host_of(target) for target in ("ws://[::1]:7777", URL, "example.com")] == [
        "::1",
        "a.example",
        "example.com",
    ]
