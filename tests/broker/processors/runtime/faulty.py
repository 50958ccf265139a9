"""A processor with one thing broken: `python -m tests.broker.processors.runtime.faulty FAULT OFFSET`.

`rule`: a rule raises for the events whose content is "poison", at any offset.
`raise`: judging the bundle at OFFSET of any partition raises. `agent`: the agent itself raises when that bundle comes.
`hang`: that bundle's outputs are never acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from faust import Event

from core.service import run_service
from core.settings import load_settings
from processors.runtime import lane
from processors.service import ProcessorService
from processors.validate.outcome import Outcome, Source
from processors.validate.outputs import Outputs
from processors.validate.pipeline import conclude_bundle
from schemas import event as nostr
from schemas.erasure import Cause, Erasures

FAULT, OFFSET = sys.argv[1], int(sys.argv[2])


class BrokenError(RuntimeError):
    """What this module is for."""


def failing_conclude(found: Any, verdicts: Any, seen: Any, source: Source, partitions: int) -> Outcome:
    if source.offset == OFFSET:
        raise BrokenError(f"at offset {source.offset}")
    return conclude_bundle(found, verdicts, seen, source, partitions)


put = lane.Lane.put


async def failing_put(self: lane.Lane, event: Event) -> None:
    if event.message.offset == OFFSET:
        raise BrokenError(f"at offset {event.message.offset}")
    await put(self, event)


covers = Erasures.covers


def failing_covers(self: Erasures, event: nostr.Event) -> Cause | None:
    if event.content == "poison":
        raise BrokenError("by this event")
    return covers(self, event)


publish = Outputs.publish


async def hanging_publish(self: Outputs, outcome: Outcome, source: Source) -> list[asyncio.Future[Any]]:
    sent = await publish(self, outcome, source)
    return [*sent, asyncio.get_running_loop().create_future()] if source.offset == OFFSET else sent


if __name__ == "__main__":
    if FAULT == "rule":
        Erasures.covers = failing_covers  # type: ignore[method-assign]
    elif FAULT == "raise":
        lane.conclude_bundle = failing_conclude  # type: ignore[attr-defined] # the name that the lane imported
    elif FAULT == "agent":
        lane.Lane.put = failing_put  # type: ignore[method-assign]
    else:
        Outputs.publish = hanging_publish  # type: ignore[method-assign]
    sys.exit(run_service(ProcessorService(load_settings())))
