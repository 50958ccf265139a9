"""Events of the monitor fit the schemata that others keep of the NIPs (npm's `@nostrability/schemata`).

The package is GPL-3, so nothing of it is kept here: it is fetched while this runs. Without npm the test is left out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from producers.prober.nip66.announcing import announcements
from producers.prober.nip66.facts import Facts, after
from producers.prober.nip66.relay_event import relay_event
from schemas.nostr.event import encode_event
from schemas.records.probe import Observed
from tests.unit.producers.prober.nip66.records import full, record, settings

SCHEMATA, VALIDATOR = "@nostrability/schemata@0.3.2", "ajv@8.17.1"
LIMIT_S = 60.0  # a registry that answers needs a few seconds
PLACES = {0: "nip-01/kind-0", 10_002: "nip-65/kind-10002", 10_166: "nip-66/kind-10166", 30_166: "nip-66/kind-30166"}
SCRIPT = """
const Ajv = require("ajv"), fs = require("fs");
const {schema, events} = JSON.parse(fs.readFileSync(0));
const fits = new Ajv({strict: false, validateFormats: false}).compile(JSON.parse(fs.readFileSync(schema)));
console.log(JSON.stringify(events.map((event) => (fits(event) ? null : fits.errors))));
"""
DOCUMENT = {"name": "n", "supported_nips": [1, 11, 42], "tags": ["bitcoin", "Zaps & more"], "language_tags": ["en"]}
SECRET = b"\7" * 32


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed")
    (folder / "package.json").write_text("{}")
    quiet = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        for command in (["npm", "pack", *quiet, SCHEMATA], ["npm", "install", *quiet, VALIDATOR]):
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=LIMIT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm's registry cannot be used here: {error}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def errors(packages: Path, kind: int, events: list[dict[str, Any]]) -> list[Any]:
    schema = packages / "package/dist/nips" / PLACES[kind] / "schema.json"
    asked = json.dumps({"schema": str(schema), "events": events})
    done = subprocess.run(
        ["node", "-e", SCRIPT], cwd=packages, input=asked, capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_events_fit(packages: Path) -> None:
    given = settings("wss://monitor.example", geohash="ud9", prober={"write": True})
    first = full(observed=Observed(auth_required=True, counts=True))
    drafts = [
        *announcements(given.monitor, given.prober),
        relay_event(first, after(Facts(), first, json.dumps(DOCUMENT))),
        relay_event(record(), Facts()),
    ]
    for kind in PLACES:
        events = [json.loads(encode_event(each.signed(SECRET, 1_790_000_000))) for each in drafts if each.kind == kind]
        assert errors(packages, kind, events) == [None] * len(events)


def test_the_schemata_tell_wrong_events(packages: Path) -> None:
    event = json.loads(encode_event(relay_event(record(), Facts()).signed(SECRET, 1_790_000_000)))
    wrong = [{**event, "tags": [*event["tags"], tag]} for tag in (["N", "x"], ["R", "AUTH"], ["rtt-open", "1.5"])]
    assert all(errors(packages, 30_166, wrong))
