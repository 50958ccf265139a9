"""Filters: what they ask, what they match, and which are one filter under another spelling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from schemas.nostr.filters import Filter
from tests.unit.schemas.strategies import json_values, signed

EVENT = signed(7, [["t", "Nostr"], ["t"], ["e", "a" * 64, "hint"], ["long", "x"]], created_at=100)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Filter(), True),
        (Filter(limit=1), True),
        (Filter(kinds=(1, 7)), True),
        (Filter(kinds=(1,)), False),
        (Filter(ids=(EVENT.id,)), True),
        (Filter(ids=("0" * 64,)), False),
        (Filter(authors=(EVENT.pubkey,)), True),
        (Filter(authors=("0" * 64,)), False),
        (Filter(since=100, until=100), True),
        (Filter(since=101), False),
        (Filter(until=99), False),
        (Filter(tags={"t": ("x", "Nostr")}), True),
        (Filter(tags={"t": ("nostr",)}), False),
        (Filter(tags={"e": ("hint",)}), False),
        (Filter(tags={"t": ("Nostr",), "e": ("a" * 64,)}), True),
        (Filter(tags={"t": ("Nostr",), "p": ("x",)}), False),
    ],
)
def test_matching(wanted: Filter, matches: bool) -> None:
    assert wanted.matches(EVENT) is matches
    assert wanted.matches(EVENT._asdict()) is matches


@given(json_values)
def test_objects_with_wrong_types_do_not_match_and_do_no_harm(value: Any) -> None:
    fields = {"id": value, "pubkey": value, "kind": value, "created_at": value, "tags": [value, [value, value]]}
    assert Filter().matches(fields)
    assert not Filter(ids=("a" * 64,)).matches(fields)
    assert not Filter(authors=("a" * 64,)).matches(fields)
    assert not Filter(tags={"q": ("no such text",)}).matches(fields)
    Filter(since=0, until=5, kinds=(5,)).matches(fields)


def test_wire_form() -> None:
    wanted = Filter(kinds=(1,), tags={"t": ("a", "b")}, since=1, limit=500)
    assert wanted.to_wire() == {"kinds": [1], "#t": ["a", "b"], "since": 1, "limit": 500}
    assert Filter().to_wire() == {}


def test_the_hash_names_what_is_matched_and_not_when_or_how_much() -> None:
    one = Filter(kinds=(1, 2), tags={"t": ("a", "b"), "e": ("c",)}, since=5, limit=10)
    other = Filter(tags={"e": ("c",), "t": ("b", "a", "a")}, kinds=(2, 1), until=9)
    assert one.filter_hash() == other.filter_hash()
    assert Filter().filter_hash() != Filter(kinds=(1,)).filter_hash() != one.filter_hash()
    assert Filter().filter_hash() == "44136fa355b3678a"  # Fixed: records of coverage are found by it.


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"ids": ()}, "ids"),
        ({"kinds": []}, "kinds"),
        ({"tags": {"t": ()}}, "#t"),
        ({"tags": {"title": ("x",)}}, "tags"),
        ({"tags": {"é": ("x",)}}, "tags"),
        ({"since": -1}, "since"),
        ({"until": 1.5}, "until"),
        ({"limit": True}, "limit"),
    ],
)
def test_what_relays_would_misread_cannot_be_asked(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        Filter(**fields)


def test_synthetic_scene(shared_data: Path) -> None:
    scene = json.loads((shared_data / "semantics_synthetic.json").read_bytes())["filter_match"]
    tried = 0
    for case in scene["filters"]:
        fields = {name: values for name, values in case["f"].items() if not name.startswith("#")}
        fields["tags"] = {name[1]: values for name, values in case["f"].items() if name.startswith("#")}
        if fields.get("ids") == []:
            continue  # Cannot be asked: relays disagree about it.
        tried += 1
        assert [i for i, event in enumerate(scene["events"]) if Filter(**fields).matches(event)] == case["match"]
    assert tried == 6
