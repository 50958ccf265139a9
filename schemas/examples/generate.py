"""Make the example messages: `python -m schemas.examples.generate` writes one file per topic beside this module.

A file is JSON: the topic's logical name, the key (`key_hex` for bytes, `key` for text, neither for none), the headers
as text, and the value as text. Keys are the public test keys of BIP-340: never use them for anything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson

from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import IdForm, compute_id
from schemas.nostr.facts import facts
from schemas.nostr.filters import Filter
from schemas.nostr.signature import public_key, sign
from schemas.reasons import Reason
from schemas.records import bundle, event_record, sighting
from schemas.records.coverage import Copies, Coverage, Fact, FilterCoverage, Gap, GapReason
from schemas.records.erasure import Cause, Erasure
from schemas.records.probe import Check, ProbeRecord
from schemas.records.rejection import Rejection
from schemas.records.relay import RelayRecord, Report, StateChange, author_hash
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import RelayHealth
from schemas.relay_urls.relay_url import Network

SECRET = (3).to_bytes(32)
"""The private key of BIP-340's first test vector."""
RELAY = "wss://relay.example.com"
OTHER_RELAY = "wss://nostr.example.org/inbox"
CREATED_AT = 1_700_000_000
SEEN_AT_MS = 1_700_000_000_250
FOLDER = Path(__file__).parent


class Example(NamedTuple):
    """One Kafka record."""

    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes


def signed(kind: int, tags: list[list[str]], content: str, created_at: int = CREATED_AT) -> Event:
    """An event signed by the test key."""
    event = Event("", public_key(SECRET), created_at, kind, tags, content, "")
    event = event._replace(id=compute_id(event))
    return event._replace(sig=sign(SECRET, bytes.fromhex(event.id)))


