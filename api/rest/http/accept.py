"""What a client accepts: lists of names with weights, as Accept and Accept-Encoding have them (RFC 9110, 12.4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_MOST = 50
"""Items that are looked at; browsers send less than ten."""


def weights(header: str) -> dict[str, float]:
    """The weight of each name of a list, from 0 (not acceptable) to 1; names in lower case, without parameters."""
    found: dict[str, float] = {}
    for item in header.split(",", _MOST)[:_MOST]:
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name:
            found.setdefault(name, _weight(parameters))
    return found


def media_type(header: str, offered: Sequence[str]) -> str | None:
    """The media type of the offered ones that an Accept header prefers, the first of equals; None: none will do."""
    accepted = weights(header)
    if not accepted:
        return offered[0]
    best = max(offered, key=lambda each: _of_type(accepted, each))
    return best if _of_type(accepted, best) > 0 else None


def _of_type(accepted: Mapping[str, float], name: str) -> float:
    for pattern in (name, f"{name.partition('/')[0]}/*", "*/*"):
        if pattern in accepted:
            return accepted[pattern]
    return 0.0


def _weight(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
