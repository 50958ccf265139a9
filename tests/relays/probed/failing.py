"""Servers that fail, each at one step."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from tests.broker.secured.certificates import DAY
from tests.relays.hostile import giant_frames, say
from tests.relays.probed.case import Case, Facts, Serve, at
from tests.relays.probed.member import Member, Page, frames, says
from tests.relays.probed.serving import (
    DRIP_S,
    dripping,
    hang_up,
    named,
    nothing_listens,
    over_tls,
    raw,
    saying,
    stubbornly,
    url_of,
)
from tests.relays.raw_frames import Opcode, header
from tests.relays.stubborn import Way

_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: bm90IHdoYXQgd2FzIGFza2VkIQ==\r\n\r\n"
)
_LONG_BYTES = 300_000
"""Of a frame that is not too long to be taken."""
_NOTICE_BYTES = 60_000
"""Seventy of these are what one probe takes."""
_NOTICES = 100


def refused_with(status: HTTPStatus, body: bytes = b"", **headers: str) -> Serve:
    """A relay of which the handshake is answered so."""
    return at(lambda: Member(wall=Page(body, status, "text/html", headers)))


async def drips_a_frame(_member: Member, websocket: ServerConnection, _message: list[Any]) -> None:
    """A frame, byte by byte."""
    websocket.transport.write(header(_LONG_BYTES, Opcode.TEXT))
    while websocket.state is State.OPEN:
        websocket.transport.write(b"[")
        await asyncio.sleep(DRIP_S)


async def compresses(_member: Member, websocket: ServerConnection, _message: list[Any]) -> None:
    """Send a frame with the bit of a compression that was not agreed upon (RFC 7692)."""
    plain = header(2, Opcode.TEXT)
    websocket.transport.write(bytes((plain[0] | 0x40,)) + plain[1:] + b"[]")


async def leaves(_member: Member, websocket: ServerConnection, _message: list[Any]) -> None:
    """Go without a word."""
    websocket.transport.abort()


async def floods(_member: Member, websocket: ServerConnection, _message: list[Any]) -> None:
    """Say more than a probe takes."""
    for _ in range(_NOTICES):
        await say(websocket, "NOTICE", "x" * _NOTICE_BYTES)


HANDSHAKE: Facts = {"checks.open.ok": False, "checks.open.took_ms": None, "checks.read": None}
SILENT: Facts = {"checks.open.ok": True, "checks.read.ok": False, "checks.read.took_ms": None}
NOWHERE: Facts = HANDSHAKE | {"checks.open.address": None}
ONION = "ws://" + "a" * 56 + ".onion"

NAMES = {
    "no such name": Case(
        named("missing.probed.example.com"), "broken", "dns", facts=NOWHERE | {"checks.dns.error": "no address"}
    ),
    "a name server that fails": Case(
        named("failing.probed.example.com", failing=True), "broken", "dns", facts=NOWHERE | {"checks.dns.ok": False}
    ),
    "a name server that is silent": Case(
        named("silent.probed.example.com", silent=True), "broken", "dns", full=False, short="open", facts=NOWHERE
    ),
    "a link-local address": Case(
        named("local.probed.example.com", addresses=["169.254.169.254", "fe80::1"]),
        "broken",
        "address",
        facts=NOWHERE | {"checks.nip11.ok": False, "checks.dns.a": ["169.254.169.254"]},
    ),
    "a private address": Case(
        url_of("ws://127.0.0.1:9"), "broken", "address", allow_private=False, facts=NOWHERE | {"detail": "no public"}
    ),
    "no proxy": Case(url_of(ONION), "broken", "no_proxy", facts=NOWHERE | {"checks.dns": None}),
}
CERTIFICATES = {
    "expired": Case(
        over_tls("expired.probed.example.com", lambda ground: ground.authority.sign(
            "expired", hosts=["expired.probed.example.com"], starts=-2 * DAY, ends=-DAY)),
        "broken",
        "tls",
    ),
    "not yet valid": Case(
        over_tls("early.probed.example.com", lambda ground: ground.authority.sign(
            "early", hosts=["early.probed.example.com"], starts=DAY, ends=2 * DAY)),
        "broken",
        "tls",
    ),
    "for another host": Case(
        over_tls("wrong.probed.example.com", lambda ground: ground.authority.sign(
            "wrong", hosts=["right.probed.example.com"])),
        "broken",
        "tls",
    ),
    "signed by itself": Case(
        over_tls("self.probed.example.com", lambda ground: ground.authority.sign(
            "self", hosts=["self.probed.example.com"], by_itself=True)),
        "broken",
        "tls",
        facts={"checks.ssl.problem": "self_signed", "checks.ssl.names": ["self.probed.example.com"]},
    ),
}  # fmt: skip
STEPS = {
    "nothing listens": Case(nothing_listens, "broken", "connect", facts=NOWHERE | {"checks.nip11.ok": False}),
    "it accepts and hangs up": Case(raw(hang_up), "broken", "handshake", facts=HANDSHAKE),
    "it accepts and hangs up before TLS": Case(raw(hang_up, "wss"), "broken", "tls", facts=HANDSHAKE),
    "it speaks no TLS": Case(
        raw(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "wss"),
        "broken",
        "tls",
        facts=HANDSHAKE | {"checks.ssl.problem": "no_certificate"},
    ),
    "garbage for TLS": Case(raw(saying(b"\x16\x03\x01\xff\xff" + b"\0" * 99), "wss"), "broken", "tls", facts=HANDSHAKE),
    "it begins no TLS": Case(stubbornly(Way.NO_TLS), "broken", "tls", full=False, short="open", facts=HANDSHAKE),
    "it speaks no HTTP": Case(raw(saying(b"SSH-2.0-OpenSSH_9.9\r\n")), "broken", "handshake", facts=HANDSHAKE),
    "it answers no handshake": Case(
        stubbornly(Way.NO_HANDSHAKE),
        "broken",
        "handshake",
        full=False,
        short="open",
        facts=HANDSHAKE | {"checks.open.address": "127.0.0.1", "checks.open.status": None},
    ),
    "it drips a handshake": Case(
        raw(dripping(b"HTTP/1.1 101 Switching Protocols\r\nX: x")),
        "broken",
        "handshake",
        full=False,
        short="open",
        facts=HANDSHAKE,
    ),
    "a handshake of another": Case(raw(saying(_ACCEPTED)), "broken", "handshake", facts=HANDSHAKE),
    "404": Case(refused_with(HTTPStatus.NOT_FOUND), "broken", "handshake", facts={"checks.open.status": 404}),
    "500": Case(
        refused_with(HTTPStatus.INTERNAL_SERVER_ERROR), "broken", "handshake", facts={"checks.open.status": 500}
    ),
    "503 of a proxy": Case(
        refused_with(HTTPStatus.SERVICE_UNAVAILABLE), "broken", "handshake", facts={"checks.open.status": 503}
    ),
    "a page of a person": Case(
        refused_with(HTTPStatus.OK, b"<html>welcome</html>"), "broken", "handshake", facts={"checks.open.status": 200}
    ),
    "301 to elsewhere": Case(
        refused_with(HTTPStatus.MOVED_PERMANENTLY, Location="http://127.0.0.1:9/"),
        "broken",
        "redirect",
        facts={"checks.open.status": 301},
    ),
    "308 to itself": Case(
        refused_with(HTTPStatus.PERMANENT_REDIRECT, Location="/"),
        "broken",
        "redirect",
        facts={"checks.open.status": 308},
    ),
    "it hangs up after the handshake": Case(at(lambda: Member(drop_after_accept=True)), "broken", "read"),
    "it hangs up when asked": Case(at(lambda: Member(verbs={"REQ": leaves})), "broken", "read"),
    "it says nothing": Case(
        at(lambda: Member(verbs={"REQ": frames()})),
        "broken",
        "silent",
        short="read",
        facts=SILENT | {"checks.read.is_nostr": None},
    ),
    "it drips a frame": Case(at(lambda: Member(verbs={"REQ": drips_a_frame})), "broken", "silent", short="read"),
    "it reads no more": Case(stubbornly(Way.NO_READING), "works", full=False),
    "it never lets go": Case(stubbornly(Way.NO_END), "works", full=False),
    "a fault of its own": Case(
        at(lambda: Member(verbs={"REQ": says(["CLOSED", None, "error: no database"])})), "broken", "read"
    ),
    "a frame that is too long": Case(at(lambda: Member(answer=giant_frames)), "broken", "read"),
    "a frame that is compressed": Case(at(lambda: Member(verbs={"REQ": compresses})), "broken", "read"),
    "a flood": Case(at(lambda: Member(verbs={"REQ": floods})), "broken", "read", facts={"detail": "bytes of a probe"}),
}
FAILING = NAMES | CERTIFICATES | STEPS
