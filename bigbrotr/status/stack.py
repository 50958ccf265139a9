"""The services of a stack elsewhere, as containers, found by the addresses that `http.services` names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from bigbrotr.status.snapshot import ServiceState
from core.settings import Settings

_LOOKUP_S = 0.5
"""The name server of a stack answers in a millisecond, but asks others for a name that no container has."""


async def stack_services(settings: Settings) -> list[ServiceState]:
    """Name every instance of those services, still without their health: each address of a host is one."""
    found = await asyncio.gather(*map(_instances, settings.http.services))
    return [service for instances in found for service in instances]


async def _instances(service: str) -> Sequence[ServiceState]:
    host, _, port = service.rpartition(":")
    try:
        async with asyncio.timeout(_LOOKUP_S):
            known = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError:  # it is shown as a service that does not answer
        return [ServiceState(host, "running", host=host, port=int(port))]
    addresses = sorted({str(address[0]) for *_, address in known})
    if len(addresses) == 1:
        return [ServiceState(host, "running", host=host, port=int(port))]
    return [ServiceState(f"{host} {each}", "running", host=each, port=int(port)) for each in addresses]
