"""Audits a row: id, signature and derived columns; names the column that was altered.

Pure functions, made for worker threads: checking a signature takes most of the time and frees the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Any, NamedTuple

from core.archive.rows import EventRow, event_from_row
from schemas.lookup import key_prefix
from schemas.nostr.event import Event, event_from_object
from schemas.nostr.event_id import IdForm, form_of, id_form, serialize
from schemas.nostr.filter_wire import MAX_KIND
from schemas.nostr.signature import verify, verify_many
from schemas.reasons import EventError
from schemas.records.bundle import SEEN_AT_END_MS
from sinks.rows import event_row, indexed_tags, tag_hashes

# Finding an altered kind hashes the event 65,536 times: a quarter of a second at this size.
_TRIED_UP_TO_BYTES = 4096

_SIGNED = ("created_at", "kind", "tags", "content")


class Wrong(NamedTuple):
    """What is wrong with a row.

    Attributes:
        columns: the altered one; several: one of these at least, and no more can be told.
        detail: what does not fit.
    """

    columns: tuple[str, ...]
    detail: str


class BadRow(NamedTuple):
    """A row of `events` and all that is wrong with it."""

    row: EventRow
    wrongs: list[Wrong]


def audit_rows(rows: Iterable[Sequence[Any]]) -> list[BadRow]:
    """The rows, values in the order of `EVENT_COLUMNS`, that are not as the sink would have written them."""
    bad: list[BadRow] = []
    plausible: list[EventRow] = []
    for values in rows:
        row = EventRow(*values)
        if _is_plausible(row):
            plausible.append(row)
        else:
            bad.append(BadRow(row, diagnose(row)))
    checked = verify_many((row.pubkey.hex(), row.id.hex(), row.sig.hex()) for row in plausible)
    return bad + [BadRow(row, diagnose(row)) for row, right in zip(plausible, checked, strict=True) if not right]


def audit_sighting(
    relay_ids: Sequence[int | None], seen_ats_ms: Sequence[int | None], known: AbstractSet[int]
) -> Wrong | None:
    """What is wrong with the arrays of a sighting; `known` are the numbers of all relays."""
    distinct = set(relay_ids)
    if not distinct or len(distinct) != len(relay_ids):
        return Wrong(("relay_ids",), "names a relay twice" if distinct else "is empty")
    if not distinct <= known:
        return Wrong(("relay_ids",), f"names relay {next(iter(distinct - known))}, which is not in relays")
    if not all(at_ms is not None and 0 <= at_ms < SEEN_AT_END_MS for at_ms in seen_ats_ms):
        return Wrong(("seen_ats_ms",), "holds no time in milliseconds since 1970")
    return None


def diagnose(row: EventRow) -> list[Wrong]:
    """All that is wrong with a row, each with the column that was altered as far as that can be told."""
    try:
        event = _event(row)
    except EventError as error:
        column = "raw" if row.raw is not None else (error.field or "tags").partition("[")[0]
        return [Wrong((column,), f"gives no event: {error}")]
    if row.raw is not None:
        return _diagnose_raw(row, event)
    wrong, genuine = _diagnose_columns(row, event)
    return wrong + list(_derived(row, genuine, {column for each in wrong for column in each.columns}))


def refine_created_at(row: EventRow, created_at: int) -> Wrong | None:
    """Whether the id of a row fits another time, one that a sighting of that id has."""
    if id_form(event_from_row(row)._replace(created_at=created_at)) is None:
        return None
    return Wrong(("created_at",), f"is {row.created_at}; the id fits {created_at}, as a sighting of it has")


def _is_plausible(row: EventRow) -> bool:
    """Whether all but the signature is as the sink would have written it."""
    try:
        event = _event(row)
        expected = event_row(event, row.id_form)
    except ValueError:
        return False
    return (
        form_of(serialize(event), row.id.hex()) == row.id_form
        and (expected.raw is None) == (row.raw is None)
        # Tags as PostgreSQL writes them have other white space, and hashes are a set. Older rows hold the text
        # as it was received.
        and expected._replace(tags=row.tags, tag_hashes=row.tag_hashes, raw=row.raw) == row
        and _same_hashes(row, event.tags)
    )


def _same_hashes(row: EventRow, tags: Sequence[Sequence[str]]) -> bool:
    # Older rows have those of all tags, however many.
    return any(
        len(row.tag_hashes) == len(expected) and set(row.tag_hashes) == set(expected)
        for expected in (indexed_tags(tags), tag_hashes(tags))
    )


def _event(row: EventRow) -> Event:
    """The event of a row, its types checked: by hand a jsonb can be anything."""
    event = event_from_row(row)
    return event if row.raw is not None else event_from_object(event._asdict())


def _diagnose_raw(row: EventRow, event: Event) -> list[Wrong]:
    """A row that keeps the bytes of the event: they are right or not by themselves, then the columns follow."""
    form = id_form(event)
    if form is None or not verify(event.pubkey, event.id, event.sig):
        what = "its id does not fit" if form is None else "its signature does not fit"
        return [Wrong(("raw",), f"is not what was signed: {what}")]
    expected = event_row(event, form)
    wrong = [
        Wrong((column,), "differs from the event in raw, which is as it was signed")
        for column in ("created_at", "id", "kind", "id_form", "pubkey", "sig")
        if getattr(row, column) != getattr(expected, column)
    ]
    if expected.raw is None:
        wrong.append(Wrong(("raw",), "is kept although the columns can hold the event"))
    return wrong + list(_derived(row, event, set()))


def _diagnose_columns(row: EventRow, event: Event) -> tuple[list[Wrong], Event]:
    """What is wrong with the columns that were signed, and the event with what is known to be right instead."""
    data = serialize(event)
    if (form := form_of(data, event.id)) is not None:
        wrong = []
        if form != row.id_form:
            wrong.append(Wrong(("id_form",), f"is {row.id_form}; the id fits form {form.value}"))
        if not verify(event.pubkey, event.id, event.sig):
            wrong.append(Wrong(("sig",), "is not the author's signature of the id"))
        return wrong, event
    if verify(event.pubkey, event.id, event.sig):
        return [_altered_field(row, event, data)], event
    for serialized in (data, data.replace(b"\x7f", rb"\u007f")):
        right_id = sha256(serialized).hexdigest()
        if verify(event.pubkey, right_id, event.sig):
            return [Wrong(("id",), f"does not fit the stored fields; they and the signature fit {right_id}")], (
                event._replace(id=right_id)
            )
    if key_prefix(row.pubkey) != row.pubkey_prefix and key_prefix(row.id) == row.id_prefix:
        return [Wrong(("pubkey",), "fits neither the id nor the signature nor pubkey_prefix")], event
    return [Wrong(("id", "pubkey", "sig", *_SIGNED), "neither id nor signature fit the stored fields")], event


def _altered_field(row: EventRow, event: Event, data: bytes) -> Wrong:
    """Which field was altered where author, id and signature belong together."""
    if not _same_hashes(row, event.tags):
        return Wrong(("tags",), "fits neither the id nor tag_hashes")
    if row.id_form == IdForm.DEL:
        data = data.replace(b"\x7f", rb"\u007f")
    head = f'[0,"{event.pubkey}",{event.created_at},'.encode()
    tail = data[len(head) + len(str(event.kind)) :]
    if len(data) <= _TRIED_UP_TO_BYTES:
        for kind in range(MAX_KIND + 1):
            if sha256(b"%b%d%b" % (head, kind, tail)).digest() == row.id:
                return Wrong(("kind",), f"is {row.kind}; the id fits kind {kind}")
        return Wrong(("content", "tags", "created_at"), "the id does not fit the stored fields")
    return Wrong(("content", "tags", "created_at", "kind"), "the id does not fit the stored fields")


def _derived(row: EventRow, event: Event, told: AbstractSet[str]) -> Iterator[Wrong]:
    """Columns that follow from others; not those that only show which other was altered."""
    if row.id_prefix != key_prefix(bytes.fromhex(event.id)):
        yield Wrong(("id_prefix",), "is not the first 8 bytes of the id")
    if row.pubkey_prefix != key_prefix(bytes.fromhex(event.pubkey)) and told != {"pubkey"}:
        yield Wrong(("pubkey_prefix",), "is not the first 8 bytes of the public key")
    if not _same_hashes(row, event.tags) and told != {"tags"}:
        yield Wrong(("tag_hashes",), "are not those of the tags")
