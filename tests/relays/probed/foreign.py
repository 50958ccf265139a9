"""Websockets that are no relays: what answers speaks something else."""

from __future__ import annotations

from tests.relays.probed.case import Case, Facts, at
from tests.relays.probed.member import Member, frames

_RPC = '{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null}'
NO_RELAY: Facts = {"checks.open.ok": True, "checks.read.ok": False, "checks.read.is_nostr": False}


def foreign(*said: str | bytes, greeting: tuple[str | bytes, ...] = ()) -> Case:
    """A websocket that speaks something else, and too little of it to be left before the time is up."""
    return Case(
        at(lambda: Member(greeting=greeting, verbs={"REQ": frames(*said)})), "not_nostr", short="read", facts=NO_RELAY
    )


FOREIGN = {
    "an echo": Case(at(lambda: Member(echo=True)), "not_nostr", short="read", facts=NO_RELAY),
    "JSON-RPC": foreign(_RPC),
    "bytes": foreign(b"\x00\x01\xff\xfe" * 8),
    "IRC": foreign(":irc.example 461 * REQ :Not enough parameters", greeting=(":irc.example NOTICE * :*** Hello",)),
    "Socket.IO": foreign(greeting=('0{"sid":"a","upgrades":[],"pingInterval":25000}',)),
    "a stream of Mastodon": foreign('{"stream":["public"],"event":"update","payload":"{}"}'),
    "a page": foreign("<html>426</html>"),
    "arrays of something": foreign('["hello",{"heartbeat":1}]', "[]", "null"),
    "much of something": Case(
        at(lambda: Member(greeting=[f'{{"tick":{number}}}' for number in range(9)])), "not_nostr", facts=NO_RELAY
    ),
}
