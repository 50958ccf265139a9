"""Which URLs are fetched, and where a redirect may lead: hosts in every spelling of a private address are refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from producers.fetching.http_url import HttpUrlError, http_url, redirected

PRIVATE = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "%31%32%37.0.0.1",
    "127。0。0。1",
    "10.0.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fd00:ec2::254]",
    "[::ffff:127.0.0.1]",  # IPv4-mapped
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::7f00:1]",  # NAT64
    "[64:ff9b::169.254.169.254]",
    "[2002:7f00:1::1]",  # 6to4
    "[2002:a9fe:a9fe::]",
    "localhost",
    "LOCALHOST.",
    "kafka",
    "metadata.google.internal",
    "printer.local",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_no_private_address_or_name_is_fetched_from_or_redirected_to(host: str) -> None:
    with pytest.raises(HttpUrlError):
        http_url(f"https://{host}/list", allow_private=False)
    with pytest.raises(HttpUrlError):
        redirected(URL("https://api.example.com/"), f"https://{host}/list", allow_private=False)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("http://api.example.com/", "scheme: must be https"),
        ("file:///etc/passwd", "scheme"),
        ("ftp://api.example.com", "scheme"),
        ("api.example.com/list", "scheme"),
        ("//api.example.com/list", "scheme"),
        ("", "scheme"),
        ("https://", "host"),
        ("https:///list", "host"),
        ("https://user@api.example.com/", "userinfo"),
        ("https://user:secret@api.example.com/", "userinfo"),
        ("https://:secret@api.example.com/", "userinfo"),
        ("https://8.8.8.8@127.0.0.1/", "userinfo"),
        ("https://8.8.8.8\\@127.0.0.1/", "url: is not one"),
        ("https://api.example.com:0/", "port"),
        ("https://api.example.com:99999/", "url: is not one"),
        ("https://api.example.com:x/", "url: is not one"),
        ("https://exa mple.com/", "host"),
        (f"https://{'a' * 56}.onion/", "host: is in the network tor"),
        (f"https://api.example.com/{'x' * 2048}", "url: has 2072 characters"),
    ],
)
def test_what_is_no_url_of_a_document_is_named_by_its_part_and_not_repeated(text: str, part: str) -> None:
    with pytest.raises(HttpUrlError, match=part) as caught:
        http_url(text, allow_private=False)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://API.example.com/v1/online?x=%20#top", "https://api.example.com/v1/online?x=%20"),
        ("https://api.example.com:8443/", "https://api.example.com:8443/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2001:4860:4860::8888]/", "https://[2001:4860:4860::8888]/"),
    ],
)
def test_a_public_url_is_read_with_the_host_that_is_looked_up(text: str, read: str) -> None:
    assert str(http_url(text, allow_private=False)) == read


def test_a_server_of_ones_own_may_be_anywhere() -> None:
    for text in ("http://127.0.0.1:8080/list", "https://localhost/", "http://[::1]:80/", "http://kafka:1/"):
        assert http_url(text, allow_private=True).host is not None


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/v2/online", "https://api.example.com:8443/v2/online"),
        ("v2", "https://api.example.com:8443/v1/v2"),
        ("https://www.example.com/", "https://www.example.com/"),
        ("https://www.example.com:8443/", "https://www.example.com:8443/"),
        ("//www.example.com/x", "https://www.example.com/x"),
    ],
)
def test_a_redirect_leads_to_the_default_port_or_the_one_that_was_asked(location: str, target: str) -> None:
    assert str(redirected(URL("https://api.example.com:8443/v1/"), location, allow_private=False)) == target


@pytest.mark.parametrize(
    "location", ["http://api.example.com/", "https://api.example.com:22/", "gopher://x.example", ""]
)
def test_a_redirect_to_another_service_or_without_tls_is_not_followed(location: str) -> None:
    base = URL("http://api.example.com/")  # not one that is fetched: an empty Location repeats it
    with pytest.raises(HttpUrlError):
        redirected(base, location, allow_private=False)


@example("@", "https://[::1]")  # yarl's parser fails with an IndexError
@given(st.text(max_size=80), st.sampled_from(["", "https://", "//", "https://127.0.0.1", "https://[::1]"]))
def test_any_text_is_a_url_of_a_public_host_or_refused(text: str, start: str) -> None:
    try:
        url = http_url(start + text, allow_private=False)
    except HttpUrlError:
        return
    assert url.scheme == "https"
    assert url.host not in ("127.0.0.1", "::1", "localhost", None)
    assert (url.user, url.password) == (None, None)
    assert http_url(str(url), allow_private=False) == url
