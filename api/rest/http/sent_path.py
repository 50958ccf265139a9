"""Routes by the path as it was sent, so that a slash that is percent-encoded does not end a parameter."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.routing import Match, Route
from starlette.types import Scope


class SentPathRoute(Route):
    """A route whose parameters are decoded once the path is matched.

    `/v1/relays/wss%3A%2F%2Frelay.example%2Fprobes` is a relay, and `/v1/relays/wss%3A%2F%2Frelay.example/probes` are
    its probes; decoded before, they are the same path.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it was sent."""
        if "raw_path" not in scope:
            return super().matches(scope)
        match, found = super().matches({**scope, "path": scope["raw_path"].decode("latin-1")})
        # What is no UTF-8 becomes U+FFFD, which no parameter of a path may hold.
        parameters = {
            name: unquote(value) if isinstance(value, str) else value
            for name, value in found.get("path_params", {}).items()
        }
        return match, {**found, "path_params": parameters} if "path_params" in found else found
