"""Events that the archive cannot represent: kept once, counted by every import, and unknown to all that reads rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.broker.bigbrotr.conftest import Command
from tests.unit.processors.material import event, wire

pytestmark = pytest.mark.broker

PLAIN = wire(event("plain"))
NULL = wire(event("null", kind=3, tags=[["p", "ab" * 32, None, "name"]]))
WRAP = wire(event("wrap", kind=1059, tags=[["p", None]]))
NO_ARRAY = wire(event("no array", tags=["p", {"a": [True, 1.5]}]))
DATED = wire(event("dated", created_at=2**41))


async def test_an_import_counts_what_is_quarantined_also_where_it_is_known(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([NULL, PLAIN, WRAP, NO_ARRAY, DATED, NULL]))
    expected: dict[str, Any] = {
        "lines": 6,
        "archived": 1,
        "duplicates": 0,
        "refused": {},
        "quarantined": {"tag_not_text": 4, "created_at_out_of_range": 1},
        "missing": 0,
        "complete": True,
    }
    # With a line a bundle, the processor knows of the second copy that it is in quarantine, and says nothing of it.
    for lines in ("256", "1"):
        done = await command("import", str(file), "--wait", "--json", BIGBROTR_CONNECTOR__BUNDLE_LINES=lines)
        assert done.returncode == 0, done.stderr
        assert done.json() == {**done.json(), **expected}

    verified = await command("verify", str(file))
    said = [orjson.loads(line) for line in verified.stdout.splitlines()]
    assert [(line["verdict"], line["reason"]) for line in said] == [
        *(("quarantined", "tag_not_text"), ("accepted", None), ("quarantined", "tag_not_text")),
        *(("quarantined", "tag_not_text"), ("quarantined", "created_at_out_of_range"), ("quarantined", "tag_not_text")),
    ]
    listed = await command("rejections", "list", "--json", "--limit", "0", "--reason", "tag_not_text")
    fields = {orjson.loads(line)["field"] for line in listed.stdout.splitlines()}
    assert sorted(fields) == ["tags[0]", "tags[0][1]", "tags[0][2]"]

    exported = await command("export")
    assert exported.stdout.encode() == PLAIN + b"\n"
    assert (await command("audit")).returncode == 0
