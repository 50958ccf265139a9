"""Validates lines in order: in this process while they are few, in parallel processes when they are many."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice

from core.parent import die_with_parent
from producers.files.event_lines import Line
from producers.files.line_copy import read_line
from schemas.nostr.judge import Judgement, Policy, judge
from schemas.reasons import EventError, Verdict

PARALLEL_FROM_LINES = 20_000  # a second of work; starting other processes costs a third of it
_CHUNK_LINES = 256  # about 20 ms of work, of which handing it to another process is a hundredth
_CHUNKS_PER_PROCESS = 4  # enough to keep each busy; at 1 MiB a line the lines in flight still have a bound

VerdictLine = dict[str, object]
"""`line`, `id` (None where none can be found), `verdict`, `reason` (None when accepted), else `field` and `detail`."""


def verdict_of(line: Line, policy: Policy) -> VerdictLine:
    """Validate one line as an import of it would be validated."""
    try:
        copy, event_id = read_line(line, None, 0)
    except EventError as error:
        return _as_line(line.number, None, Judgement(Verdict.REFUSED, error.reason, error.field, error.detail))
    return _as_line(line.number, event_id, judge(copy.event, policy))


def _as_line(number: int, event_id: str | None, judgement: Judgement) -> VerdictLine:
    verdict: VerdictLine = {
        "line": number,
        "id": event_id,
        "verdict": judgement.verdict,
        "reason": judgement.reason,
    }
    if judgement.field is not None:
        verdict["field"] = judgement.field
    if judgement.detail is not None:
        verdict["detail"] = judgement.detail
    return verdict


def verdicts(
    lines: Iterator[Line], policy: Policy, processes: int | None = None, alone: int = PARALLEL_FROM_LINES
) -> Iterator[VerdictLine]:
    """Validate lines in their order.

    Args:
        lines: to validate.
        policy: of the archive.
        processes: that validate in parallel where lines are many; None: one for each core that this process may use.
        alone: so many of the first lines are validated in this process.
    """
    for line in islice(lines, alone):
        yield verdict_of(line, policy)
    processes = processes or len(os.sched_getaffinity(0))
    if processes > 1:
        yield from _in_parallel(lines, policy, processes)
    else:
        yield from (verdict_of(line, policy) for line in lines)


def _in_parallel(lines: Iterator[Line], policy: Policy, processes: int) -> Iterator[VerdictLine]:
    first = list(islice(lines, _CHUNK_LINES))
    if not first:
        return
    # A fork would copy whatever threads and locks the caller has; a fresh interpreter has none.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start_worker)
    waiting: deque[Future[list[VerdictLine]]] = deque()
    try:
        chunk = first
        while chunk or waiting:
            if chunk:
                waiting.append(pool.submit(_judge_chunk, chunk, policy))
            if not chunk or len(waiting) >= processes * _CHUNKS_PER_PROCESS:
                yield from waiting.popleft().result()
            chunk = list(islice(lines, _CHUNK_LINES)) if chunk else []
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    # Ctrl-C reaches every process of the terminal; the parent ends the workers when it stops reading.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()


def _judge_chunk(lines: list[Line], policy: Policy) -> list[VerdictLine]:
    return [verdict_of(line, policy) for line in lines]
