"""Arguments of `bigbrotr relays`: URLs, files and hosts, told before any server is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bigbrotr.commands.relays.giving import read_sources
from bigbrotr.commands.relays.relays import relays
from bigbrotr.errors import CommandFailedError
from bigbrotr.status.registry_wait import is_beneath, is_decided
from bigbrotr.supervise.read_relays import discovering, reading_only
from core.settings import Settings
from producers.operator.listed_relays import RelayList
from schemas.records.relay import RelayRecord
from schemas.records.relay_command import Action, RelayCommand
from schemas.relay_urls.relay_url import normalize
from tests.unit.bigbrotr.relays.records import record

URL = "wss://relay.example.com"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--state", "gone"], "'gone' is not one of"),
        (["list", "--domain", "a b"], "is not a host name"),
        (["list", "--limit", "0"], "'--limit'"),
        (["show", "http://relay.example.com"], "scheme: must be ws or wss"),
        (["add"], "Missing argument"),
        (["add", "no-such-file"], "No such file"),
        (["deny", "--reason", "x" * 201, URL], "has 201 characters; give 200 at most"),
        (["priority", "--wait", "30", URL], "give a number from 1 on with s, m, h or d"),
    ],
)
def test_wrong_use_is_a_sentence(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(relays, arguments)
    assert (result.exit_code, message in result.output) == (2, True), result.output


@pytest.mark.parametrize("host", ["com", "co.uk", "github.io", "localhost"])
def test_the_domain_of_many_owners_is_not_denied(host: str) -> None:
    found = read_sources([host], allow_private=True, into=RelayList(hosts=[]))
    assert (found.hosts, found.relays) == ([], {})
    assert "is no one owner's" in found.refused[0].reason


def test_urls_hosts_and_files_with_either_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# left alone\nExample.COM. wss://a.example/x\nexample.com 10.0.0.1\n[::1]\na..b\n")
    found = read_sources([str(tmp_path / "list"), "b.example", URL], allow_private=True, into=RelayList(hosts=[]))
    assert found.hosts == ["example.com", "10.0.0.1", "::1", "b.example"]
    assert list(found.relays) == ["wss://a.example/x", URL]
    assert found.duplicates == 1
    assert [(refused.place, refused.text) for refused in found.refused] == [(f"{tmp_path}/list:5", "a..b")]


def test_where_a_relay_is_to_be_read_a_host_is_none(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("example.com\n")
    found = read_sources([str(tmp_path / "list")], allow_private=False)
    assert (found.hosts, found.relays, len(found.refused)) == (None, {}, 1)


@pytest.mark.parametrize(
    ("url", "host", "is_it"),
    [
        (URL, "example.com", True),
        (URL, "relay.example.com", True),
        (URL, "lay.example.com", False),
        ("ws://[::1]:7", "::1", True),
        ("ws://10.0.0.1", "10.0.0.1", True),
    ],
)
def test_a_host_has_all_that_is_beneath_it(url: str, host: str, is_it: bool) -> None:
    assert is_beneath(url, host) is is_it


@pytest.mark.parametrize(
    ("action", "target", "found", "decided"),
    [
        ("add", URL, None, False),
        ("add", URL, record(), True),
        ("add", URL, record(lane="priority"), False),
        ("add", URL, record(allowed=False), False),
        ("deny", URL, None, False),
        ("deny", URL, record(), False),
        ("deny", URL, record(allowed=False), True),
        ("deny", "example.com", None, True),
        ("deny", "example.com", record(), False),
        ("deny", "example.com", record(allowed=False), True),
        ("remove", URL, None, True),
        ("remove", URL, record(), False),
        ("remove", "example.com", record(allowed=False), False),
        ("remove", "example.com", record(), True),
    ],
)
def test_what_was_wanted_is_seen_in_the_records(
    action: Action, target: str, found: RelayRecord | None, decided: bool
) -> None:
    relays_now = {} if found is None else {found.url: found}
    assert is_decided(RelayCommand(target=target, action=action, at_ms=1), relays_now) is decided


def test_a_run_of_given_relays_dials_them_as_they_are_spelled_and_no_more_than_can_be_handed_on() -> None:
    settings = Settings()
    told = reading_only(settings, [normalize("ws://127.0.0.1:7//x", allow_private=True)], allow_private=True)
    assert (told.connector.only, told.connector.allow_private) == (["ws://127.0.0.1:7//x"], True)
    assert settings.connector.only == []
    many = [normalize(f"wss://relay-{number}.example.com") for number in range(5_000)]
    with pytest.raises(CommandFailedError, match="5,000 relays are too many"):
        reading_only(settings, many, allow_private=False)


def test_found_relays_may_be_private_only_if_that_is_wanted() -> None:
    for wish in (False, True):
        settings = discovering(Settings(), allow_private=wish)
        assert (settings.discovery.allow_private, settings.prober.allow_private) == (wish, wish)
