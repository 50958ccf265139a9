"""What demo relays cannot hold is refused before anything starts, by name; relays are spelled as connectors do."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from deploy.demo.filler import main as filler
from deploy.demo.plan import RELAY_CAPACITY
from deploy.demo.relay import main as relay
from deploy.demo.relays import main as relays

URLS = ["--url", "ws://relay-1:7777", "--url", "ws://relay-2:7777"]


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        (relays, ["--relays", "2", "--copies", "2.4"], "--copies: must lie between 1 and the number of relays, 2"),
        (filler, URLS, "--copies: must lie between 1 and the number of relays, 2"),
        (filler, [*URLS, "--copies", "0.5"], "--copies: must lie"),
        (filler, [*URLS, "--copies", "2", "--events", str(RELAY_CAPACITY + 1)], "use more relays"),
        (filler, [], "--url"),
        (filler, ["--url", "relay-1:7777"], "'relay-1:7777'"),
        (filler, [*URLS, "--url", "WS://Relay-1:7777/", "--copies", "1"], "the same relay is named twice"),
        (relay, ["--host", "relay-1"], "'relay-1' is not an IP address"),
        (relay, ["--port", "65536"], "--port"),
    ],
)
def test_what_cannot_be_is_refused(command: click.Command, arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 2
    assert words in done.output
