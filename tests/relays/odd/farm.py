"""All relays, by name, and how they are served: each on a loopback address of its own, so that each is another host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from tests.relays.odd import answers, connections
from tests.relays.odd.relay import OddRelay, serving
from tests.relays.odd.scale import Scale

_GROUPS = (
    answers.honest,
    answers.late,
    answers.known_filters,
    answers.pages,
    answers.filters,
    answers.limits,
    connections.signed,
    connections.sessions,
    connections.cuts,
    connections.rates,
    connections.subscriptions,
    connections.paths,
)


def farm(*, whole: bool = False) -> dict[str, OddRelay]:
    """Make all relays; `whole`: with the sizes and times that they were reported with."""
    return {name: relay for group in _GROUPS for name, relay in group(Scale(whole)).items()}


@asynccontextmanager
async def served(relays: Mapping[str, OddRelay], port: int = 0) -> AsyncIterator[None]:
    """Serve relays at 127.0.0.2 and onwards; port 0 is a free one for each."""
    async with AsyncExitStack() as stack:
        for number, relay in enumerate(relays.values(), 2):
            await stack.enter_async_context(serving(relay, f"127.0.0.{number}", port))
        yield
