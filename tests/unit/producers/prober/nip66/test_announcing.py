"""What the monitor says of itself is true of its settings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers.prober.nip66.announcing import announcements, frequency_s, is_held
from producers.relay_client.page import Seen
from schemas.nostr.signature import public_key
from schemas.nostr.signing import Draft
from tests.unit.producers.prober.nip66.records import by_name, settings

NOW = 1_790_000_000
SECRET = b"\7" * 32
AUTHOR = public_key(SECRET)


def announced(prober: dict[str, Any] | None = None, **monitor: Any) -> dict[int, Draft]:
    given = settings("wss://monitor.example", prober=prober, **monitor)
    return {draft.kind: draft for draft in announcements(given.monitor, given.prober)}


def test_the_announcement_names_the_checks_that_are_made() -> None:
    found = by_name(announced(geohash="ud9")[10_166].tags)
    assert found["c"] == ["open", "read", "nip11", "ssl", "dns", "http"]
    assert (found["frequency"], found["g"]) == (["3600"], ["ud9", "ud", "u"])
    assert found["timeout"] == ["open/15000", "read/15000", "nip11/10000", "ssl/10000", "dns/5000"]
    more = {"write": True, "city_database": "city.mmdb", "asn_database": "asn.mmdb", "write_timeout_s": 2.5}
    found = by_name(announced(more)[10_166].tags)
    assert found["c"] == ["open", "read", "write", "nip11", "ssl", "dns", "http", "geo", "net"]
    assert "write/2500" in found["timeout"]
    assert "g" not in found


@pytest.mark.parametrize(("renew_s", "interval_s", "promised"), [(3600, 600, 3600), (600, 3600, 3600), (90.4, 10, 90)])
def test_no_more_is_promised_than_probes_allow(renew_s: float, interval_s: float, promised: int) -> None:
    given = settings(renew_s=renew_s, prober={"interval_s": interval_s})
    assert frequency_s(given.monitor, given.prober) == promised


def test_profile_and_relay_list() -> None:
    found = announced(name="A monitor", about="Ask me to stop")
    assert json.loads(found[0].content) == {"name": "A monitor", "about": "Ask me to stop", "bot": True}
    assert found[10_002].tags == [["r", "wss://monitor.example/", "write"]]


def test_what_a_relay_has_of_the_last_day_is_not_published_again() -> None:
    draft = announced()[10_166]

    def seen(at_s: int, kind: int = 10_166) -> list[Seen]:
        return [Seen(at_s, draft.unsigned(AUTHOR, at_s).id, kind, AUTHOR)]

    assert is_held(draft, AUTHOR, seen(NOW - 3600), NOW)
    assert not is_held(draft, AUTHOR, seen(NOW - 86_400), NOW)
    assert not is_held(announced(geohash="u")[10_166], AUTHOR, seen(NOW - 3600), NOW)
    assert not is_held(draft, AUTHOR, [], NOW)
