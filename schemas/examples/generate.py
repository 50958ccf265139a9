"""Make the example messages: `python -m schemas.examples.generate` writes one file per topic beside this module.

A file is JSON: the topic's logical name, the key (`key_hex` for bytes, `key` for text, neither for none), the headers
as text, and the value as text. Keys are the public test keys of BIP-340: never use them for anything else.
"""

from __future__ import annotations

from hashlib import sha256
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
from schemas.records.probe import (
    Checks,
    DnsCheck,
    GeoCheck,
    HttpCheck,
    NetCheck,
    Nip11Check,
    Observed,
    OpenCheck,
    ProbeRecord,
    ReadCheck,
    SslCheck,
)
from schemas.records.rejection import Rejection
from schemas.records.relay import RelayRecord, Report, StateChange, author_hash
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import Claim, Honesty, Latency, Limits, Outage, RelayHealth, Tally
from schemas.relay_urls.relay_url import Network

SECRET = (3).to_bytes(32)
"""The private key of BIP-340's first test vector."""
RELAY = "wss://relay.example.com"
OTHER_RELAY = "wss://nostr.example.org/inbox"
CREATED_AT = 1_700_000_000
SEEN_AT_MS = 1_700_000_000_250
DOCUMENT = '{"name":"An example","supported_nips":[1,11,42],"limitation":{"max_limit":500,"auth_required":false}}'
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
        "raw.probes": _keyed(RELAY.encode(), _probe(DOCUMENT).encode()),
        "relays.documents": _keyed(
            _hash(DOCUMENT).encode(),
            RelayDocumentRecord(hash=_hash(DOCUMENT), text=DOCUMENT, first_seen_ms=SEEN_AT_MS).encode(),
        ),
        "relays.health": _keyed(RELAY.encode(), _health(_probe(DOCUMENT)).encode()),
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


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _probe(document: str) -> ProbeRecord:
    return ProbeRecord(
        url=RELAY,
        network=Network.CLEARNET,
        is_full=True,
        verdict="works",
        checks=Checks(
            open=OpenCheck(ok=True, took_ms=120, address="203.0.113.7"),
            read=ReadCheck(ok=True, took_ms=35, ended_by="EVENT", is_nostr=True),
            nip11=Nip11Check(
                ok=True, took_ms=95, status=200, content_type="application/nostr+json", document=_hash(document)
            ),
            dns=DnsCheck(ok=True, took_ms=12, a=("203.0.113.7",), ns=("ns1.example.net",), ttl_s=300),
            ssl=SslCheck(
                ok=True,
                took_ms=60,
                issuer="Example CA",
                names=("relay.example.com",),
                valid_from_s=CREATED_AT - 86_400,
                valid_until_s=CREATED_AT + 90 * 86_400,
                protocol="TLSv1.3",
                cipher="TLS_AES_256_GCM_SHA384",
            ),
            geo=GeoCheck(
                ok=True, country="FI", latitude=60.17, longitude=24.94, geohash="ud9", timezone="Europe/Helsinki"
            ),
            net=NetCheck(ok=True, asn=64_500, organization="Example hosting"),
            http=HttpCheck(ok=True, server="nginx"),
        ),
        observed=Observed(auth_required=False, counts=True, reconciles=False, largest_page=500, clock_difference_s=0.4),
        probed_at_ms=SEEN_AT_MS,
        by=public_key(SECRET),
    )


def _health(probe: ProbeRecord) -> RelayHealth:
    hour, day = CREATED_AT // 3600, CREATED_AT // 86_400
    return RelayHealth(
        url=probe.url,
        network=probe.network,
        state="online",
        since_ms=SEEN_AT_MS - 7_200_000,
        verdict=probe.verdict,
        probed_at_ms=SEEN_AT_MS,
        full_at_ms=SEEN_AT_MS,
        online_at_ms=SEEN_AT_MS,
        checks=probe.checks,
        observed=probe.observed,
        document=_hash(DOCUMENT),
        advertised=Limits(max_limit=500),
        learnt=Limits(max_limit=250),
        honesty=Honesty(copies=1100, repeated=100),
        hours=(Tally(hour - 1, 3600, 0, 1, 0), Tally(hour, 800, 0, 1, 0)),
        days=(Tally(day - 1, 82_800, 3600, 24, 1), Tally(day, 80_000, 0, 22, 0)),
        latencies=(Latency(day, ((9, 20), (10, 2)), ((7, 22),)),),
        outages=(
            Outage(
                since_ms=SEEN_AT_MS - 90_000_000,
                until_ms=SEEN_AT_MS - 86_400_000,
                verdict="broken",
                cause="connect",
                detail="connection refused",
            ),
        ),
        claims=(Claim(monitor=public_key(SECRET), at_s=CREATED_AT - 600, rtt_open_ms=210),),
        judged_at_ms=SEEN_AT_MS,
    )


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
