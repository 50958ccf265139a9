"""Websocket frames as bytes (RFC 6455 section 5.2), for servers that send more of them than a library could build."""

from __future__ import annotations

from asyncio import StreamReader
from enum import IntEnum

_FINAL = 0x80
_LENGTH_16, _LENGTH_64 = 126, 127
_LARGEST_16 = 0xFFFF


class Opcode(IntEnum):
    """Kinds of frames."""

    CONTINUATION = 0
    TEXT = 1
    CLOSE = 8
    PING = 9
    PONG = 10


def header(length: int, opcode: Opcode = Opcode.TEXT, *, final: bool = True) -> bytes:
    """The beginning of a server's frame, which is not masked."""
    first = (_FINAL if final else 0) | opcode
    if length < _LENGTH_16:
        return bytes((first, length))
    if length <= _LARGEST_16:
        return bytes((first, _LENGTH_16)) + length.to_bytes(2)
    return bytes((first, _LENGTH_64)) + length.to_bytes(8)


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT, *, final: bool = True) -> bytes:
    """A server's frame."""
    return header(len(payload), opcode, final=final) + payload


def in_fragments(payload: bytes) -> bytes:
    """A text message of which each fragment holds one byte."""
    last = len(payload) - 1
    return b"".join(
        frame(bytes((byte,)), Opcode.CONTINUATION if at else Opcode.TEXT, final=at == last)
        for at, byte in enumerate(payload)
    )


async def read_frame(reader: StreamReader) -> tuple[int, bytes]:
    """Read a client's frame: opcode and payload. Clients of ours send whole messages in one frame.

    Raises:
        asyncio.IncompleteReadError: the client has gone.
    """
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == _LENGTH_16:
        length = int.from_bytes(await reader.readexactly(2))
    elif length == _LENGTH_64:
        length = int.from_bytes(await reader.readexactly(8))
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(length)
    return first & 0x0F, _unmasked(payload, mask) if length else b""


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    length = len(payload)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(length)
