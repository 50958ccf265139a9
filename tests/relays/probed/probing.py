"""Probes the servers, and compares what is found with what they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from core.settings import Settings
from producers.prober.means import Means, open_means
from producers.prober.probe import Outcome, probe
from producers.prober.target import named_target
from schemas.records.probe import ProbeRecord
from schemas.relay_urls.relay_url import normalize
from tests.relays.probed.case import Case, Step

KEY = "07" * 32
LONG_S = 60.0
"""Nothing waits for it, unless what is expected does not come."""
SHORT_S = 2.0
"""Of the check that is to end so: no answer comes, however long it is waited for."""
_STEPS: tuple[Step, ...] = ("open", "read", "write", "nip11", "dns", "ssl")


def settings(case: Case, nameserver: str) -> Settings:
    """What a case is probed with."""
    times = {f"{step}_timeout_s": SHORT_S if case.short == step else LONG_S for step in _STEPS}
    if case.short == "open":
        # What does not let in does not answer the other checks either.
        times = dict.fromkeys(times, SHORT_S)
    return Settings.model_validate(
        {
            "prober": times | {"retry_s": 0.1, "write": case.write},
            "monitor": {"key": KEY} if case.key else {},
            "connector": {"nameservers": [nameserver]},
        }
    )


async def probed(cases: Mapping[str, Case], urls: Mapping[str, str], nameserver: str) -> dict[str, Outcome]:
    """Probe all once, with means of their own, as by a process that was started anew.

    First those that wait, for a time-out or a second attempt: the others would keep them from answering until then.
    """
    waiting = {name: case for name, case in cases.items() if case.short is not None or case.verdict == "broken"}
    rest = {name: case for name, case in cases.items() if name not in waiting}
    return await _at_once(waiting, urls, nameserver) | await _at_once(rest, urls, nameserver)


async def probed_one(url: str, means: Means, *, full: bool = True, allow_private: bool = True) -> ProbeRecord:
    """Probe one relay."""
    target = named_target(normalize(url, allow_private=True), allow_private=allow_private)
    return (await probe(target, means, full=full)).record


async def _at_once(cases: Mapping[str, Case], urls: Mapping[str, str], nameserver: str) -> dict[str, Outcome]:
    async def one(case: Case, url: str, means: Means) -> Outcome:
        target = named_target(normalize(url, allow_private=True), allow_private=case.allow_private)
        return await probe(target, means, full=case.full)

    async with _all_means(cases, nameserver) as means, asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(one(case, urls[name], means[name])) for name, case in cases.items()}
    return {name: task.result() for name, task in tasks.items()}


@asynccontextmanager
async def _all_means(cases: Mapping[str, Case], nameserver: str) -> AsyncIterator[dict[str, Means]]:
    """What each is probed with, shared by those that are probed alike."""
    async with AsyncExitStack() as opened:
        shared: dict[tuple[object, ...], Means] = {}
        found: dict[str, Means] = {}
        for name, case in cases.items():
            alike = (case.key, case.write, case.short)
            if alike not in shared:
                shared[alike] = await opened.enter_async_context(open_means(settings(case, nameserver)))
            found[name] = shared[alike]
        yield found


def faults(expected: Mapping[str, object], record: Mapping[str, Any]) -> list[str]:
    """In what a record, as JSON has it, is not as expected: by path; of what is for people, a part is."""
    found = []
    for path, wanted in expected.items():
        value = member(record, path)
        if isinstance(wanted, str) and path.rpartition(".")[2] in ("error", "detail"):
            is_right = isinstance(value, str) and wanted in value
        else:
            is_right = value == wanted
        if not is_right:
            found.append(f"{path} is {value!r} and should be {wanted!r}; the detail is {record['detail']!r}")
    return found


def member(record: Mapping[str, Any], path: str) -> Any:
    """A member of a record by its path; None where what holds it is not there."""
    found: Any = record
    for name in path.split("."):
        found = None if found is None else found[name]
    return found
