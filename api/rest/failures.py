"""What the archive's reader could not do, as problems."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from api.read_errors import ClientBusyError, ReadError, TooSlowError
from api.rest.problem import ProblemError
from core.archive.queries.newest import TooCostlyError

_BUSY_S = 2.0
"""Queries take milliseconds mostly: places become free soon."""
_AWAY_S = 10.0
"""A database that restarts takes some seconds."""
_FIELD = re.compile(r"([\w#.]{1,20}):")


@contextmanager
def reading() -> Iterator[None]:
    """Turn errors of the reader and of costly questions into problems."""
    try:
        yield
    except TooCostlyError as error:
        field = _FIELD.match(str(error))
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, str(error), parameter=field[1] if field is not None else None
        ) from error
    except ClientBusyError as error:
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, str(error), retry_after_s=error.wait_s or _BUSY_S) from error
    except ReadError as error:
        wait_s = _AWAY_S if isinstance(error, TooSlowError) else _BUSY_S
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), retry_after_s=wait_s) from error
