"""Which spelling of a URL is dialled, and that nothing that a record or a server says leads to another relay."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.relay_client.spelling import dial_url, form_after, other_form
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, normalize

MOVED = HTTPStatus.MOVED_PERMANENTLY


def record(url: str, spelling: str | None) -> RelayRecord:
    return RelayRecord(url=url, spelling=spelling, network=Network.CLEARNET, source="test", updated_at_ms=0)


@pytest.mark.parametrize(
    ("url", "spelling", "dialled"),
    [
        ("wss://a.com/inbox", "wss://a.com/inbox/", "wss://a.com/inbox/"),
        ("wss://a.com/inbox?x=%7e", "wss://a.com//inbox/?x=%7e", "wss://a.com//inbox/?x=%7e"),
        ("wss://a.com/inbox", None, "wss://a.com/inbox"),
        ("wss://a.com", "wss://a.com/", "wss://a.com"),
        ("wss://a.com/inbox", "WSS://user:pass@A.com:443/inbox/#x", "wss://a.com/inbox/"),
        ("wss://a.com/inbox", "wss://b.com/inbox/", "wss://a.com/inbox"),
        ("wss://a.com/inbox", "ws://a.com/inbox/", "wss://a.com/inbox"),
        ("wss://a.com/inbox", "wss://a.com:8443/inbox/", "wss://a.com/inbox"),
        ("wss://a.com/inbox", "wss://a.com/inbox/?x", "wss://a.com/inbox"),
        ("wss://a.com/inbox", "nonsense", "wss://a.com/inbox"),
        ("wss://a.com/inbox", "", "wss://a.com/inbox"),
    ],
)
def test_a_record_is_dialled_as_it_was_given(url: str, spelling: str | None, dialled: str) -> None:
    assert dial_url(record(url, spelling)) == dialled


def test_a_record_of_an_earlier_version_is_dialled_by_its_url() -> None:
    value = b'{"url":"wss://a.com/inbox","network":"clearnet","source":"publish","updated_at_ms":0}'
    assert dial_url(RelayRecord.decode(value)) == "wss://a.com/inbox"


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("wss://a.com/inbox", "wss://a.com/inbox/"),
        ("wss://a.com/inbox/", "wss://a.com/inbox"),
        ("wss://a.com/a/b?x=/", "wss://a.com/a/b/?x=/"),
        ("wss://a.com/a/b/?x=1?", "wss://a.com/a/b?x=1?"),
        ("ws://[::1]:7777/a//", "ws://[::1]:7777/a"),
        ("wss://a.com", None),
        ("wss://a.com/", None),
        ("wss://a.com/?x=/a/", None),
    ],
)
def test_a_path_has_another_form_with_or_without_its_slash(url: str, other: str | None) -> None:
    assert other_form(url) == other


@pytest.mark.parametrize(
    ("url", "after"),
    [
        ("wss://a.com/inbox", "wss://a.com/inbox/"),
        ("wss://a.com/inbox/?x=1", "wss://a.com/inbox?x=1"),
        ("wss://a.com//inbox/", "wss://a.com/inbox"),
        ("wss://a.com/a/../inbox", "wss://a.com/inbox"),
        ("wss://a.com", None),
    ],
)
def test_what_is_not_found_is_asked_for_in_another_form(url: str, after: str | None) -> None:
    assert form_after(url, HTTPStatus.NOT_FOUND, []) == after
    assert form_after(url, HTTPStatus.NOT_FOUND, ["wss://b.com/"]) == after


@pytest.mark.parametrize(
    ("url", "location", "after"),
    [
        ("wss://a.com/inbox", "/inbox/", "wss://a.com/inbox/"),
        ("wss://a.com/x/inbox", "inbox/", "wss://a.com/x/inbox/"),
        ("wss://a.com/inbox/", "../inbox", "wss://a.com/inbox"),
        ("wss://a.com/inbox", "//a.com/inbox/", "wss://a.com/inbox/"),
        ("wss://a.com/inbox", "https://a.com/inbox/", "wss://a.com/inbox/"),
        ("wss://a.com/inbox", "HTTPS://A.COM:443/inbox/", "wss://a.com/inbox/"),
        ("wss://a.com/inbox", "wss://a.com/inbox/", "wss://a.com/inbox/"),
        ("ws://a.com:7777/inbox", "http://a.com:7777/inbox/", "ws://a.com:7777/inbox/"),
        ("ws://[2606:4700::1]:7777/inbox", "/inbox/", "ws://[2606:4700::1]:7777/inbox/"),
        ("wss://a.com/inbox?x=%7e&y=/", "/inbox/?x=%7e&y=/", "wss://a.com/inbox/?x=%7e&y=/"),
        ("wss://a.com//inbox/", "/inbox/", "wss://a.com/inbox/"),
        ("wss://a.com/inbox", " /inbox/#top ", "wss://a.com/inbox/"),
        # TLS ends at a proxy in front of the server that says this.
        ("wss://a.com/inbox", "http://a.com/inbox/", "wss://a.com/inbox/"),
        # Another URL, or nothing new: never dialled.
        ("wss://a.com/inbox", "/inbox", None),
        ("wss://a.com/inbox", "https://b.com/inbox/", None),
        ("wss://a.com/inbox", "//b.com/inbox/", None),
        ("wss://a.com/inbox", "https://a.com@b.com/inbox/", None),
        ("wss://a.com/inbox", "https://a.com:8443/inbox/", None),
        ("wss://a.com/inbox", "http://a.com:8080/inbox/", None),
        ("ws://a.com/inbox", "https://a.com/inbox/", None),
        ("ws://a.com/inbox", "wss://a.com/inbox/", None),
        ("wss://a.com/inbox", "/INBOX/", None),
        ("wss://a.com/inbox", "/other/", None),
        ("wss://a.com/inbox", "/", None),
        ("wss://a.com", "/", None),
        ("wss://a.com", "/inbox/", None),
        ("wss://a.com/inbox?x=1", "/inbox/", None),
        ("wss://a.com/inbox?x=1", "/inbox/?x=2", None),
        ("wss://a.com/inbox", "", None),
        ("wss://a.com/inbox", "https://[a.com/inbox/", None),
        ("wss://a.com/inbox", "ftp://a.com/inbox/", None),
        ("wss://a.com/inbox", "javascript:alert(1)", None),
        ("wss://a.com/inbox", "/inbox\x00/", None),
    ],
)
@pytest.mark.parametrize("status", [MOVED, HTTPStatus.PERMANENT_REDIRECT])
def test_only_a_redirect_to_another_form_of_the_same_url_is_followed(
    url: str, location: str, after: str | None, status: HTTPStatus
) -> None:
    assert form_after(url, status, [location]) == after


@pytest.mark.parametrize("status", [200, 302, 303, 307, 401, 403, 410, 503])
def test_no_other_answer_leads_to_another_form(status: int) -> None:
    assert form_after("wss://a.com/inbox", status, ["/inbox/"]) is None


@pytest.mark.parametrize("locations", [[], ["/inbox/", "/inbox/"], ["/inbox/", "wss://b.com/"]])
def test_a_redirect_names_one_place(locations: list[str]) -> None:
    assert form_after("wss://a.com/inbox", MOVED, locations) is None


PIECES = ["http:", "wss:", "HTTPS:", "/", "//", "a.com", "b.com", "inbox", "..", ".", "@", ":443", "[", "]", "?x", "#"]
PIECES += ["%2F", "%20", "\\", " ", "\t", "\u3002", "\ud800", "\x00", "é"]


@given(
    st.sampled_from(["wss://a.com/inbox", "wss://a.com/inbox/?x", "ws://a.com:81/inbox/b", "wss://a.com"]),
    st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=9).map("".join)),
)
def test_whatever_a_redirect_says_what_is_dialled_is_the_same_relay(url: str, location: str) -> None:
    after = form_after(url, MOVED, [location])
    assert after is None or (after != url and normalize(after) == normalize(url))
    assert after is None or after.split("://")[0] == url.split("://", maxsplit=1)[0]
