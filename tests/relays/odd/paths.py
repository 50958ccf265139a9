"""Relays that are at one path and not at another."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.relays.odd.behaviour import Behaviour, Refused

if TYPE_CHECKING:
    from tests.relays.odd.relay import OddRelay


@dataclass
class OnlyAt(Behaviour):
    """Is at one path, with its query; elsewhere is nothing, or the way there.

    Attributes:
        path: where it is.
        moved: the redirect with which the same path with or without a slash at its end is answered.
        absolute: whether the redirect names the host as well, as http:// like nginx does.
    """

    path: str
    moved: HTTPStatus | None = None
    absolute: bool = False

    def handshake(self, relay: OddRelay, path: str) -> Refused | None:
        """Refuse another path."""
        if path == self.path:
            return None
        if self.moved is None or path.strip("/") != self.path.strip("/"):
            return Refused(HTTPStatus.NOT_FOUND, {}, "not found")
        origin = relay.url.removesuffix(relay.path).replace("ws://", "http://") if self.absolute else ""
        return Refused(self.moved, {"Location": origin + self.path})
