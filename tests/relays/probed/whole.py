"""All servers, by the name of each behaviour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.broker.secured.certificates import Authority
from tests.relays.dns_server import name_server
from tests.relays.probed.case import Case, Ground
from tests.relays.probed.documents import DOCUMENTS
from tests.relays.probed.failing import FAILING
from tests.relays.probed.foreign import FOREIGN
from tests.relays.probed.lying import LYING
from tests.relays.probed.policies import POLICIES, REFUSING
from tests.relays.probed.willing import WILLING

PROBED = WILLING | POLICIES | REFUSING | FOREIGN | FAILING | LYING | DOCUMENTS


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """What the servers stand on, for the length of a block."""
    async with name_server() as names:
        yield Ground(names, Authority(folder), folder)


@asynccontextmanager
async def served(on: Ground, cases: Mapping[str, Case]) -> AsyncIterator[dict[str, str]]:
    """Serve these; the URL of each."""
    async with AsyncExitStack() as serving:
        yield {name: await serving.enter_async_context(case.serve(on)) for name, case in cases.items()}
