"""Private kinds (4 and 1059) are given to those they concern, by REQ, COUNT and as new events (NIP-42, NIP-17)."""

from __future__ import annotations

import secrets

import pytest

from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key
from tests.broker.api.relay.client import Client, connected
from tests.broker.api.relay.conftest import EVENTS, MESSAGES
from tests.broker.api.served import Served
from tests.broker.sinks.archived import AUTHORS, SECRETS, START_S, signed

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

NEEDS_LOGIN = "auth-required: events of kinds 4 and 1059 are given to their authors and recipients only"
PRIVATE = {4, 1059}


async def challenge(client: Client, verb: str = "REQ") -> str:
    """Ask for private events alone, and be asked who one is."""
    (_, text), refusal = await client.ask(verb, "p", {"kinds": [1059]})
    assert refusal == ["CLOSED", "p", NEEDS_LOGIN]
    assert len(text) == 32
    return str(text)


async def log_in(client: Client, *numbers: int) -> None:
    """Authenticate as these authors."""
    text = await challenge(client)
    for number in numbers:
        proof = client.proof(text, SECRETS[number])
        assert await client.ask("AUTH", proof._asdict()) == [["OK", proof.id, True, ""]]


def concerned(number: int) -> set[str]:
    """Ids of the private events that an author wrote or was sent."""
    key = AUTHORS[number]
    private = [each for each in EVENTS if each.kind in PRIVATE]
    return {each.id for each in private if each.pubkey == key or any(tag[:2] == ["p", key] for tag in each.tags)}


async def test_they_are_left_out_silently_beside_others(served: Served) -> None:
    """NIP-01: who asks for all kinds is given the public ones."""
    async with connected(served.url) as client:
        for asked in ({}, {"authors": [AUTHORS[0]]}, {"#p": [AUTHORS[0]]}, {"ids": [MESSAGES[0].id]}):
            assert PRIVATE.isdisjoint(each["kind"] for each in await client.events(asked))


async def test_who_asks_for_them_by_kind_is_given_a_challenge_once(served: Served) -> None:
    """NIP-42: the relay sends AUTH; who asks for other kinds too has an answer without them."""
    async with connected(served.url) as client:
        first, *_, end = await client.ask("REQ", "a", {"kinds": [4, 7]})
        assert first[0] == "AUTH"
        assert end[0] == "EOSE"
        assert {each[0] for each in await client.ask("REQ", "a", {"kinds": [4, 7]})} == {"EVENT", "EOSE"}
        assert await client.ask("REQ", "b", {"kinds": [4]}) == [["CLOSED", "b", NEEDS_LOGIN]]


@pytest.mark.parametrize("filters", [[{"kinds": [4, 1059]}], [{"kinds": [4]}, {"kinds": [1059], "authors": AUTHORS}]])
async def test_nothing_else_is_asked_for(served: Served, filters: list[dict[str, object]]) -> None:
    """NIP-42: a REQ or COUNT (NIP-45) that only a login could answer is closed by `auth-required:`."""
    async with connected(served.url) as client:
        assert (await client.ask("REQ", "a", *filters))[-1] == ["CLOSED", "a", NEEDS_LOGIN]
        assert (await client.ask("COUNT", "a", *filters))[-1] == ["CLOSED", "a", NEEDS_LOGIN]


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_author_and_recipient_are_given_theirs(served: Served, number: int) -> None:
    """NIP-17: a relay gives gift wraps to those they are for."""
    async with connected(served.url) as client:
        await log_in(client, number)
        assert {each["id"] for each in await client.events({"kinds": [4, 1059]})} == concerned(number)
        everything = {each["id"] for each in await client.events({}) if each["kind"] in PRIVATE}
        assert everything == concerned(number)
        mine = await client.ask("COUNT", "q", {"kinds": [4, 1059]})
        assert mine == [["COUNT", "q", {"count": len(concerned(number))}]]


async def test_limit_counts_what_is_given(served: Served) -> None:
    """NIP-01: private events of others take no place within a limit."""
    async with connected(served.url) as client:
        await log_in(client, 1)
        events = await client.events({"kinds": [4], "limit": 2})
        assert [each["id"] for each in events] == [MESSAGES[1].id, MESSAGES[0].id]


async def test_several_keys_of_a_connection(served: Served) -> None:
    """NIP-42: a client may authenticate with several keys; each is given what concerns it."""
    async with connected(served.url) as client:
        await log_in(client, 0, 1)
        found = {each["id"] for each in await client.events({"kinds": [4, 1059]})}
        assert found == concerned(0) | concerned(1)


