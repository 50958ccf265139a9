"""The stack is crashed, frozen, scaled and stopped while events flow; its archive ends as if nothing had happened."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from bigbrotr.services import FLOW, READINGS
from core.settings import KafkaSettings
from tests.containers.flowing.asking import status, why_not_ready
from tests.containers.flowing.crashing import Crash, strike, wait_for_work
from tests.containers.flowing.flow import RELAYS, Flow
from tests.containers.stack import SERVERS, SERVICES, Stack

pytestmark = [
    pytest.mark.containers,
    pytest.mark.timeout(420),
]  # the first test also waits for images and for the stack

log = logging.getLogger(__name__)

# Downstream first: the next one to be killed still has what is upstream of it, and its work, while others recover.
CRASHES = (
    Crash("sink", "sink", "open_events"),
    Crash("processor", "processor", "bundles_in_flight"),
    Crash("connector", "connector", "unacknowledged_bytes"),
    Crash("kafka", "connector", "unacknowledged_bytes"),
    Crash("postgres", "sink", "open_events"),
)
MANY = {"connector": 3, "processor": 2, "sink": 2}
# Of connectors there are as many as relays, whose places in the registry decide who gets them: one may have none.
WORK_DONE = {"processor": "bigbrotr_copies_total", "sink": "bigbrotr_sightings_total"}
SINK_TOPICS = len(READINGS["sink"].topics)
GRACE_S = 30  # stop_grace_period of our services in compose.yaml
KILLED = 137


async def test_crashes_and_restarts_of_every_container_cost_no_row(flow: Flow) -> None:
    stack = flow.stack
    flow.begin(stored=3000, per_s=60)
    for crash in CRASHES:
        strike(stack, crash)
    for server in SERVERS:
        wait_for_work(stack)
        stack.restart(server)
    flow.end()
    await flow.assert_archived()
    until_healthy(stack)


async def test_services_say_that_a_frozen_server_is_away_and_none_of_them_ends(flow: Flow) -> None:
    stack = flow.stack
    before = {name: started(stack, name) for service in SERVICES for name in stack.names(service)}
    flow.begin(stored=0, per_s=30)
    with frozen(stack, "kafka"):
        for service in FLOW:
            until_it_says(stack, service, "Kafka")
        assert is_ready(stack, "api"), "what is archived can be read"
    with frozen(stack, "postgres"):
        for service in ("sink", "api"):
            until_it_says(stack, service, "PostgreSQL")
    for service in SERVICES:
        stack.until(f"the {service} is ready again", partial(is_ready, stack, service))
    assert {name: started(stack, name) for name in before} == before
    flow.end()
    await flow.assert_archived()


async def test_instances_divide_the_work_and_give_it_back_while_events_flow(flow: Flow) -> None:
    stack = flow.stack
    flow.begin(stored=1500, per_s=60)
    stack.up(*MANY, scale=MANY)
    stack.until("every instance has its share, and does work", lambda: divided(stack, MANY), 120)
    for_one = dict.fromkeys(MANY, 1)
    stack.up(*MANY, scale=for_one)
    assert [len(stack.names(service)) for service in MANY] == [1, 1, 1]
    flow.end()
    await flow.assert_archived()
    stack.until("one instance has everything", lambda: divided(stack, for_one))


async def test_a_stop_while_events_flow_ends_within_the_grace_period_and_loses_nothing(flow: Flow) -> None:
    stack = flow.stack
    flow.begin(stored=1500, per_s=60)
    wait_for_work(stack)
    began_s = time.time()
    stack.stop(*SERVICES, *SERVERS)
    ends = {name: stack.inspect(name)["State"] for service in SERVICES for name in stack.names(service)}
    assert {name: end["ExitCode"] for name, end in ends.items()} == dict.fromkeys(ends, 0)
    took_s = {name: ended_s(end) - began_s for name, end in ends.items()}
    log.warning("stopped after %s", ", ".join(f"{name} {each:.1f} s" for name, each in took_s.items()))
    assert max(took_s.values()) < GRACE_S
    assert KILLED not in {
        stack.inspect(name)["State"]["ExitCode"] for server in SERVERS for name in stack.names(server)
    }
    stack.start(*SERVERS, *SERVICES)
    flow.end()
    await flow.assert_archived()
    until_healthy(stack)


@contextmanager
def frozen(stack: Stack, server: str) -> Iterator[None]:
    """A server does not run for a while: connections stay open, and nothing answers."""
    stack.compose.do("pause", server)
    try:
        yield
    finally:
        stack.compose.do("unpause", server)


def until_it_says(stack: Stack, service: str, server: str) -> None:
    """Wait until a service is not ready, and names a server as the reason."""
    stack.until(f"the {service} waits for {server}", lambda: server in why_not_ready(stack, service))


def is_ready(stack: Stack, service: str) -> bool:
    """Tell whether a service is ready."""
    return not why_not_ready(stack, service)


def divided(stack: Stack, wanted: Mapping[str, int]) -> bool:
    """Tell whether the instances have all there is, none of it twice, each a share, and each has done work."""
    told = {service: [status(name) for name in stack.names(service)] for service in wanted}
    if {service: len(each) for service, each in told.items()} != wanted:
        return False
    partitions = KafkaSettings().partitions
    details = {service: [one["details"] for one in each] for service, each in told.items()}
    relays = [relay["url"] for one in details["connector"] for relay in one.get("relays", [])]
    sunk = [one.get("partitions", 0) for one in details["sink"]]
    return (
        is_division([one.get("partitions", []) for one in details["connector"]], partitions)
        and sorted(relays) == sorted(RELAYS)
        and is_division([one.get("partitions", []) for one in details["processor"]], partitions)
        and all(sunk)
        and sum(sunk) == SINK_TOPICS * partitions
        and all(one["metrics"][done] > 0 for service, done in WORK_DONE.items() for one in told[service])
    )


def is_division(shares: list[list[int]], whole: int) -> bool:
    """Tell whether no share is empty, and every number below the whole is in exactly one."""
    return all(shares) and sorted(part for share in shares for part in share) == list(range(whole))


def until_healthy(stack: Stack) -> None:
    """Wait until the engine's own health checks find everything well."""
    stack.until("everything is healthy", lambda: {each.Health for each in stack.ps(*SERVICES, *SERVERS)} == {"healthy"})


def started(stack: Stack, container: str) -> str:
    """When a container's present process was started."""
    return str(stack.inspect(container)["State"]["StartedAt"])


def ended_s(state: Mapping[str, Any]) -> float:
    """When a container's process ended, in Unix seconds."""
    # Nanoseconds are more than Python reads.
    return datetime.fromisoformat(str(state["FinishedAt"])[:26]).replace(tzinfo=UTC).timestamp()
