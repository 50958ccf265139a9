"""`bigbrotr relays`: what is written where, and what is read back; records written here stand in for the registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bigbrotr.commands.relays.relays import relays
from core.kafka import publishing, read_to_end
from core.settings import Settings
from schemas.nostr.relay_document import content_hash
from schemas.partition import event_partition, relay_partition
from schemas.records.relay import RelayRecord
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import DocumentChange, Outage, RelayHealth
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import Network, normalize
from schemas.topics import physical
from tests.broker.bigbrotr.conftest import Command
from tests.environment import environment
from tests.unit.bigbrotr.relays.records import record

pytestmark = pytest.mark.broker

URL = "wss://one.example"
Call = Callable[..., Awaitable[Result]]


@pytest.fixture
def call(settings: Settings) -> Call:
    """Run a command of `relays` in this process, which loads the program once, with the settings as variables."""
    runner = CliRunner(env=environment(settings))

    async def invoke(*arguments: str) -> Result:
        return await asyncio.to_thread(runner.invoke, relays, arguments)

    return invoke


def name(settings: Settings, topic: str) -> str:
    return physical(settings.kafka.topic_prefix, topic)


async def commands(settings: Settings) -> dict[str, RelayCommand]:
    """What stands, by key, each in the partition of its domain."""
    found = {}
    for number in range(4):
        for key, value in (await read_to_end(settings, name(settings, "relays.commands"), [number])).items():
            command = found[key.decode()] = RelayCommand.decode(value)
            host = normalize(command.target).host if "://" in command.target else command.target
            assert (command.key(), domain_partition(host, 4)) == (key, number)
    return found


async def news(settings: Settings) -> dict[str, RelayFound]:
    """The newest of each target, which the topic would keep if it were compacted."""
    found = await read_to_end(settings, name(settings, "relays.found"), range(4))
    return {key.decode(): RelayFound.decode(value) for key, value in found.items()}


async def decided(settings: Settings, topic: str, *records: RelayRecord) -> None:
    """Write as the registry does."""
    async with publishing(settings) as publisher:
        for each in records:
            place = relay_partition if topic == "relays" else domain_partition
            host = normalize(each.url, allow_private=True).host
            await publisher.send(name(settings, topic), each.encode(), each.url.encode(), place(host, 4))
        await publisher.flush()


async def test_lists_are_published_once_and_change_nothing_that_a_person_has_said(
    call: Call, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("wss://one.example//x # good\nhttp://two.example\nWSS://ONE.example/x/\n")
    first = await call("publish", str(tmp_path / "list.txt"), "wss://three.example", "--json")
    assert first.exit_code == 0, first.stderr
    assert "list.txt:2: http://two.example" in first.stderr
    assert {"written": 2, "unchanged": 0, "duplicates": 1, "not_running": ["registry"]}.items() <= json.loads(
        first.stdout
    ).items()
    assert "no registry runs" in first.stderr
    standing = await commands(settings)
    assert set(standing) == {"operator wss://one.example/x", "operator wss://three.example"}
    assert standing["operator wss://one.example/x"].spelling == "wss://one.example//x"
    told = await news(settings)
    assert {each.command for each in told.values()} == set(standing.values())
    assert {each.source for each in told.values()} == {"operator"}

    assert (await call("deny", "wss://three.example", "--reason", "asked")).exit_code == 0
    assert (await call("priority", "wss://one.example/x")).exit_code == 0
    again = await call("publish", str(tmp_path / "list.txt"), "wss://three.example", "--json")
    report = json.loads(again.stdout)
    assert (report["written"], report["unchanged"]) == (0, 1)
    assert "wss://three.example: was denied by command and stays so" in again.stderr
    assert [refused["text"] for refused in report["refused"]] == ["http://two.example", "wss://three.example"]
    standing = await commands(settings)
    one, three = standing["operator wss://one.example/x"], standing["operator wss://three.example"]
    assert (one.lane, one.spelling) == ("priority", "wss://one.example//x")
    assert (three.action, three.reason) == ("deny", "asked")
    assert (await news(settings))["wss://three.example"].source is None, "who denies a relay does not name it"

    assert (await call("add", "wss://three.example")).exit_code == 0
    assert (await commands(settings))["operator wss://three.example"].action == "add"


async def test_private_relays_are_added_only_where_that_is_said(call: Call, settings: Settings) -> None:
    refused = await call("add", "ws://127.0.0.1:7777")
    assert (refused.exit_code, "--allow-private lets it through" in refused.stderr) == (1, True)
    assert (await call("add", "--allow-private", "ws://127.0.0.1:7777")).exit_code == 0
    assert (await call("deny", "127.0.0.1")).exit_code == 0
    found = await commands_of_private(settings)
    assert found == {"operator ws://127.0.0.1:7777": ("add", True), "operator 127.0.0.1": ("deny", False)}


async def commands_of_private(settings: Settings) -> dict[str, tuple[str, bool]]:
    found = await read_to_end(settings, name(settings, "relays.commands"), range(4))
    standing = {key.decode(): RelayCommand.decode(value) for key, value in found.items()}
    return {key: (each.action, each.allow_private) for key, each in standing.items()}


async def test_hosts_are_denied_from_a_file_and_their_denial_is_taken_back(
    call: Call, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "denied").write_text("relay.example.com\nexample.org\nwss://one.example\ncom\n")
    done = await call("deny", str(tmp_path / "denied"), "--json")
    assert (done.exit_code, json.loads(done.stdout)["written"], len(json.loads(done.stdout)["refused"])) == (0, 3, 1), (
        done.stderr
    )
    assert (await call("remove", "example.org")).exit_code == 0
    standing = {key: each.action for key, each in (await commands(settings)).items()}
    assert standing == {
        "operator relay.example.com": "deny",
        "operator example.org": "remove",
        f"operator {URL}": "deny",
    }


async def test_relays_are_listed_by_filter_and_shown_whole(call: Call, command: Command, settings: Settings) -> None:
    empty = await call("list")
    assert (empty.exit_code, empty.stdout, "0 of 0 relays" in empty.stderr) == (0, "", True), empty.stderr
    assert (await call("deny", "example", "--json")).exit_code == 1, "that is a top-level domain"
    assert (await call("deny", "three.example", "--reason", "asked")).exit_code == 0
    denied = record("wss://three.example", sources=("seed",), state="denied", allowed=False)
    await decided(settings, "relays", record("wss://two.example", source="publish"), record(URL), denied)
    await decided(settings, "relays.candidates", record("wss://four.example", sources=("event",)))

    listed = (await call("list", "--json")).stdout.splitlines()
    assert [json.loads(each)["url"] for each in listed] == [URL, "wss://three.example", "wss://two.example"]
    limited = await call("list", "--limit", "1")
    assert (len(limited.stdout.splitlines()), "3 of 3 relays, 1 shown" in limited.stderr) == (1, True)
    (only,) = (await call("list", "--denied", "--source", "seed")).stdout.splitlines()
    assert only.startswith("denied     regular   clearnet  wss://three.example  seed")
    (candidate,) = (await call("list", "four", "--candidates", "--json")).stdout.splitlines()
    assert (json.loads(candidate)["topic"], json.loads(candidate)["sources"]) == ("relays.candidates", ["event"])

    shown: dict[str, Any] = json.loads((await call("show", "wss://three.example", "--json")).stdout)
    assert (shown["record"]["state"], shown["commands"][0]["target"]) == ("denied", "three.example")
    text = (await call("show", "WSS://three.example/")).stdout
    assert "three.example denied by operator at" in text
    assert "read          no: denied" in text
    assert "read          no: candidate" in (await call("show", "wss://four.example")).stdout
    unknown = await call("show", "wss://five.example")
    assert (unknown.exit_code, "is not known" in unknown.stderr) == (1, True)

    status = (await command("status", "--json")).json()
    assert status["not_read"] == {"waiting": 2, "denied": 1, "candidate": 1}


async def test_the_health_of_a_relay_is_shown_and_chosen_by(call: Call, settings: Settings) -> None:
    assert (await call("list", "--health", "offline")).stdout == "", "there are no topics yet"
    assert (await call("add", URL)).exit_code == 0
    await decided(settings, "relays", record(URL), record("wss://two.example"))
    documents = [
        RelayDocumentRecord(hash=content_hash(text.encode()), text=text, first_seen_ms=1)
        for text in ('{"name":"one"}', '{"name":"two","version":"1"}', "<html>")
    ]
    old, new, odd = (each.hash for each in documents)
    health = RelayHealth(
        url=URL,
        network=Network.CLEARNET,
        state="offline",
        document=new,
        changes=(
            DocumentChange(at_ms=1, before=old, after=new),
            DocumentChange(at_ms=2, before=odd, after=None),
        ),
        outages=(Outage(since_ms=5, verdict="broken", cause="tls"),),
        judged_at_ms=7,
    )
    async with publishing(settings) as publisher:
        for each in documents:
            at = event_partition(each.hash, 4)
            await publisher.send(name(settings, "relays.documents"), each.encode(), each.hash.encode(), at)
        for url in (URL, "wss://unlisted.example"):
            at = relay_partition(normalize(url).host, 4)
            value = health.model_copy(update={"url": url}).encode()
            await publisher.send(name(settings, "relays.health"), value, url.encode(), at)
        await publisher.flush()

    shown = json.loads((await call("show", URL, "--json")).stdout)["health"]
    assert (shown["state"], shown["outages"][0]["cause"]) == ("offline", "tls")
    assert [each["members"] for each in shown["changes"]] == [["name", "version"], None]
    text = (await call("show", URL)).stdout
    assert "  state         candidate" in text
    assert "  health        offline" in text
    assert "another one: name, version" in text
    assert json.loads((await call("show", "wss://two.example", "--json")).stdout)["health"] is None
    assert (await call("show", "wss://unlisted.example")).exit_code == 0, "it was probed"
    (only,) = (await call("list", "--health", "offline")).stdout.splitlines()
    assert URL in only
    assert (await call("list", "--health", "online")).stdout == ""


async def test_a_command_waits_for_the_registry_as_long_as_it_is_told(call: Call, settings: Settings) -> None:
    late = await call("add", URL, "--wait", "1s")
    assert (late.exit_code, f"1 of 1 are not decided after 1 s: {URL}" in late.stderr) == (1, True)
    waiting = asyncio.ensure_future(call("deny", URL, "--wait", "90s"))
    await asyncio.sleep(0)
    await decided(settings, "relays", record(URL), record(URL, allowed=False))
    done = await waiting
    assert done.exit_code == 0, done.stderr
