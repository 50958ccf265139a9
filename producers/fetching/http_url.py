"""Which URLs documents are fetched from. A redirect's URL is judged by the same rules as one of the settings."""

from __future__ import annotations

from yarl import URL

from schemas.relay_urls.relay_host import Network, RelayUrlError, spell_host
from schemas.relay_urls.relay_url import MAX_URL_LENGTH

_HTTPS_PORT = 443


class HttpUrlError(ValueError):
    """A URL that nothing is fetched from; the message states the part that is wrong and never repeats the URL."""


def http_url(text: str, *, allow_private: bool) -> URL:
    """Read the URL of a document, with its host in the spelling that is looked up.

    Args:
        text: an absolute URL.
        allow_private: let HTTP without TLS, private addresses and local names through.

    Raises:
        HttpUrlError: it is no such URL.
    """
    return _checked(_parsed(text), allow_private=allow_private)


def redirected(url: URL, location: str, *, allow_private: bool) -> URL:
    """Where a redirect leads: to the default port of HTTPS or the port that was asked already, no service beside it.

    Args:
        url: that was asked.
        location: the header's value, absolute or relative.
        allow_private: as of `http_url`; any port then.

    Raises:
        HttpUrlError: it must not be followed.
    """
    target = _checked(url.join(_parsed(location)), allow_private=allow_private)
    if not allow_private and target.port not in (_HTTPS_PORT, url.port):
        raise HttpUrlError(f"port: is {target.port}, not {_HTTPS_PORT}")
    return target


def _parsed(text: str) -> URL:
    if len(text) > MAX_URL_LENGTH:
        raise HttpUrlError(f"url: has {len(text)} characters; at most {MAX_URL_LENGTH} are taken")
    try:
        return URL(text)
    except (ValueError, IndexError):
        # IndexError: yarl raises it for brackets that hold the user name, as in https://[::1]@.
        raise HttpUrlError("url: is not one") from None


def _checked(url: URL, *, allow_private: bool) -> URL:
    if url.scheme != "https" and not (allow_private and url.scheme == "http"):
        raise HttpUrlError("scheme: must be https")
    if url.raw_user is not None or url.raw_password is not None:
        raise HttpUrlError("userinfo: no user name or password may stand before the host")
    if not url.raw_host or not url.port:
        raise HttpUrlError("host: there is none, or its port is 0")
    host = f"[{url.raw_host}]" if ":" in url.raw_host else url.raw_host
    try:
        # Here, since aiohttp connects to a literal address without asking a resolver.
        spelled, network = spell_host(host, allow_private=allow_private)
    except RelayUrlError as error:
        raise HttpUrlError(str(error)) from None
    if network is not Network.CLEARNET:
        raise HttpUrlError(f"host: is in the network {network}, which documents are not fetched from")
    return url.with_host(spelled.strip("[]")).with_fragment(None)
