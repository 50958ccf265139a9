"""What containers may do: no more than their work needs, wherever a fault or an intruder might take them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.containers.engine import docker
from tests.containers.stack import SERVERS, SERVICES, Stack

pytestmark = [pytest.mark.containers, pytest.mark.timeout(420)]

# Access is asked of the kernel for every path, so a mount that was not thought of is found too. What a link leads to is
# found where it lies; devices and the kernel's own files are no place to keep anything.
WRITABLE = r"find / \( -path /proc -o -path /dev -o -path /sys \) -prune -o ! -type l -writable -print"
WRITE = """
for folder in / /tmp /var/tmp /var/lib /etc /opt /home /run /usr/local/bin "$HOME" "$PWD"; do
    cd "$folder" 2>/dev/null && touch written 2>/dev/null && pwd -P && rm written
done; true
"""
PROBE = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"
PROBE_BASH = "exec 3<>/dev/tcp/$0/$1"
PROBE_S = 2


def running(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every container that runs: its service's name, and what the engine knows of it."""
    for each in stack.ps():
        if each.State == "running":
            yield each.Service or "", stack.inspect(each.Name or "")


def test_every_container_is_confined_limited_and_its_log_rotated(demo_stack: Stack) -> None:
    containers = demo_stack.ps()
    assert {each.Service for each in containers} >= {*SERVICES, *SERVERS, "topics", "migrate", "relays", "filler"}
    for each in containers:
        host = demo_stack.inspect(each.Name or "")["HostConfig"]
        assert host["ReadonlyRootfs"], each.Name
        assert not host["Privileged"], each.Name
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None), each.Name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], each.Name
        assert min(host["Memory"], host["NanoCpus"], host["PidsLimit"]) > 0, each.Name
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "5", "max-size": "10m"}}, each.Name
        assert host["NetworkMode"].startswith(demo_stack.project), each.Name


def test_every_process_is_a_plain_user_without_any_capability(demo_stack: Stack) -> None:
    for service, _ in running(demo_stack):
        said = demo_stack.exec(service, "sh", "-c", "cat /proc/[0-9]*/status").stdout
        processes = [_fields(text) for text in said.split("Name:")[1:]]
        # What the engine brings into a container, as a health check, is root for a moment, and has no parent here.
        ours = [fields for fields in processes if fields["Pid"] == "1" or fields["PPid"] != "0"]
        assert ours, service
        for fields in ours:
            assert "0" not in fields["Uid"].split() + fields["Gid"].split(), (service, fields)
            assert {int(fields[f"Cap{kind}"], 16) for kind in ("Eff", "Prm", "Bnd", "Amb")} == {0}, (service, fields)
            assert fields["NoNewPrivs"] == "1", (service, fields)


def test_nothing_can_be_written_but_volumes(demo_stack: Stack) -> None:
    for service, known in running(demo_stack):
        volumes = {mount["Destination"] for mount in known["Mounts"] if mount["RW"]}
        assert {mount["Type"] for mount in known["Mounts"] if mount["RW"]} <= {"volume"}, service
        places = volumes | set(known["HostConfig"].get("Tmpfs", ()))
        assert bool(places) == (service in SERVERS), service
        # A place may be told by a link that leads to it.
        places |= set(demo_stack.exec(service, "readlink", "--canonicalize", "/none", *places).stdout.splitlines())
        found = demo_stack.exec(service, "sh", "-c", f"{WRITABLE} 2>/dev/null; true").stdout.splitlines()
        assert [path for path in found if not _lies_in(path, places)] == [], service
        written = demo_stack.exec(service, "sh", "-c", WRITE).stdout.splitlines()
        assert [path for path in written if not _lies_in(path, places)] == [], service


def test_ports_are_published_on_the_loopback_only(demo_stack: Stack) -> None:
    published = {}
    for service, known in running(demo_stack):
        for bindings in known["NetworkSettings"]["Ports"].values():
            for binding in bindings or []:
                published[(service, int(binding["HostPort"]))] = binding["HostIp"]
    ours = {
        ("kafka", demo_stack.kafka_port),
        ("postgres", demo_stack.postgres_port),
        ("api", demo_stack.api_port),
    }
    assert published == dict.fromkeys(ours, "127.0.0.1")
    others = {
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6} and entry.address not in {"127.0.0.1", "::1"}
    }
    for _, port in ours:
        assert _answers("127.0.0.1", port)
        assert [address for address in others if _answers(address, port)] == []


def test_only_the_connector_has_a_way_out(demo_stack: Stack) -> None:
    networks = {name: _network(demo_stack, name) for name in ("backend", "loopback", "outside", "relays")}
    assert {name: known["Internal"] for name, known in networks.items()} == {
        "backend": True,
        "loopback": False,
        "outside": False,
        "relays": True,
    }
    assert {
        name for name, _ in running(demo_stack) if f"{demo_stack.project}_outside" in _networks_of(demo_stack, name)
    } == {"connector"}
    outside = _somewhere_outside()
    if demo_stack.exec("connector", "python", "-c", PROBE, outside, "53").exit_code != 0:
        pytest.skip(f"the way out cannot be tried: the connector does not reach {outside} either")
    for service in ("sink", "relay-1"):
        assert demo_stack.exec(service, "python", "-c", PROBE, outside, "53").exit_code != 0, service
    for service in SERVERS:
        tried = demo_stack.exec(service, "timeout", str(PROBE_S), "bash", "-c", PROBE_BASH, outside, "53")
        assert tried.exit_code != 0, service


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=PROBE_S).close()
    except OSError:
        return False
    return True


def _fields(status: str) -> dict[str, str]:
    """What the kernel tells of a process."""
    pairs = (line.partition(":") for line in status.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _lies_in(path: str, places: set[str]) -> bool:
    return any(Path(path).is_relative_to(place) for place in places)


def _network(stack: Stack, name: str) -> dict[str, Any]:
    (found,) = json.loads(docker("network", "inspect", f"{stack.project}_{name}"))
    return dict(found)


def _networks_of(stack: Stack, service: str) -> set[str]:
    (name,) = stack.names(service)
    return set(stack.inspect(name)["NetworkSettings"]["Networks"])


def _somewhere_outside() -> str:
    """A machine that answers on TCP port 53, as servers of names must."""
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    return next((line.split()[1] for line in lines if line.startswith("nameserver ")), "192.0.2.1")
