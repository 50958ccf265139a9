"""The health endpoints of a service: /metrics, /healthz, /readyz and /status, on loopback unless set otherwise.

They are served before the service starts and until it has closed, so that a service that waits for Kafka can say so.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Protocol

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.errors import OperatorError
from core.files import write_whole
from core.metrics import REGISTRY
from core.service.listening import not_listening
from core.settings.groups import HttpSettings

logger = logging.getLogger(__name__)

# Nothing is uploaded here; a request larger than this is no health check.
_MAX_BODY_BYTES = 1024
# Connections still open when the process stops get this long to take their answer.
_SHUTDOWN_S = 1.0


class Health(Protocol):
    """What the endpoints query; `core.service.lifecycle.Lifecycle` implements it."""

    def alive(self) -> bool:
        """Return whether the event loop runs."""

    def reasons(self) -> list[str]:
        """Return why the service is not ready; empty when it is."""

    def status(self) -> dict[str, object]:
        """Return the status document, for people and for the live view."""


class HealthServer:
    """Serves one process's health. The port is in `port` after `start`, in the log, and in `settings.port_file`."""

    def __init__(self, settings: HttpSettings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen.

        Raises:
            OperatorError: the address cannot be listened on, as where the port is in use.
        """
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/status", self._status)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()
        except OSError as error:
            host, port = self._settings.host, self._settings.port
            raise OperatorError(not_listening("the health endpoints", "http", host, port, error)) from error
        self.port = int(self._runner.addresses[0][1])
        logger.info("health endpoints listen", extra={"host": self._settings.host, "port": self.port})
        if self._settings.port_file is not None:
            write_whole(self._settings.port_file, f"{self.port}\n")

    async def stop(self) -> None:
        """Stop listening and remove the port file."""
        if self._settings.port_file is not None:
            with contextlib.suppress(FileNotFoundError):
                self._settings.port_file.unlink()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _answer([] if self._health.alive() else ["the event loop has stalled"])

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _answer(self._health.reasons())

    async def _status(self, _request: web.Request) -> web.Response:
        body = orjson.dumps(self._health.status(), default=str, option=orjson.OPT_NON_STR_KEYS)
        return web.Response(body=body, content_type="application/json")


def _answer(reasons: list[str]) -> web.Response:
    return web.Response(status=503 if reasons else 200, text="\n".join(reasons or ["ok"]) + "\n")
