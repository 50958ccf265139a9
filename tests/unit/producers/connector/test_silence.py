"""A relay that answers nothing is told of as silent after five minutes on a connection, and no earlier."""

from __future__ import annotations

import asyncio

import pytest

from producers.connector.conversation import MOST_SILENT_S
from producers.connector.live import BACKDATED_S
from producers.connector.registry.standing import RelayStanding
from producers.relay_client.loop_clock import GRAIN_S
from producers.relay_client.refusals import RelayError
from schemas.nostr.filters import Filter
from schemas.records.relay import Report
from tests.unit.producers.connector.simulated import SimulatedRelay
from tests.unit.producers.connector.simulated_peer import Peer, PeerConnection
from tests.unit.producers.connector.simulated_reading import EVERYTHING, Reader
from tests.unit.producers.connector.virtual_time import run_virtually

LONG_S = 2 * MOST_SILENT_S


class Mute(Peer):
    """Hears nothing before so many seconds of a connection have passed."""

    speaks_after_s = LONG_S

    def connect(self) -> PeerConnection:
        """A new connection to it."""
        return _MuteConnection(self, self.speaks_after_s)


class _MuteConnection(PeerConnection):
    def __init__(self, peer: Peer, speaks_after_s: float) -> None:
        super().__init__(peer)
        self._speaks_at_s = asyncio.get_running_loop().time() + speaks_after_s

    async def send(self, message: bytes) -> None:
        """Take a message, if it hears it."""
        if asyncio.get_running_loop().time() >= self._speaks_at_s:
            await super().send(message)


def met(speaks_after_s: float) -> tuple[RelayError, float, Report | None]:
    """How a connection of at most ten minutes ends, after how many seconds, and what the registry is told then."""

    async def meet() -> tuple[RelayError, float, Report | None]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        peer = Mute(SimulatedRelay([]))
        peer.speaks_after_s = speaks_after_s
        talk = Reader(None).converse(peer)
        ended = await talk.talk({EVERYTHING: Filter()}, asyncio.sleep(LONG_S), backdated_s=BACKDATED_S)
        standing = RelayStanding(None)
        standing.ended(ended, spoke=talk.client.spoke)
        return ended, loop.time() - began_s, standing.report(1, on_tiers=False)

    return run_virtually(meet())


def test_a_relay_that_answers_nothing_is_silent_after_five_minutes() -> None:
    ended, lasted_s, report = met(LONG_S)
    assert ended.state == "silent"
    assert MOST_SILENT_S == 300
    assert MOST_SILENT_S <= lasted_s <= MOST_SILENT_S + 2 * GRAIN_S
    assert report is not None
    assert (report.state, report.detail) == ("silent", "has answered nothing for 300 s")


@pytest.mark.parametrize("speaks_after_s", [0.0, MOST_SILENT_S - 60])
def test_one_that_answers_within_five_minutes_is_not(speaks_after_s: float) -> None:
    ended, lasted_s, report = met(speaks_after_s)
    assert (ended.state, lasted_s >= LONG_S - GRAIN_S) == ("resting", True)
    assert report is not None
    assert report.state == "confirmed"