def build() -> dict[str, Example]:
    """One example for each topic, by its logical name."""
    note = signed(1, [["t", "example"]], 'A note with "quotes", a line\nfeed and é ☂.')
    article = signed(30023, [["d", "first"], ["expiration", "1900000000"], ["-"]], "An addressable text.")
    future = signed(1, [], "Dated in milliseconds.", CREATED_AT * 1000)
    altered = encode_event(note).replace(b"A note", b"Another note")
    raw = encode_event(note)
    copies = [
        (RELAY, SEEN_AT_MS, raw),
        (OTHER_RELAY, SEEN_AT_MS + 15, raw),
        (None, SEEN_AT_MS + 900, encode_event(article)),
    ]
    held = bundle.HeldLine(OTHER_RELAY, SEEN_AT_MS + 950, article.id, article.created_at)
    lines = [*(bundle.encode_line(*copy) for copy in copies), bundle.encode_held_line(held)]
    source: dict[str, str | int] = {"source_topic": "nostr.raw.bundles", "source_partition": 3, "source_offset": 17}
    archived = event_record.encode(encode_event(article), RELAY, SEEN_AT_MS, facts(article, IdForm.NIP01, SEEN_AT_MS))
    command = RelayCommand(target=RELAY, action="add", spelling=f"{RELAY}/", at_ms=SEEN_AT_MS)
    candidate = RelayRecord(
        url=RELAY,
        network=Network.CLEARNET,
        spelling=f"{RELAY}/",
        source="event",
        sources=("event",),
        first_seen_ms=SEEN_AT_MS,
        authors=(author_hash(note.pubkey),),
        places=("10002 r",),
        updated_at_ms=SEEN_AT_MS,
    )
    return {
        "raw.bundles": Example(None, [], b"".join(lines)),
        "events": Example(bytes.fromhex(article.id), [], archived),
        "sightings": Example(
            None,
            [],
            sighting.encode(
                [
                    sighting.Sighting(
                        RELAY, SEEN_AT_MS, [(note.id, note.created_at), (article.id, article.created_at)]
                    ),
                    sighting.Sighting(OTHER_RELAY, SEEN_AT_MS + 15, [(note.id, note.created_at)]),
                ]
            ),
        ),
        "erasures": _keyed(
            Erasure(pubkey=note.pubkey, until_s=CREATED_AT, cause=Cause.LAW, erased_at_ms=SEEN_AT_MS).key(),
            Erasure(pubkey=note.pubkey, until_s=CREATED_AT, cause=Cause.LAW, erased_at_ms=SEEN_AT_MS).encode(),
        ),
        "quarantine": _refused(encode_event(future), Reason.CREATED_AT_OUT_OF_RANGE, "created_at", source),
        "rejections": _refused(altered, Reason.ID_MISMATCH, "id", source),
        "unwritten": Example(
            bytes.fromhex(article.id),
            Rejection(
                reason=Reason.BAD_ROW,
                stage="sink",
                detail='new row for relation "events" violates check constraint "events_kind"',
                source_topic="nostr.events",
                source_partition=3,
                source_offset=17,
            ).to_headers(),
            archived,
        ),
        "relays.commands": _keyed(command.key(), command.encode()),
        "relays.found": _keyed(
            RELAY.encode(),
            RelayFound(
                url=RELAY,
                spelling=f"{RELAY}/",
                source="event",
                places=("10002 r",),
                authors=(author_hash(note.pubkey),),
                first_seen_ms=SEEN_AT_MS,
            ).encode(),
        ),
        "relays.candidates": _keyed(RELAY.encode(), candidate.encode()),
        "relays": _keyed(
            RELAY.encode(),
            candidate.model_copy(
                update={
                    "source": "operator",
                    "sources": ("event", "operator"),
                    "state": "confirmed",
                    "admitted_at_ms": SEEN_AT_MS,
                    "command": command,
                    "report": Report(state="confirmed", at_ms=SEEN_AT_MS),
                    "history": (StateChange(state="confirmed", at_ms=SEEN_AT_MS),),
                }
            ).encode(),
        ),
        "raw.probes": _keyed(
            RELAY.encode(),
            ProbeRecord(
                url=RELAY,
                checks={
                    "open": Check(ok=True, took_ms=120),
                    "nip11": Check(ok=True, took_ms=95, found={"name": "An example", "supported_nips": [1, 11]}),
                    "ssl": Check(ok=False, error="certificate has expired"),
                },
                probed_at_ms=SEEN_AT_MS,
            ).encode(),
        ),
        "relays.health": _keyed(
            RELAY.encode(),
            RelayHealth(
                url=RELAY, online=True, since_s=CREATED_AT, uptime=0.995, max_limit=500, judged_at_ms=SEEN_AT_MS
            ).encode(),
        ),
        "coverage": _keyed(
            RELAY.encode(),
            Coverage(
                relay=RELAY,
                cursor_s=CREATED_AT,
                sets=[
                    FilterCoverage(
                        filter=Filter(kinds=(0, 3)).filter_hash(),
                        wire=Filter(kinds=(0, 3)).to_wire(),
                        read=[(CREATED_AT - 86_400, CREATED_AT - 1, CREATED_AT)],
                        gaps=[
                            Gap(
                                since=CREATED_AT - 500,
                                until=CREATED_AT - 500,
                                reason=GapReason.DENSE_SECOND,
                                tries=2,
                                retry_at_s=CREATED_AT + 7200,
                            )
                        ],
                    ),
                    FilterCoverage(
                        filter=Filter().filter_hash(),
                        identity=public_key(SECRET),
                        read=[(0, CREATED_AT - 86_401, CREATED_AT - 3600)],
                    ),
                ],
                facts=[
                    Fact(
                        name="interval_s",
                        value=6.3,
                        evidence="rate-limited: at most 10 requests a minute",
                        at_s=CREATED_AT,
                    )
                ],
                copies=Copies(received=1100, repeated=100),
                updated_at_ms=SEEN_AT_MS,
            ).encode(),
        ),
    }


def to_file(name: str, example: Example) -> bytes:
    """The text of an example's file."""
    document: dict[str, object] = {"topic": name}
    if example.key is not None:
        # Ids are keys of 32 bytes, all others are text.
        if len(example.key) == 32:  # noqa: PLR2004
            document["key_hex"] = example.key.hex()
        else:
            document["key"] = example.key.decode()
    document["headers"] = {name: value.decode() for name, value in example.headers}
    document["value"] = example.value.decode()
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def from_file(text: bytes) -> Example:
    """The record in an example's file."""
    document = orjson.loads(text)
    key = bytes.fromhex(document["key_hex"]) if "key_hex" in document else None
    if "key" in document:
        key = document["key"].encode()
    headers = [(name, value.encode()) for name, value in document["headers"].items()]
    return Example(key, headers, document["value"].encode())


def _keyed(key: bytes, value: bytes) -> Example:
    return Example(key, [], value)


def _refused(raw: bytes, reason: Reason, field: str, source: dict[str, str | int]) -> Example:
    rejection = Rejection.model_validate(
        {"reason": reason, "stage": "validate", "relay": RELAY, "field": field, "seen_at_ms": SEEN_AT_MS, **source}
    )
    return Example(None, rejection.to_headers(), raw)


def main() -> None:
    """Write the files."""
    for name, example in build().items():
        (FOLDER / f"{name}.json").write_bytes(to_file(name, example))


if __name__ == "__main__":
    main()
