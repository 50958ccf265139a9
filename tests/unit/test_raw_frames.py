"""Frames that are built by hand are those that the library reads, and the other way round."""

from __future__ import annotations

import asyncio

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.frames import Opcode as LibraryOpcode
from websockets.protocol import OPEN, Event
from websockets.uri import parse_uri

from tests.relays.raw_frames import Opcode, frame, header, in_fragments, read_frame

LENGTHS = [0, 1, 125, 126, 65_535, 65_536]


FRAMES = [(Opcode.TEXT, length) for length in LENGTHS] + [(Opcode.PING, 0), (Opcode.PONG, 125)]


@pytest.mark.parametrize(("opcode", "length"), FRAMES)
def test_a_client_reads_what_was_framed(opcode: Opcode, length: int) -> None:
    payload = b"x" * length
    assert _read(frame(payload, opcode)) == [Frame(LibraryOpcode(opcode), payload)]


def test_a_message_of_many_fragments_is_one_message() -> None:
    parts = [each for each in _read(in_fragments(b"words")) if isinstance(each, Frame)]
    assert b"".join(bytes(part.data) for part in parts) == b"words"
    assert [part.fin for part in parts] == [False] * 4 + [True]
    assert [part.opcode for part in parts] == [LibraryOpcode.TEXT] + [LibraryOpcode.CONT] * 4


def test_a_header_announces_what_does_not_come() -> None:
    assert _read(header(100_000) + b"x" * 50_000) == []


@pytest.mark.parametrize("length", LENGTHS)
async def test_what_a_client_masked_is_read(length: int) -> None:
    payload = bytes(range(256)) * (length // 256) + bytes(range(length % 256))
    client = _client()
    client.send_binary(payload)
    reader = asyncio.StreamReader()
    for sent in client.data_to_send():
        reader.feed_data(sent)
    assert await read_frame(reader) == (LibraryOpcode.BINARY, payload)


def _client() -> ClientProtocol:
    client = ClientProtocol(parse_uri("ws://127.0.0.1"))
    client.state = OPEN
    return client


def _read(data: bytes) -> list[Event]:
    client = _client()
    # What the library does after a handshake.
    client.parser = super(ClientProtocol, client).parse()
    next(client.parser)
    client.receive_data(data)
    return client.events_received()
