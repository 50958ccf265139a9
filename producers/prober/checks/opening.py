"""The check `open`: name, socket, TLS and handshake, and how the handshake was refused."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from multidict import CIMultiDict
from websockets.http11 import Response

from core.clock import CLOCK
from producers.prober.checks.http_headers import clock_difference_s
from producers.prober.checks.refusing import http_refusal
from producers.prober.checks.words import words
from producers.prober.target import Target
from producers.relay_client.attempt import Attempt
from producers.relay_client.connection import RelayConnection
from producers.relay_client.dialling import Dialling, open_connection
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.refusals import RelayError
from schemas.records.probe import Cause, OpenCheck


class Opened(NamedTuple):
    """A connection, or why there is none.

    Attributes:
        check: the record.
        connection: an open one, which the caller closes.
        headers: of the answer to the handshake; none where there was no answer.
        clock_difference_s: the server's Date less our time; None: not known.
    """

    check: OpenCheck
    connection: RelayConnection | None = None
    headers: CIMultiDict[str] | None = None
    clock_difference_s: float | None = None


async def check_open(target: Target, dialling: Dialling) -> Opened:
    """Open a websocket to a relay, within the time of `dialling`."""
    attempt, began_s = Attempt(), loop_s()
    try:
        connection = await open_connection(target.record, target.url, dialling, attempt)
    except RelayError as error:
        check = OpenCheck(
            ok=False,
            error=words(str(error)),
            cause=_cause(attempt),
            # What did not answer was not connected to.
            address=None if attempt.step in ("connect", "no_route") else attempt.address,
            status=None if attempt.answer is None else attempt.answer.status_code,
        )
        return _opened(check, None, attempt)
    took_ms = round((loop_s() - began_s) * 1000)
    return _opened(OpenCheck(ok=True, took_ms=took_ms, address=attempt.address), connection, attempt)


def _opened(check: OpenCheck, connection: RelayConnection | None, attempt: Attempt) -> Opened:
    if attempt.answer is None:
        return Opened(check, connection)
    headers = _headers(attempt.answer)
    return Opened(check, connection, headers, clock_difference_s(headers, CLOCK.now_s()))


def _cause(attempt: Attempt) -> Cause:
    """The policy that the server names, or how it refuses us, or else the step that failed."""
    answer = attempt.answer
    if answer is None:
        return attempt.step
    if answer.status_code == HTTPStatus.PAYMENT_REQUIRED:
        return "payment"
    return http_refusal(answer.status_code, _headers(answer), bytes(answer.body)) or attempt.step


def _headers(answer: Response) -> CIMultiDict[str]:
    """With repeated ones, at which the library's own raise."""
    return CIMultiDict(answer.headers.raw_items())
