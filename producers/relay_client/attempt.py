"""How far an attempt to connect came: the step that it failed at, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from websockets.http11 import Response

Step = Literal["no_proxy", "address", "no_route", "dns", "connect", "tls", "handshake", "redirect"]
_FAR: dict[Step, int] = {
    **dict.fromkeys(("no_proxy", "address", "no_route", "dns"), 0),
    "connect": 1,
    "tls": 2,
    **dict.fromkeys(("handshake", "redirect"), 3),
}


@dataclass(slots=True)
class Attempt:
    """One attempt to connect. `dialling.open_connection` fills it in, whatever comes of it.

    Attributes:
        step: the one under way, or the last one.
        address: the IP address that was connected to; None through a proxy.
        answer: to the websocket handshake, also where that was refused; its body too, then.
    """

    step: Step = "dns"
    address: str | None = None
    answer: Response | None = None

    def is_beyond(self, other: Attempt) -> bool:
        """Whether this one came further."""
        return _FAR[self.step] > _FAR[other.step]

    def follow(self, other: Attempt) -> None:
        """Become like another, of one address of the same host, unless this one came further."""
        if not self.is_beyond(other):
            self.step, self.address, self.answer = other.step, other.address, other.answer

    def socket_opened(self) -> None:
        """The handshake is next: TLS, where there is some, is agreed upon."""
        self.step = "handshake"
