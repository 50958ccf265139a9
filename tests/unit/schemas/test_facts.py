"""Facts: stated only where they apply, with the odd values of the wild taken as no fact at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import IdForm
from schemas.nostr.facts import MAX_TARGETS, facts
from schemas.nostr.kinds import EventClass, classify
from tests.unit.schemas.strategies import signed

NOW_MS = 1_700_000_000_000
AUTHOR = signed().pubkey
OTHER = "d" * 64


def of(event: Event, form: IdForm = IdForm.NIP01) -> dict[str, object]:
    return facts(event, form, NOW_MS)


@pytest.mark.parametrize(
    ("kind", "event_class"),
    [
        (0, EventClass.REPLACEABLE),
        (1, EventClass.REGULAR),
        (2, EventClass.REGULAR),
        (3, EventClass.REPLACEABLE),
        (4, EventClass.REGULAR),
        (41, EventClass.REGULAR),
        (62, EventClass.REGULAR),
        (9_999, EventClass.REGULAR),
        (10_000, EventClass.REPLACEABLE),
        (19_999, EventClass.REPLACEABLE),
        (20_000, EventClass.EPHEMERAL),
        (29_999, EventClass.EPHEMERAL),
        (30_000, EventClass.ADDRESSABLE),
        (39_999, EventClass.ADDRESSABLE),
        (40_000, EventClass.REGULAR),
        (65_535, EventClass.REGULAR),
    ],
)
def test_classes(kind: int, event_class: EventClass) -> None:
    assert classify(kind) is event_class


def test_a_common_note_has_its_class_and_nothing_else() -> None:
    assert of(signed(1, [["p", OTHER], ["e"], []])) == {"class": "regular"}


@pytest.mark.parametrize(
    ("kind", "tags", "address"),
    [
        (0, [["d", "ignored"]], f"0:{AUTHOR}:"),
        (10002, [], f"10002:{AUTHOR}:"),
        (30023, [["d", "x"], ["d", "y"]], f"30023:{AUTHOR}:x"),
        (30023, [], f"30023:{AUTHOR}:"),
        (30023, [["d"], ["d", "y"]], f"30023:{AUTHOR}:"),
    ],
)
def test_addresses(kind: int, tags: list[list[str]], address: str) -> None:
    assert of(signed(kind, tags))["address"] == address


@pytest.mark.parametrize(
    ("value", "expiration"),
    [
        ("1700000000", 1_700_000_000),
        ("0", 0),
        (str(2**40 - 1), 2**40 - 1),
        (str(2**40), None),
        ("9" * 400_000, None),
        ("1700000000.5", None),
        ("-1", None),
        ("1_0", None),
        ("١٢", None),
        (" 1", None),
        ("", None),
        ("soon", None),
    ],
)
def test_expirations(value: str, expiration: int | None) -> None:
    assert of(signed(1, [["expiration", value]])).get("expiration") == expiration


def test_the_first_expiration_counts() -> None:
    assert "expiration" not in of(signed(1, [["expiration"], ["expiration", "5"]]))


@pytest.mark.parametrize(
    ("event_id", "nonce", "work"),
    [
        ("000006d8" + "f" * 56, ["nonce", "776797", "20"], 20),
        ("000006d8" + "f" * 56, ["nonce", "776797", "21"], 21),
        ("000006d8" + "f" * 56, ["nonce", "776797", "22"], None),
        ("0" * 64, ["nonce", "1", "256"], 256),
        ("000006d8" + "f" * 56, ["nonce", "1"], None),
        ("000006d8" + "f" * 56, ["nonce", "1", "many"], None),
        ("000006d8" + "f" * 56, ["nonce", "1", "9" * 5000], None),
    ],
)
def test_work_counts_as_far_as_it_was_committed_to(event_id: str, nonce: list[str], work: int | None) -> None:
    assert of(signed(1, [nonce])._replace(id=event_id)).get("pow") == work


def test_flags() -> None:
    assert of(signed(1, [["-"]]))["protected"] is True
    assert of(signed(), IdForm.DEL)["del_form"] is True
    hour_later = NOW_MS // 1000 + 3600
    assert "future" not in of(signed(created_at=hour_later))
    assert of(signed(created_at=hour_later + 1))["future"] is True


def test_deletions_name_ids_and_addresses_of_their_author() -> None:
    tags = [
        ["e", OTHER],
        ["e", OTHER],
        ["e", "short"],
        ["e"],
        ["a", f"30023:{AUTHOR}:x"],
        ["a", f"30023:{OTHER}:x"],
        ["k", "1"],
    ]
    assert of(signed(5, tags))["deletes"] == {"ids": [OTHER], "addresses": [f"30023:{AUTHOR}:x"]}
    assert "deletes" not in of(signed(1, tags))
    assert "deletes" not in of(signed(5, [["k", "1"]]))


def test_vanish_requests_name_relays() -> None:
    assert of(signed(62, [["relay", "ALL_RELAYS"], ["relay"]]))["vanish"] == {"relays": ["ALL_RELAYS"]}
    assert "vanish" not in of(signed(62))


@pytest.mark.parametrize(("kind", "name"), [(5, "e"), (5, "a"), (62, "relay")])
def test_lists_are_capped_and_flagged(kind: int, name: str) -> None:
    values = {"e": "{:064x}", "a": "30023:" + AUTHOR + ":{}", "relay": "wss://{}.example"}[name]
    full = signed(kind, [[name, values.format(i)] for i in range(MAX_TARGETS)])
    over = signed(kind, [[name, values.format(i)] for i in range(MAX_TARGETS + 1)])
    assert "capped" not in of(full)
    assert of(over)["capped"] is True
    for event in (full, over):
        assert len(orjson.dumps(of(event))) < len(encode_event(event)) + 200


def test_targets_of_synthetic_scenes(shared_data: Path) -> None:
    scenes: dict[str, Any] = json.loads((shared_data / "semantics_synthetic.json").read_bytes())
    stated = {
        name: [of(Event(**event)) for event in scene["events"]]
        for name, scene in scenes.items()
        if name.startswith(("delete_", "vanish_"))
    }
    assert any("deletes" in found for found in stated["delete_by_e"])
    assert any(found.get("deletes", {}).get("addresses") for found in stated["delete_by_a"])  # type: ignore[attr-defined]
    assert any(found.get("vanish") == {"relays": ["ALL_RELAYS"]} for found in stated["vanish_all"])
