"""Lines of files in every form that an event may have, and in many that it may not."""

from __future__ import annotations

from typing import Any

import orjson

from schemas.reasons import Reason
from schemas.records.bundle import encode_line
from schemas.topics import RAW_LIMIT_BYTES
from tests.unit.processors.material import event, forged_content, forged_signature, other_bytes, wire

EVENT = event('é " ] } \x7f', tags=[["t", "x"]])
RAW = wire(EVENT)
COPY = encode_line("wss://a.example", 5, RAW).rstrip()


def altered(**fields: Any) -> bytes:
    return orjson.dumps({**EVENT._asdict(), **fields})


ODD: dict[str, tuple[bytes, Reason | None]] = {
    "an event": (RAW, None),
    "other order": (other_bytes(EVENT), None),
    "a byte order mark": (b"\xef\xbb\xbf" + RAW, None),
    "white space around": (b" \t" + RAW + b" \r", None),
    "a message to a relay": (b'["EVENT",' + RAW + b"]", None),
    "a message of a relay": (b'["EVENT","s",' + RAW + b"]", None),
    "a copy": (COPY, None),
    "a carriage return between tokens": (RAW.replace(b",", b"\r,", 1), None),
    "unknown members": (RAW[:-1] + b',"relay":"x","event":{}}', None),
    "forged signature": (wire(forged_signature(EVENT)), Reason.BAD_SIGNATURE),
    "forged content": (wire(forged_content(EVENT)), Reason.ID_MISMATCH),
    "forged in a message": (b'["EVENT",' + wire(forged_content(EVENT)) + b"]", Reason.ID_MISMATCH),
    "forged in a copy": (COPY.replace(b'\\"', b"_"), Reason.ID_MISMATCH),
    "null in a tag": (wire(event("", tags=[["p", None]])), Reason.TAG_NOT_TEXT),
    "null in a tag in a message": (b'["EVENT","s",' + wire(event("", tags=[None])) + b"]", Reason.TAG_NOT_TEXT),
    "kind too large": (wire(event("", kind=70_000)), Reason.KIND_OUT_OF_RANGE),
    "auth": (wire(event("", kind=22_242)), Reason.KIND_NOT_ARCHIVED),
    "kind as text": (altered(kind="1"), Reason.BAD_FIELD),
    "tags as text": (altered(tags="x"), Reason.BAD_FIELD),
    "no signature": (orjson.dumps({"id": EVENT.id}), Reason.BAD_FIELD),
    "short id": (altered(id="ab"), Reason.NO_ID),
    "upper-case id": (altered(id=EVENT.id.upper()), Reason.NO_ID),
    "id as number": (altered(id=1), Reason.NO_ID),
    "no id": (b'{"content":"x"}', Reason.NO_ID),
    "no id in a message": (b'["EVENT",{}]', Reason.NO_ID),
    "an empty object": (b"{}", Reason.NO_ID),
    "a held line": (
        b'{"relay":"wss://a.example","seen_at":1,"id":"%b","created_at":1}' % EVENT.id.encode(),
        Reason.BAD_FIELD,
    ),
    "a copy of no relay": (COPY.replace(b"wss:", b"http:"), Reason.BAD_FIELD),
    "a copy of no time": (COPY.replace(b'"seen_at":5', b'"seen_at":null'), Reason.BAD_FIELD),
    "another message": (b'["EOSE","s"]', Reason.NOT_JSON),
    "an array of events": (b"[" + RAW + b"]", Reason.NOT_JSON),
    "a number": (b"1", Reason.NOT_JSON),
    "null": (b"null", Reason.NOT_JSON),
    "text": (b"wss://a.example", Reason.NOT_JSON),
    "not UTF-8": (b"\xff\xfd\x00", Reason.NOT_JSON),
    "half an event": (RAW[:-9], Reason.NOT_JSON),
    "one and a half": (RAW + b"{", Reason.NOT_JSON),
    "nonsense behind the id": (RAW[:-1] + b',"x":nonsense}', Reason.NOT_JSON),
    "a carriage return in a string": (RAW.replace(b"] }", b"]\r}"), Reason.NOT_JSON),
    "too large": (altered(x="x" * RAW_LIMIT_BYTES), Reason.TOO_LARGE),
    "far too large": (altered(x="x" * 3 * RAW_LIMIT_BYTES), Reason.TOO_LARGE),
    "too large in a copy": (COPY[:-2] + b',"x":"' + b"x" * RAW_LIMIT_BYTES + b'"}}', Reason.TOO_LARGE),
    "large beside its event": (COPY[:-1] + b',"facts":"' + b"x" * 3000 + b'"}', None),
}
"""Each with the reason for which it is not accepted."""
