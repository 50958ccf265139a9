"""A processor with one thing broken: `python -m tests.broker.processors.runtime.faulty HANDLER FAULT OFFSET`.

`none`: nothing is broken.
`rule`: a rule of validation raises for the events whose content is "poison", at any offset.
`raise`: handling the record at OFFSET of any partition raises. `agent`: the agent itself raises when that record comes.
`hang`: that record's outputs are never acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Any

from faust import Event

from core.service import run_service
from core.settings import load_settings
from processors.runtime.handler import Handled, Handler, SourceRecord
from processors.runtime.lane import Lane
from processors.runtime.outputs import BatchPublisher, Output
from processors.service import OpenProcessor, ProcessorService
from processors.validate.handler import ValidationHandler
from processors.validate.opening import open_validator
from schemas.nostr import event as nostr
from schemas.records.erasure import Cause, Erasures
from tests.broker.processors.runtime.two_topics import TwoTopics, open_two_topics

HANDLERS: dict[str, tuple[type[Handler], OpenProcessor]] = {
    "validate": (ValidationHandler, open_validator),
    "two topics": (TwoTopics, open_two_topics),
}
NAME, FAULT, OFFSET = sys.argv[1], sys.argv[2], int(sys.argv[3])
HANDLER, OPEN = HANDLERS[NAME]


class BrokenError(RuntimeError):
    """What this module is for."""


handle = HANDLER.handle


async def failing_handle(self: Handler, record: SourceRecord) -> Handled:
    if record.offset == OFFSET:
        raise BrokenError(f"at offset {record.offset}")
    return await handle(self, record)


class Hanging(list[Output]):
    """Outputs of which no acknowledgement comes."""


async def hanging_handle(self: Handler, record: SourceRecord) -> Handled:
    handled = await handle(self, record)
    return handled._replace(outputs=Hanging(handled.outputs)) if record.offset == OFFSET else handled


publish = BatchPublisher.publish


async def hanging_publish(self: BatchPublisher, outputs: Iterable[Output]) -> list[asyncio.Future[Any]]:
    sent = await publish(self, outputs)
    return [*sent, asyncio.get_running_loop().create_future()] if isinstance(outputs, Hanging) else sent


put = Lane.put


async def failing_put(self: Lane, event: Event) -> None:
    if event.message.offset == OFFSET:
        raise BrokenError(f"at offset {event.message.offset}")
    await put(self, event)


covers = Erasures.covers


def failing_covers(self: Erasures, event: nostr.Event) -> Cause | None:
    if event.content == "poison":
        raise BrokenError("by this event")
    return covers(self, event)


if __name__ == "__main__":
    if FAULT == "rule":
        Erasures.covers = failing_covers  # type: ignore[method-assign]
    elif FAULT == "raise":
        HANDLER.handle = failing_handle  # type: ignore[method-assign]
    elif FAULT == "agent":
        Lane.put = failing_put  # type: ignore[method-assign]
    elif FAULT == "hang":
        HANDLER.handle = hanging_handle  # type: ignore[method-assign]
        BatchPublisher.publish = hanging_publish  # type: ignore[method-assign]
    sys.exit(run_service(ProcessorService(load_settings(), OPEN)))
