"""Divides a filter by what a view shows of it, so that no part reads rows which it may not give."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from core.archive.queries.view import View
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import PRIVATE_KINDS


class Part(NamedTuple):
    """Some of the rows that a filter asks for.

    Attributes:
        wanted: what they fulfil.
        also: a further filter that they fulfil, or None.
    """

    wanted: Filter
    also: Filter | None = None

    @property
    def has_tags(self) -> bool:
        """Whether the rows are found by their tags."""
        return bool(self.wanted.tags or (self.also is not None and self.also.tags))


def parts(wanted: Filter, view: View) -> list[Part]:
    """What to read so that together all rows are read that a filter asks for and a view shows, some perhaps twice.

    Private events are those that a reader has written, and those that name one in a `p` tag: each sort has its index.
    Read among all of their kind, a reader's own would be some of millions.
    """
    if wanted.ids is not None:
        return [Part(wanted)]
    public = None if wanted.kinds is None else tuple(kind for kind in wanted.kinds if kind not in PRIVATE_KINDS)
    private = tuple(kind for kind in sorted(PRIVATE_KINDS) if wanted.kinds is None or kind in wanted.kinds)
    found = [] if public == () else [Part(replace(wanted, kinds=public))]
    if not private or not view.readers:
        return found
    readers = tuple(sorted(view.readers))
    of_private = replace(wanted, kinds=private)
    authors = readers if wanted.authors is None else tuple(each for each in readers if each in wanted.authors)
    if authors:
        found.append(Part(replace(of_private, authors=authors)))
    found.append(Part(of_private, Filter(tags={"p": readers})))
    return found
