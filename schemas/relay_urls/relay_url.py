"""One spelling per relay: the normalised websocket URL that is a key everywhere, and what may be connected to.

No standard rule exists. This one keeps what decides which relay answers (scheme, port, path with its case, query) and
removes what does not (case of host, root dot, default port, dot segments, doubled slashes, fragment, credentials).

A server may tell two spellings of a path apart all the same, so the one that was given is kept beside the key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote

from schemas.relay_urls.relay_host import Network, RelayUrlError, is_private_address, spell_host

__all__ = ["Network", "RelayUrl", "RelayUrlError", "is_private_address", "normalize"]

MAX_URL_LENGTH = 2048
"""Longer than any real relay URL, short enough for a key."""
MAX_PORT = 65535
_DEFAULT_PORTS = {"ws": 80, "wss": 443}

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\\]")
"""White space, control and invisible characters, and the backslash, which browsers read as a slash."""
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_HOST_PORT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]{0,5}))?")
_NOT_PATH = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]")
_NOT_QUERY = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/%?]")
"""What a path or a query may not hold unescaped (RFC 3986 section 3)."""
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]")
_BLANK = re.compile(r"(?:%20|%E2%80%8B)+")
"""White space that somebody's tool escaped, as in `wss://relay.example/%20`."""


@dataclass(frozen=True, slots=True)
class RelayUrl:
    """A relay's URL in the one spelling that serves as a key, and its parts. An empty path has no slash.

    Two are equal if their `url` is, however they were spelled.

    Attributes:
        spelling: `url` with the path as it was given, which is how it is dialled; empty where only `url` is known.
    """

    url: str
    host: str
    port: int
    scheme: str
    network: Network
    spelling: str = field(default="", compare=False)


def normalize(url: str, *, allow_private: bool = False) -> RelayUrl:
    """Bring a relay's URL to its one spelling. Idempotent.

    Args:
        url: as met in an event, a list or a setting; white space around it is forgiven.
        allow_private: let loopback and private addresses and local names through, for the operator's own relays.

    Raises:
        RelayUrlError: names the part that is wrong.
    """
    text = url.strip()
    if not text:
        raise RelayUrlError("url", "is empty")
    if len(text) > MAX_URL_LENGTH:
        raise RelayUrlError("url", f"has {len(text)} characters; at most {MAX_URL_LENGTH} are taken")
    if _FORBIDDEN.search(text):
        raise RelayUrlError("url", "holds white space, an invisible character or a backslash")
    match = _URL.match(text)
    if match is None:
        raise RelayUrlError("url", "must begin with ws:// or wss://")
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise RelayUrlError("scheme", "must be ws or wss")
    if "://" in match["authority"] + match["path"]:
        raise RelayUrlError("url", "holds a second URL")
    host, port = _host_and_port(match["authority"], _DEFAULT_PORTS[scheme])
    shown, network = spell_host(host, allow_private=allow_private)
    authority = shown if port == _DEFAULT_PORTS[scheme] else f"{shown}:{port}"
    given = _NOT_PATH.sub(_percent, match["path"])
    path, query = _path(given), ""
    if match["query"]:
        query = f"?{_NOT_QUERY.sub(_percent, match['query'])}"
    normal = f"{scheme}://{authority}{path or '/' * bool(query)}{query}"
    if len(normal) > MAX_URL_LENGTH:
        raise RelayUrlError("url", f"has {len(normal)} characters when escaped; at most {MAX_URL_LENGTH} are taken")
    spelling = normal
    if path not in ("", given):
        spelling = f"{scheme}://{authority}{_without_blanks(given)}{query}"
    # Escapes and doubled slashes may make it longer than the key.
    return RelayUrl(
        normal, shown.strip("[]"), port, scheme, network, spelling if len(spelling) <= MAX_URL_LENGTH else normal
    )


def _host_and_port(authority: str, default_port: int) -> tuple[str, int]:
    """Take host and port out of the authority of a URL; credentials are dropped."""
    host_port = authority.rpartition("@")[2]
    match = _HOST_PORT.fullmatch(host_port)
    if match is None:
        raise RelayUrlError("port" if ":" in host_port else "host", "is not a host with an optional port")
    if not match["port"]:
        return match["host"], default_port
    port = int(match["port"])
    if not 0 < port <= MAX_PORT:
        raise RelayUrlError("port", f"must be 1 to {MAX_PORT}")
    return match["host"], port


def _path(path: str) -> str:
    """The path without dot segments, doubled slashes and a slash at the end (RFC 3986 section 6.2.2, and stricter)."""
    kept: list[str] = []
    for segment in _ESCAPE.sub(_respell, path).split("/"):
        if segment == "..":
            kept[-1:] = []
        elif segment not in ("", "."):
            kept.append(segment)
    while kept and _BLANK.fullmatch(kept[-1]):
        kept.pop()
    return "".join(f"/{segment}" for segment in kept)


def _without_blanks(path: str) -> str:
    """The path as it was given, without the white space at its end: no server's path has that."""
    segments = path.split("/")
    end = len(segments)
    while end and (not segments[end - 1] or _BLANK.fullmatch(segments[end - 1].upper())):
        end -= 1
    return f"{'/'.join(segments[:end])}/" if any(segments[end:]) else path


def _percent(match: re.Match[str]) -> str:
    return _escaped(match[0])


def _respell(match: re.Match[str]) -> str:
    return _respelled(match[0])


# Remembered, because a URL may consist of little else: 2,000 characters took 2 ms. There are 484 escapes.
@lru_cache(maxsize=1024)
def _escaped(character: str) -> str:
    try:
        return quote(character, safe="")
    except UnicodeEncodeError:
        raise RelayUrlError("url", "holds half of a surrogate pair, no character") from None


@lru_cache(maxsize=1024)
def _respelled(escape: str) -> str:
    """An escape in upper case, or the character itself where it needs none (RFC 3986 section 6.2.2.2)."""
    character = unquote(escape, "latin-1")
    return character if _UNRESERVED.fullmatch(character) else escape.upper()
