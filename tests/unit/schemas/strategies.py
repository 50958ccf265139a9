"""What property tests draw from: events with the text that breaks parsers, and JSON in any spelling."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key, sign

SECRET = (3).to_bytes(32)
"""The private key of BIP-340's first test vector."""
NASTY = st.sampled_from(
    [
        '"',
        "\\",
        '\\"',
        "}",
        "{",
        "]",
        "[",
        '},"',
        '","event":{',
        '"id":"',
        "\n",
        "\r",
        "\x00",
        "\x7f",
        "\u2028",
        "é",
        "🧡",
        "",
    ]
)
texts = st.one_of(st.text(), st.lists(NASTY).map("".join))
texts_with_surrogates = st.one_of(texts, st.text(st.characters(codec=None, categories=["Cs", "L", "Cc"])))
hex32 = st.binary(min_size=32, max_size=32).map(bytes.hex)
hex64 = st.binary(min_size=64, max_size=64).map(bytes.hex)


def events(text: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Event]:
    """Events with fields of the right types; neither id nor signature is right."""
    return st.builds(
        Event,
        id=hex32,
        pubkey=hex32,
        created_at=st.integers(-(2**70), 2**70),
        kind=st.integers(0, 2**70),
        tags=st.lists(st.lists(text, max_size=4), max_size=4),
        content=text,
        sig=hex64,
    )


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), texts
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def spellings(draw: st.DrawFn, value: Any) -> bytes:
    """A JSON text of a value, with white space and escapes as some writer might set them."""
    text = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")])),
    )
    return draw(st.sampled_from(["", " ", "\n"])).encode() + text.encode("utf-8", "backslashreplace")


def signed(
    kind: int = 1, tags: list[list[str]] | None = None, content: str = "", created_at: int = 1_700_000_000
) -> Event:
    """An event signed by the test key."""
    event = Event("", public_key(SECRET), created_at, kind, tags or [], content, "")
    event = event._replace(id=compute_id(event))
    return event._replace(sig=sign(SECRET, bytes.fromhex(event.id)))
