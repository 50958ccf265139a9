"""Which spelling of a relay's URL is dialled: servers tell apart what the key does not, above all the slash at the end.

Every spelling that is returned has the record's URL as its key, so it leads to the same relay.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urljoin

from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import RelayUrlError, normalize

_MOVED = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)
"""What servers say of a path with or without its slash. A temporary redirect names another place."""
_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def dial_url(record: RelayRecord) -> str:
    """The URL to dial: as it was first given, or the key where that is not another spelling of it."""
    return _spelling_of(record.url, record.spelling or record.url) or record.url


def other_form(url: str) -> str | None:
    """The URL with the slash at the end of its path, or without; None for a root, which has one form."""
    base, query_mark, query = url.partition("?")
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    bare = path.rstrip("/")
    if not bare:
        return None
    return f"{scheme}://{host}{slash}{bare}{'' if bare != path else '/'}{query_mark}{query}"


def form_after(url: str, status: int, locations: list[str]) -> str | None:
    """The spelling to dial after a refused handshake; None if there is none to try.

    A redirect to anything but another spelling of the same URL is not followed.

    Args:
        url: what was dialled.
        status: of the refusal.
        locations: its `Location` headers, of which it should have at most one.
    """
    if status == HTTPStatus.NOT_FOUND:
        key = _key(url)
        # Doubled slashes and the like are more often a mistake than a path.
        return other_form(url) if key is None or url in (key, other_form(key)) else key
    if status not in _MOVED or len(locations) != 1:
        return None
    try:
        target = urljoin(f"http{url.removeprefix('ws')}", locations[0].strip())
    except ValueError:
        return None
    given, separator, rest = target.partition("://")
    scheme = _WEBSOCKET_SCHEMES.get(given.lower())
    if scheme is None or not separator:
        return None
    if scheme == "ws" and url.startswith("wss:"):
        # Behind a proxy that ends TLS a server believes that it is spoken to without. It is dialled with TLS.
        scheme = "wss"
    spelling = _spelling_of(url, f"{scheme}://{rest}")
    return spelling if spelling != url else None


def _spelling_of(url: str, text: str) -> str | None:
    """The text as a spelling of a URL; None if it is another URL."""
    try:
        # Any address will do: it is judged where the name is resolved.
        named = normalize(text, allow_private=True)
    except RelayUrlError:
        return None
    return named.spelling if named.url == _key(url) else None


def _key(url: str) -> str | None:
    try:
        return normalize(url, allow_private=True).url
    except RelayUrlError:
        return None
