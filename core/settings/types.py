"""Field types of the settings: they convert text of a variable or a YAML file to a validated value.

Every refusal is a ValueError that says what is wrong and what would be right, and never repeats the value: a password
pasted into the wrong key must not end up in a log.
"""

from __future__ import annotations

import json
import os
import re
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from schemas.relay_urls.relay_url import RelayUrl, RelayUrlError, normalize

T = TypeVar("T")

_SERVER = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\],/@]+):(\d{1,5})$")
_HOST_AND_PORT = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]*)(:\d{1,5})?$")
_NAME_SERVER = re.compile(r"(?P<host>[0-9.]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?|[0-9A-Fa-f:.]+")
_JSON_LIST = re.compile(r'\s*\[\s*["\]]')
"""Of texts: another bracket is that of an IPv6 address."""
_MAX_PORT = 65_535  # ports are 16-bit


def default_data_dir() -> Path:
    """Name the folder for a user's data that the platform's customs give, without creating it."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "bigbrotr"
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG base directory specification: relative paths are invalid and to be ignored.
    return (Path(base) if base.startswith("/") else home / ".local" / "share") / "bigbrotr"


def power_of_two(most: int) -> AfterValidator:
    """Make a check for integers that takes the powers of two from 1 to `most`."""

    def check(value: int) -> int:
        if not 1 <= value <= most or value & (value - 1):
            raise ValueError(f"is not a power of two from 1 to {most}")
        return value

    return AfterValidator(check)


def _servers(value: str) -> str:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        match = _SERVER.match(part)
        if match is None or not 1 <= int(match[2]) <= _MAX_PORT:
            raise ValueError("is not a list of host:port, for example broker-1:9092,broker-2:9092")
    if not parts:
        raise ValueError("names no server; give host:port, for example localhost:9092")
    return ",".join(parts)


def _proxy(value: str) -> str:
    try:
        url = urlsplit(value)
        usable = url.scheme in {"socks5", "socks5h"} and url.hostname and url.port
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("is not a SOCKS proxy; give socks5://host:port")
    return value


def _secret_hex(value: SecretStr) -> SecretStr:
    if re.fullmatch(r"[0-9a-f]{64}", value.get_secret_value()) is None:
        raise ValueError("is not a secret key: 64 lower-case hex digits are needed (no nsec…)")
    return value


def _public_key_hex(value: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", value) is None:
        raise ValueError("is not a public key: 64 lower-case hex digits are needed (no npub…)")
    return value


def _public_url(value: str) -> str:
    try:
        url = urlsplit(value)
        usable = url.scheme in {"http", "https"} and url.hostname and not url.query and not url.fragment
    except ValueError:
        usable = False
    if not usable or urlsplit(value).path not in {"", "/"}:
        raise ValueError("is not an address of the API; give https://host or https://host:port, without a path")
    return value.removesuffix("/")


def _address_ranges(values: list[str]) -> list[str]:
    for place, value in enumerate(values, 1):
        try:
            ip_network(value)
        except ValueError:
            raise ValueError(
                f"has no address at place {place}; give an address or a network such as 10.0.0.0/8"
            ) from None
    return values


def _dsn(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("is not a PostgreSQL address; give postgresql://user:password@host:port/database")
    try:
        hosts = urlsplit(value.get_secret_value()).netloc.rpartition("@")[2].split(",")  # libpq takes several
        usable = all(_HOST_AND_PORT.match(host) for host in hosts)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "has no usable host:port; give postgresql://user:password@host:port/database, and write signs such as "
            "/ ? # [ ] @ in the password as %2F %3F %23 %5B %5D %40"
        )
    return value


def holds_password(dsn: str) -> bool:
    """Return whether an address of PostgreSQL has a password in it, which would be taken before any other."""
    url = urlsplit(dsn)
    return bool(url.password or parse_qs(url.query).get("password"))


def _password(value: SecretStr) -> SecretStr:
    # libpq's and the server's strings end at a zero byte: the rest of such a password would not count.
    if not value.get_secret_value() or "\0" in value.get_secret_value():
        raise ValueError("is not a password: one sign at least is needed, and no zero byte")
    return value


def schema_name(value: str) -> str:
    """Check the name of a PostgreSQL schema: one that is written the same with and without quotes.

    Raises ValueError where it is another.
    """
    # 63 bytes: NAMEDATALEN - 1; PostgreSQL keeps pg_ to itself.
    if re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value) is None or value.startswith("pg_"):
        raise ValueError("is not the name of a schema: a to z, 0 to 9 and _ are, up to 63 of them, not pg_ in front")
    return value


def _words(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if _JSON_LIST.match(value):
        return _decoded(value)
    return [word for word in re.split(r"[\s,]+", value) if word]


def _relays(values: list[str]) -> list[RelayUrl]:
    normal = []
    for place, value in enumerate(values, 1):
        try:
            normal.append(normalize(value, allow_private=True))
        except RelayUrlError as error:
            raise ValueError(f"has no relay URL at place {place} ({error}); give wss://host") from None
    return normal


def _relay_urls(values: list[str]) -> list[str]:
    return [relay.url for relay in _relays(values)]


def _relay_spellings(values: list[str]) -> list[str]:
    return [relay.spelling for relay in _relays(values)]


def public_relays(values: list[str]) -> None:
    """Check that relays are public ones; raise ValueError where one is not."""
    for place, value in enumerate(values, 1):
        try:
            normalize(value)
        except RelayUrlError as error:
            raise ValueError(
                f"has a relay at place {place} that is not public ({error}); "
                "set connector.allow_private for a relay of your own"
            ) from None


def _name_servers(values: list[str]) -> list[str]:
    for place, value in enumerate(values, 1):
        match = _NAME_SERVER.fullmatch(value)
        try:
            usable = match is not None and ip_address((match["host"] or value).strip("[]"))
        except ValueError:
            usable = False
        if match is None or not usable or not 1 <= int(match["port"] or 1) <= _MAX_PORT:
            raise ValueError(f"has no name server at place {place}; give address, address:port or [address]:port")
    return values


def _service_addresses(values: list[str]) -> list[str]:
    for place, value in enumerate(values, 1):
        match = _HOST_AND_PORT.fullmatch(value)
        port = (match[2] or "") if match is not None and match[1] else ""
        if not port or not 1 <= int(port[1:]) <= _MAX_PORT:
            raise ValueError(f"has no service at place {place}; give host:port, for example sink:8080")
    return values


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError("is not JSON; in a variable, a list is written as JSON") from error


BootstrapServers = Annotated[str, AfterValidator(_servers)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
SchemaName = Annotated[str, AfterValidator(schema_name)]
PostgresDsn = Annotated[SecretStr, AfterValidator(_dsn)]
Password = Annotated[SecretStr, AfterValidator(_password)]
SecretHex = Annotated[SecretStr, AfterValidator(_secret_hex)]
PublicKeyHex = Annotated[str, AfterValidator(_public_key_hex)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
WordList = Annotated[list[str], BeforeValidator(_words)]
ServiceAddresses = Annotated[WordList, AfterValidator(_service_addresses)]
NameServers = Annotated[WordList, AfterValidator(_name_servers)]
AddressRanges = Annotated[WordList, AfterValidator(_address_ranges)]
RelayUrls = Annotated[WordList, AfterValidator(_relay_urls)]
"""Normalised, as keys are."""
RelaySpellings = Annotated[WordList, AfterValidator(_relay_spellings)]
"""As they are dialled."""
DecodedList = Annotated[list[T], BeforeValidator(_decoded)]
