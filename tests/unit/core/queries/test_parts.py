"""Parts of a filter ask for private events by whom they concern, and leave them out for readers without a login."""

from __future__ import annotations

from core.archive.queries.parts import Part, parts
from core.archive.queries.view import View
from schemas.nostr.filters import Filter

ME, YOU = "a" * 64, "b" * 64
LOGGED_IN = View(readers=frozenset({ME}))


def test_without_login_private_kinds_are_not_read() -> None:
    assert parts(Filter(kinds=(4, 1059)), View()) == []
    assert parts(Filter(kinds=(1, 4)), View()) == [Part(Filter(kinds=(1,)))]
    assert parts(Filter(authors=(ME,)), View()) == [Part(Filter(authors=(ME,)))]


def test_private_events_are_found_by_author_and_by_recipient() -> None:
    to_me = Filter(tags={"p": (ME,)})
    assert parts(Filter(kinds=(4,)), LOGGED_IN) == [
        Part(Filter(kinds=(4,), authors=(ME,))),
        Part(Filter(kinds=(4,)), to_me),
    ]
    assert parts(Filter(kinds=(1, 4), authors=(YOU,)), LOGGED_IN) == [
        Part(Filter(kinds=(1,), authors=(YOU,))),
        Part(Filter(kinds=(4,), authors=(YOU,)), to_me),
    ]
    assert [part.has_tags for part in parts(Filter(), LOGGED_IN)] == [False, False, True]


def test_ids_are_one_part() -> None:
    assert parts(Filter(ids=(ME,), kinds=(4,)), LOGGED_IN) == [Part(Filter(ids=(ME,), kinds=(4,)))]
