"""A server, how it is probed, and what is to be found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from schemas.records.probe import Cause, Verdict
from tests.broker.secured.certificates import Authority
from tests.relays.dns_server import NameServer
from tests.relays.odd.relay import OddRelay, serving
from tests.relays.probed.member import Member

Step = Literal["open", "read", "write", "nip11", "dns", "ssl"]


@dataclass(frozen=True)
class Ground:
    """What the servers stand on.

    Attributes:
        names: the name server that is asked.
        authority: signs certificates; nothing trusts it unless that is said.
        folder: for files.
    """

    names: NameServer
    authority: Authority
    folder: Path


Facts = dict[str, object]
"""Members of a record by path: `checks.open.status`."""
Serve = Callable[[Ground], AbstractAsyncContextManager[str]]


@dataclass(frozen=True)
class Case:
    """One server.

    Attributes:
        serve: runs it for a block and gives the URL to probe.
        verdict: of a probe.
        cause: of that.
        facts: members of the record by their path; of those that are for people (`error`, `detail`) a part.
        full: whether all checks are made, rather than open and read.
        key: whether the monitor has a key, with which it answers AUTH.
        write: whether it writes, too.
        short: the check that ends by its time-out, which is short then; the others have all the time that they need.
        allow_private: whether the registry lets this relay have a private address, as all of them have.
        attempts: that are made; None: two where it is broken.
    """

    serve: Serve
    verdict: Verdict
    cause: Cause | None = None
    facts: Facts = field(default_factory=dict)
    full: bool = True
    key: bool = False
    write: bool = False
    short: Step | None = None
    allow_private: bool = True
    attempts: int | None = None

    @property
    def expected(self) -> Facts:
        """What is to be found, by path. A rule of ours is not tried a second time."""
        twice = self.verdict == "broken" and self.cause not in ("address", "no_proxy")
        attempts = self.attempts if self.attempts is not None else 1 + twice
        return {"verdict": self.verdict, "cause": self.cause, "attempts": attempts, **self.facts}


def at(make: Callable[[], Member]) -> Serve:
    """Serve a relay that is made anew."""

    @asynccontextmanager
    async def serve(_ground: Ground) -> AsyncIterator[str]:
        async with make() as member:
            yield member.url

    return serve


def odd(make: Callable[[], OddRelay]) -> Serve:
    """Serve one of the odd relays."""

    @asynccontextmanager
    async def serve(_ground: Ground) -> AsyncIterator[str]:
        async with serving(make()) as relay:
            yield relay.url

    return serve
