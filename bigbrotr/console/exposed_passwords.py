"""Passwords in the arguments of a command, which every user of the machine can read while it runs (`ps`)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_EXPOSED = "a password in the arguments of a command can be read by every user of this machine (ps)"
# An option and its value may be one argument, with "=" or, for a short option, with nothing between: then the scheme
# seems to begin with the option's letter.
_ADDRESS = re.compile(r"(?:-\S*?)?(?P<scheme>[a-z][a-z0-9+.]*)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_IN_AUTHORITY = re.compile(r"[^/?#]*:[^/?#@]+@")
_IN_QUERY = re.compile(r"[?&](?:password|sslpassword)=[^&]")
_POSTGRES = ("postgres", "postgresql")


def warning(arguments: Sequence[str]) -> str | None:
    """Return a sentence on a password in arguments and how to give it otherwise; None where there is none.

    It never repeats an argument.
    """
    found = [match for match in map(_ADDRESS.fullmatch, arguments) if match and _holds_password(match["rest"])]
    if not found:
        return None
    if any(match["scheme"].lower().endswith(_POSTGRES) for match in found):
        return (
            f"{_EXPOSED}: leave it out of the address, and give it by ~/.pgpass, by a file of that form that "
            "PGPASSFILE names, or by PGPASSWORD"
        )
    return f"{_EXPOSED}: leave it out of the URL, as relays are never sent one"


def _holds_password(rest: str) -> bool:
    return bool(_IN_AUTHORITY.match(rest) or _IN_QUERY.search(rest))
