"""Runs uvicorn inside a service: on a socket of ours, without signal handlers of its own."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from api.clients import ClientAddresses
from api.connections.bounds import Bounds, bounds_of
from api.connections.config import PlacesConfig
from api.connections.gate import Gate
from api.connections.http import HttpConnection
from api.connections.places import Places
from api.connections.websocket import WebSocketConnection
from core.errors import OperatorError
from core.service.listening import not_listening
from core.settings.serving import ApiSettings

_BACKLOG = 512
"""Connections that wait to be accepted: as many as one turn of the loop may take."""
_GRACEFUL_S = 2
"""For answers that are under way when the process stops; a websocket is told by a close frame at once."""
_TURNS_OF_A_CHECK = 10
"""Uvicorn's turns, each 0.1 s."""
_OTHER_FILES = 256
"""Files and sockets of a process that are no connections of clients."""
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, a setting says
"""Hosts that stand for every address of a machine, by one at which it reaches itself."""


class ApiServer:
    """Serves an application until `stop`.

    Args:
        app: answers.
        settings: where to listen, and the bounds.
        drain_s: in which the process is to have stopped; answers that are under way get half of it at most.
        bounds: of connections; None: those of the settings.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings, *, drain_s: float, bounds: Bounds | None = None) -> None:
        self._settings = settings
        self._socket = _listening(settings)
        bounds = bounds or bounds_of(settings)
        _allow_files(bounds.connections + _OTHER_FILES)
        self._places = Places(bounds, ClientAddresses(settings.trusted_proxies))
        config = PlacesConfig(
            Gate(app, self._places),
            self._places,
            http=HttpConnection,
            ws=WebSocketConnection,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=bounds.head_bytes,
            ws_max_size=bounds.message_bytes,
            ws_ping_interval=bounds.ping_s,
            ws_ping_timeout=bounds.ping_s,
            ws_per_message_deflate=False,  # a compressor for each connection takes 300 KB
            timeout_keep_alive=bounds.keep_alive_s,
            timeout_graceful_shutdown=max(1, min(_GRACEFUL_S, int(drain_s / 2))),
        )
        self._server = _Server(config)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._places)

    @property
    def url(self) -> str:
        """The address of the API as this machine reaches it."""
        host = _ANY.get(self._settings.host, self._settings.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def serve(self) -> None:
        """Serve until `stop`, then let answers that are under way end."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._places.end()

    def close(self) -> None:
        """Listen no more, where `serve` has not seen to it."""
        self._socket.close()

    def stop(self) -> None:
        """Have `serve` return."""
        self._places.is_ending = True
        self._server.should_exit = True


class _Server(uvicorn.Server):
    config: PlacesConfig

    async def on_tick(self, counter: int) -> bool:
        """Cut slow connections every second."""
        if counter % _TURNS_OF_A_CHECK == 0:
            self.config.places.cut(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the service's lifecycle."""
        yield


def _listening(settings: ApiSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG, reuse_port=False)
    except OSError as error:
        raise OperatorError(not_listening("the API", "api", settings.host, settings.port, error)) from error


def _allow_files(number: int) -> None:
    """Raise the process's own bound of open files, which is often 1,024, if the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        most = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
