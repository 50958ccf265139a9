"""Lists of relays are read in the forms in which people keep them, and what is none is named with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from producers.operator.listed_relays import RefusedUrl, RelayList
from producers.operator.relay_lists import RelayListError, parse_relay_text, read_relay_file

URLS = ["wss://a.example", "wss://b.example"]


def read(path: Path, data: bytes) -> RelayList:
    path.write_bytes(data)
    found = RelayList()
    read_relay_file(path, into=found)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "wss://a.example\nwss://b.example\n",
        "wss://a.example\r\nwss://b.example",
        "# mine\nwss://A.example/, wss://b.example # good",
        '["wss://a.example","wss://b.example/"]',
        ' \n[\n  "wss://a.example",\n  " wss://b.example "\n]\n',
        '[{"url":"wss://a.example","network":"clearnet"},{"relay_url":"wss://b.example"}]',
        '{"relays":["wss://a.example",{"relay":7,"relayUrl":"wss://b.example"}],"total":2}',
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_and_json_cost_no_relay(tmp_path: Path, text: str, mark: str) -> None:
    found = read(tmp_path / "list", (mark + text).encode())
    assert (list(found.relays), found.refused, found.duplicates) == (URLS, [], 0)


def test_each_wrong_entry_of_an_array_is_named_with_its_place(tmp_path: Path) -> None:
    entries = [URLS[0], {"name": "wss://c.example"}, "http://d.example", 5, None, ["x"], URLS[1], "WSS://a.example", ""]
    found = read(tmp_path / "list.json", json.dumps(entries).encode())
    assert (list(found.relays), found.duplicates) == (URLS, 1)
    name = f"{tmp_path}/list.json"
    assert found.refused[0] == RefusedUrl(
        f"{name}: entry 2",
        '{"name":"wss://c.example"}',
        "is an object of 1 members; each entry must be the URL of a relay as text, or an object with it in `url`",
    )
    assert [refused.place.removeprefix(f"{name}: ") for refused in found.refused] == [
        *("entry 2", "entry 3", "entry 4", "entry 5", "entry 6", "entry 9")
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("wss://a.example\n".encode("utf-16"), "is text in UTF-16.*iconv -f UTF-16 -t UTF-8"),
        ("wss://a.example\n".encode("utf-16-le"), "is text in UTF-16.*iconv -f UTF-16LE -t UTF-8"),
        ('["wss://a.example"]'.encode("utf-32"), "is text in UTF-32"),
        (gzip.compress(b"wss://a.example", mtime=0), "is gzip data.*gzip -dc FILE"),
        (b'["wss://a.example",]', "begins with \\[ and is not JSON at line 1, column \\d+: give a JSON array"),
        (b'["wss://a.example"', "is not JSON at line 1"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"relay":["wss://a.example"]}', "is an object of 1 members: give a JSON array of URLs, an object with one"),
        (b'{"relays":"wss://a.example"}', "is an object of 1 members: give a JSON array of URLs"),
        (b"a," * 50_001, "has more than 50000 entries: that is no list of relays"),
        (b"[" + b"0," * 50_000 + b"0]", "has more than 50000 entries"),
        (b"wss://a.example\n" * (1 << 21), "is larger than 16777216 bytes"),
    ],
)
def test_what_is_no_list_is_named_as_a_whole(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(RelayListError, match=said) as error:
        read(tmp_path / "list", data)
    assert str(error.value).startswith(f"{tmp_path}/list: ")


def test_an_entry_that_is_nested_deeply_is_refused_as_any_other(tmp_path: Path) -> None:
    found = read(tmp_path / "list", b'["wss://a.example",' + b"[" * 1000 + b"]" * 1000 + b"]")
    assert (list(found.relays), [each.place for each in found.refused]) == ([URLS[0]], [f"{tmp_path}/list: entry 2"])


def test_a_variable_may_hold_json_too() -> None:
    for text in (json.dumps(URLS), " ".join(URLS)):
        found = RelayList()
        parse_relay_text(text, "RELAYS", into=found)
        assert list(found.relays) == URLS
    nothing = RelayList()
    parse_relay_text(" ", "RELAYS", into=nothing)
    assert nothing == RelayList()


def test_the_samples_of_the_field(shared_data: Path) -> None:
    for name, letter in (("relays_bom.txt", "b"), ("relays.json", "a")):
        sample = shared_data / "field-cases" / name
        if not sample.exists():
            pytest.skip(f"the sample field-cases/{name} is not in shared/data")
        found = RelayList()
        read_relay_file(sample, into=found)
        assert (list(found.relays), found.refused) == ([f"wss://{letter}{n}.example.com" for n in (1, 2)], [])
