"""The whole farm, by the name of each behaviour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.broker.secured.certificates import Authority
from tests.relays.dns_server import name_server
from tests.relays.farm.case import Case, Ground
from tests.relays.farm.documents import DOCUMENTS
from tests.relays.farm.failing import FAILING
from tests.relays.farm.foreign import FOREIGN
from tests.relays.farm.lying import LYING
from tests.relays.farm.policies import POLICIES, REFUSING
from tests.relays.farm.willing import WILLING

FARM = WILLING | POLICIES | REFUSING | FOREIGN | FAILING | LYING | DOCUMENTS


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """What servers of the farm stand on, for the length of a block."""
    async with name_server() as names:
        yield Ground(names, Authority(folder), folder)


@asynccontextmanager
async def served(on: Ground, cases: Mapping[str, Case]) -> AsyncIterator[dict[str, str]]:
    """Serve these; the URL of each."""
    async with AsyncExitStack() as serving:
        yield {name: await serving.enter_async_context(case.serve(on)) for name, case in cases.items()}
