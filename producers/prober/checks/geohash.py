"""Geohashes (NIP-52): a place as a cell of a grid, whose name is the longer the smaller the cell is."""

from __future__ import annotations

import math

_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"
_BITS = 5
"""Of a character; they halve longitude and latitude in turn, longitude first."""
LONGEST = 9
"""A cell of 5 m: no database states less."""
_DEGREE_KM = 111.32
"""Of latitude, and of longitude at the equator."""


def geohash(latitude: float, longitude: float, radius_km: float) -> str | None:
    """Name the smallest cell that is no finer than a place is known: its half sides are at least the radius.

    Args:
        latitude: -90 to 90.
        longitude: -180 to 180.
        radius_km: within which the place is.

    Returns:
        1 to 9 characters; None where even the largest cell would claim too much.
    """
    length = next((size for size in range(LONGEST, 0, -1) if _half_side_km(size, latitude) >= radius_km), None)
    return None if length is None else encode(latitude, longitude, length)


def encode(latitude: float, longitude: float, length: int) -> str:
    """The geohash of a place with so many characters."""
    bits = _BITS * length
    across = _cell(longitude, 180.0, bits - bits // 2)
    up = _cell(latitude, 90.0, bits // 2)
    number = 0
    for place in range(bits):
        # From the most significant bit on, those of longitude and latitude in turn.
        source, bit = (up, bits // 2 - 1 - place // 2) if place % 2 else (across, (bits - bits // 2) - 1 - place // 2)
        number = number << 1 | source >> bit & 1
    return "".join(_ALPHABET[number >> _BITS * (length - 1 - place) & 31] for place in range(length))


def _cell(degrees: float, largest: float, bits: int) -> int:
    """Which of the cells between -largest and largest; the upper edge is in the last one."""
    return min(int((degrees + largest) / (2 * largest) * (1 << bits)), (1 << bits) - 1)


def _half_side_km(length: int, latitude: float) -> float:
    bits = _BITS * length
    height = 90.0 / (1 << bits // 2) * _DEGREE_KM
    width = 180.0 / (1 << (bits - bits // 2)) * _DEGREE_KM * math.cos(math.radians(latitude))
    return min(height, width)