@pytest.mark.parametrize(
    "asked",
    [
        {"kinds": [4], "authors": [AUTHORS[2]], "#p": [AUTHORS[3]]},
        {"kinds": [1059], "#p": [AUTHORS[0]]},
    ],
)
async def test_private_events_of_others_are_restricted(served: Served, asked: dict[str, object]) -> None:
    """NIP-42: `restricted:` says that the key that was proved may not read what is asked for."""
    async with connected(served.url) as client:
        await log_in(client, 1)
        (_, subid, text), *more = await client.ask("REQ", "a", asked)
        assert (subid, text.split(":")[0], more) == ("a", "restricted", [])
        assert (await client.ask("COUNT", "a", asked))[-1][2].startswith("restricted: ")
        await client.events({"kinds": [7]}, asked)


async def test_new_ones_are_given_to_whom_they_concern(served: Served) -> None:
    """NIP-42: whether a new event is given is decided as it comes: a login holds for open subscriptions."""
    async with connected(served.url) as recipient, connected(served.url) as stranger:
        await log_in(stranger, 3)
        asked = {"kinds": [4, 20_200], "since": START_S + 900}
        (_, text), *_ = await recipient.ask("REQ", "sub", asked)
        await stranger.ask("REQ", "sub", asked)
        await served.add(signed(START_S + 900, 4, [["p", AUTHORS[4]]], "before the login", author=2))
        proof = recipient.proof(text, SECRETS[4])
        assert (await recipient.ask("AUTH", proof._asdict()))[-1][2] is True
        message = signed(START_S + 901, 4, [["p", AUTHORS[4]]], "after", author=2)
        await served.add(message)
        last = signed(START_S + 902, 20_200, [], "for all")
        await served.add(last)
        assert [(await recipient.receive())[2]["id"] for _ in range(2)] == [message.id, last.id]
        assert (await stranger.receive())[2]["id"] == last.id


CHANGES: dict[str, tuple[dict[str, object], str]] = {
    "kind": ({"kind": 1}, "invalid: kind is 1"),
    "created_at too early": ({"later_s": -700}, "invalid: created_at"),
    "created_at too late": ({"later_s": 700}, "invalid: created_at"),
    "another relay": ({"relay": "wss://relay.example.com"}, "invalid: the tag relay"),
    "another port": ({"relay": "ws://127.0.0.1:1"}, "invalid: the tag relay"),
    "no URL": ({"relay": "http://["}, "invalid: the tag relay"),
    "an id of another event": ({"id": "a" * 64}, "invalid: id is not"),
    "a signature of another": ({"sig": "b" * 128}, "invalid: sig is not"),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_proof_that_is_none_is_refused(served: Served, what: str) -> None:
    """NIP-42: kind, time, challenge, relay, id and signature are checked; the same connection may try again."""
    changes, reason = CHANGES[what]
    async with connected(served.url) as client:
        text = await challenge(client)
        proof = client.proof(text, SECRETS[0], **changes)
        ((verb, event_id, is_accepted, why),) = await client.ask("AUTH", proof._asdict())
        assert (verb, event_id, is_accepted) == ("OK", proof.id, False)
        assert why.startswith(reason)
        assert await client.ask("REQ", "p", {"kinds": [4]}) == [["CLOSED", "p", NEEDS_LOGIN]]
        right = client.proof(text, SECRETS[0])
        assert (await client.ask("AUTH", right._asdict()))[-1][2] is True


async def test_a_challenge_is_of_one_connection(served: Served) -> None:
    """NIP-42: a proof for another connection, or with two challenges, is refused."""
    async with connected(served.url) as client, connected(served.url) as other:
        mine, others = await challenge(client), await challenge(other)
        assert mine != others
        proof = client.proof(others, SECRETS[0])
        assert (await client.ask("AUTH", proof._asdict()))[-1][2] is False
        tags = [["relay", client.url], ["challenge", mine], ["challenge", others]]
        both = proof._replace(tags=tags)
        both = both._replace(id=compute_id(both))
        assert (await client.ask("AUTH", both._asdict()))[-1][3].startswith("invalid: the tag challenge")


@pytest.mark.parametrize("change", ["http://{}", "wss://{}/", "ws://{}/any/path?query"])
async def test_relays_are_compared_by_host_and_port(served: Served, change: str) -> None:
    """NIP-42: URL normalization is left to relays; clients spell scheme and path differently."""
    async with connected(served.url) as client:
        text = await challenge(client)
        proof = client.proof(text, SECRETS[0], relay=change.format(served.url.removeprefix("http://")))
        assert (await client.ask("AUTH", proof._asdict()))[-1][2] is True


async def test_the_keys_of_a_connection_are_bounded(served: Served) -> None:
    """NIP-42: several keys may be proved, not any number."""
    async with connected(served.url) as client:
        text = await challenge(client)
        told = []
        for _ in range(17):
            proof: Event = client.proof(text, secret := secrets.token_bytes(32))
            assert proof.pubkey == public_key(secret)
            told.append((await client.ask("AUTH", proof._asdict()))[-1][2:])
        assert told[:16] == [[True, ""]] * 16
        assert told[16][1].startswith("restricted: ")
