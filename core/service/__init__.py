"""Services and how they are run: `class Connector(Service)`, then `sys.exit(run_service(Connector(settings)))`."""

from __future__ import annotations

import asyncio
import logging
import os

import uvloop

from core import log, metrics
from core.parent import parent_pid, watch_parent
from core.service.base import Service, UndrainedError
from core.service.lifecycle import CLOSE_S, FAILED, UNDRAINED, Lifecycle
from core.service.signals import StopSignals
from core.service.watchdog import Watchdog, end_process

__all__ = ["Service", "UndrainedError", "run_service"]

logger = logging.getLogger(__name__)

# After the loop is done: ending threads, freeing modules.
EXIT_S = 5.0


def run_service(service: Service, *, close_s: float = CLOSE_S, exit_s: float = EXIT_S) -> int:
    """Run the service until it is asked to stop, and return the exit code of the process.

    Call it in the main thread and hand the result to `sys.exit`. The process ends within seconds of this call's return,
    whatever threads are left.

    Args:
        service: not started yet.
        close_s: after which a process that is still closing connections is ended.
        exit_s: after which one whose loop is done is ended.
    """
    log.configure(service.settings, service.name)
    metrics.export_only(service.name)
    watchdog = Watchdog()
    lifecycle = Lifecycle(service, watchdog, close_s)

    def again(name: str) -> None:
        end_process(UNDRAINED, f"a second signal ({name})")

    signals = StopSignals(lifecycle.request_stop, again)
    signals.install()
    parent = parent_pid(os.environ)
    if parent is not None:
        watch_parent(parent, lambda: lifecycle.request_stop("the process that started this one is gone"))
    code = FAILED
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                code = runner.run(lifecycle.run(signals))
            finally:
                watchdog.arm(exit_s, "the end of the process", code or UNDRAINED)
    except Exception:
        code = FAILED
        logger.exception("%s failed", service.name)
    signals.attach()
    logger.info("%s ends with exit code %d", service.name, code)
    return code
