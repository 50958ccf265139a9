"""Writes small databases in MaxMind's format (MMDB, version 2.0), as the format's description has it."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = bytes(16)
_TEXT, _DOUBLE, _UINT32, _MAP, _INT32, _ARRAY, _BOOLEAN = 2, 3, 6, 7, 8, 11, 14
_BITS = 128
_LONG, _LONGER = 29, 285
"""A size from these on is told by a byte or two of its own."""


def write_mmdb(path: Path, entries: dict[str, Any], kind: str = "Test") -> Path:
    """Write a database of networks and what is known of each; networks of IPv4 are at ::/96."""
    nodes: list[list[int | Any]] = [[None, None]]
    data, places = b"", {}
    for network, value in entries.items():
        places[network] = len(data)
        data += encoded(value)
        parsed = ip_network(network)
        is_v4 = parsed.version == 4
        number, length = int(parsed.network_address), parsed.prefixlen + 96 * is_v4
        at = 0
        for bit in range(length):
            side = number >> (_BITS - 1 - bit) & 1
            if bit == length - 1:
                nodes[at][side] = network
            elif not isinstance(nodes[at][side], int):
                nodes.append([None, None])
                nodes[at][side] = len(nodes) - 1
            at = nodes[at][side] if bit < length - 1 else at
    tree = b"".join(_pointer(side, len(nodes), places) for node in nodes for side in node)
    metadata = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 0,
        "database_type": kind,
        "description": {"en": kind},
        "ip_version": 6,
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": 32,
    }
    path.write_bytes(tree + _SEPARATOR + data + _MARKER + encoded(metadata))
    return path


def _pointer(side: int | str | None, nodes: int, places: dict[str, int]) -> bytes:
    number = nodes if side is None else side if isinstance(side, int) else nodes + len(_SEPARATOR) + places[side]
    return struct.pack("!I", number)


def encoded(value: Any) -> bytes:
    """A value of the data section."""
    match value:
        case bool():
            return _head(_BOOLEAN, int(value))
        case str():
            return _head(_TEXT, len(value.encode())) + value.encode()
        case float():
            return _head(_DOUBLE, 8) + struct.pack("!d", value)
        case int():
            return _head(_INT32 if value < 0 else _UINT32, 4) + struct.pack("!i" if value < 0 else "!I", value)
        case list():
            return _head(_ARRAY, len(value)) + b"".join(map(encoded, value))
        case dict():
            return _head(_MAP, len(value)) + b"".join(encoded(key) + encoded(each) for key, each in value.items())
    raise TypeError(type(value))


def _head(kind: int, size: int) -> bytes:
    if size < _LONG:
        told, more = size, b""
    elif size < _LONGER:
        told, more = _LONG, bytes([size - _LONG])
    else:
        told, more = _LONG + 1, (size - _LONGER).to_bytes(2)
    return (bytes([told, kind - 7]) if kind > _MAP else bytes([kind << 5 | told])) + more
