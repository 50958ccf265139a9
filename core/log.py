"""Logging: one line per entry on standard error, as text or as JSON.

Modules use `logging.getLogger(__name__)`; fields go into `extra={...}` and appear as `key=value` (or as JSON members).
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import time
from collections.abc import Callable

from core.settings.model import Settings

# What every LogRecord has; anything else on a record came in through `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# Libraries that tell at info level, or as warnings on healthy idle partitions, what concerns only their authors.
_QUIET = {
    "aiokafka": logging.WARNING,
    # Its one warning to us says at each connection that PLAIN sends the password, which `kafka.sasl_mechanism` says.
    "aiokafka.conn": logging.ERROR,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    # It warns of each failure to replace an idle connection, with a traceback; that PostgreSQL is away, we say.
    "asyncpg.pool": logging.ERROR,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "websockets": logging.WARNING,
}

# A client without its broker says the same hundreds of times a second, and so may input on which a rule fails; what a
# container keeps of its log is small.
_RATIONED = ("aiokafka", "processors.validate.apart")
_RATIONED_PREFIXES = tuple(f"{name}." for name in _RATIONED)
_RATION_S = 10.0

# It asks again by itself, ten times a second, and a first start meets this until Kafka has made its topic of offsets.
_PATIENT = "aiokafka.consumer.group_coordinator"


class _Ration(logging.Filter):
    """Rate limit for loggers that may repeat an entry: written once in a while, with the count of those left out.

    What a client corrects by itself is written only once it has gone on for as long.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        super().__init__()
        self._now_s = now_s
        self._said: dict[tuple[object, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether an entry is written.

        Alike are those with the same text before names and numbers come in, and with an exception of the same type.
        """
        if not f"{record.name}.".startswith(_RATIONED_PREFIXES):
            return True
        kind = record.exc_info[0] if record.exc_info else None
        now_s, alike = self._now_s(), (record.name, str(record.msg), kind)
        since_s, left_out = self._said.get(alike, (-_RATION_S, 0))
        if now_s - since_s >= 2 * _RATION_S and _is_retried(record):
            since_s, left_out = now_s, 0
        if now_s - since_s < _RATION_S:
            self._said[alike] = (since_s, left_out + 1)
            return False
        self._said[alike] = (now_s, 0)
        if left_out:
            record.left_out = left_out
        return True


def _is_retried(record: logging.LogRecord) -> bool:
    """Return whether an entry is about an error after which the client that writes it asks again by itself."""
    values = record.args if isinstance(record.args, tuple) else ()
    return record.name == _PATIENT and any(getattr(value, "retriable", False) is True for value in values)


class _TextFormatter(logging.Formatter):
    """`time level service logger: message key=value`, tracebacks on the lines below."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Write one entry; line feeds in the message are escaped, so that outside input cannot forge an entry."""
        fields = "".join(f" {key}={_plain(value)}" for key, value in _fields(record).items())
        message = _one_line(record.getMessage())
        head = f"{_time(record)} {record.levelname.lower():7} {self._service} {record.name}: {message}{fields}"
        return "\n".join([head, *_traceback(self, record)])


class _JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, service, logger, message, fields, and the traceback where there is one."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Write one entry; values that are not JSON are written as their text."""
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        traceback = _traceback(self, record)
        if traceback:
            entry["traceback"] = "\n".join(traceback)
        return json.dumps(entry, default=str, ensure_ascii=True)


def configure(settings: Settings, service: str = "bigbrotr", *, now_s: Callable[[], float] = time.monotonic) -> None:
    """Send this process's log to standard error as `settings.log` says; calling it again replaces the first call.

    Args:
        settings: level and format are used.
        service: the name in each entry, so that the lines of several processes can be told apart in one stream.
        now_s: a clock that only runs, for what may be said once in a while.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(service) if settings.log.format == "json" else _TextFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = getattr(logging, settings.log.level.upper())
    root.setLevel(level)
    if level > logging.DEBUG:
        handler.addFilter(_Ration(now_s))
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else max(level, quiet))


def _time(record: logging.LogRecord) -> str:
    return dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _one_line(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _plain(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and text and " " not in text else json.dumps(text)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    lines = [formatter.formatException(record.exc_info)] if record.exc_info else []
    return [*lines, formatter.formatStack(record.stack_info)] if record.stack_info else lines
