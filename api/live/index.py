"""Which subscriptions match an event: each filter is found by its rarest field, then its other fields are compared."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from schemas.nostr.event import Event
from schemas.nostr.filters import Filter

T = TypeVar("T")
_IDS, _AUTHORS, _KINDS = "ids", "authors", "kinds"
"""Names of fields; tags have their letter, which is shorter."""
_ANY = ""
"""For filters without any of them, with this value too."""


class Condition(Generic[T]):
    """One filter: the field by which it is found, and what else an event must fulfil.

    Lists are sets here but for the field's own, which is the filter's: `Filter.matches` reads a thousand values from
    end to end.

    Attributes:
        owner: whose filter it is.
        field: by which it is found: ids, a tag, authors or kinds, the first of them that the filter has.
        values: of the field.
        size: how many values all its lists have, one at least.
    """

    __slots__ = ("_authors", "_kinds", "_since", "_tags", "_until", "field", "owner", "size", "values")

    def __init__(self, owner: T, wanted: Filter) -> None:
        self.owner = owner
        tags = dict(wanted.tags)
        authors, kinds = wanted.authors, wanted.kinds
        self.values: Sequence[Hashable]
        if wanted.ids is not None:
            self.field, self.values = _IDS, wanted.ids
        elif tags:
            self.field = min(tags, key=lambda letter: len(tags[letter]))
            self.values = tags.pop(self.field)
        elif authors is not None:
            self.field, self.values, authors = _AUTHORS, authors, None
        elif kinds is not None:
            self.field, self.values, kinds = _KINDS, kinds, None
        else:
            self.field, self.values = _ANY, (_ANY,)
        others = sum(len(each) for each in (authors or (), kinds or (), *tags.values()))
        self.size = len(self.values) + others
        self._authors = None if authors is None else frozenset(authors)
        self._kinds = None if kinds is None else frozenset(kinds)
        self._tags = [frozenset((letter, value) for value in values) for letter, values in tags.items()]
        self._since = wanted.since
        self._until = wanted.until

    def holds(self, event: Event, pairs: set[tuple[str, str]]) -> bool:
        """Whether an event that was found by the field fulfils the rest; `pairs` are of its tags."""
        return (
            (self._kinds is None or event.kind in self._kinds)
            and (self._authors is None or event.pubkey in self._authors)
            and (self._since is None or self._since <= event.created_at)
            and (self._until is None or event.created_at <= self._until)
            and not any(pairs.isdisjoint(wanted) for wanted in self._tags)
        )


class Index(Generic[T]):
    """The conditions of subscriptions, by field and value."""

    def __init__(self) -> None:
        # Most values are of one condition: a set for each would take twice the memory of all else.
        self._fields: dict[str, dict[Hashable, Condition[T] | set[Condition[T]]]] = {}
        self.size = 0
        """Of all conditions together: values that are looked for."""

    def add(self, conditions: Sequence[Condition[T]]) -> None:
        """Find these from now on."""
        for condition in conditions:
            found = self._fields.setdefault(condition.field, {})
            for value in set(condition.values):
                present = found.get(value)
                if present is None:
                    found[value] = condition
                elif isinstance(present, set):
                    present.add(condition)
                else:
                    found[value] = {present, condition}
            self.size += condition.size

    def remove(self, conditions: Sequence[Condition[T]]) -> None:
        """Find these no longer."""
        for condition in conditions:
            found = self._fields[condition.field]
            for value in set(condition.values):
                present = found[value]
                if isinstance(present, set):
                    present.remove(condition)
                if not isinstance(present, set) or not present:
                    del found[value]
            if not found:
                del self._fields[condition.field]
            self.size -= condition.size

    def owners(self, event: Event) -> list[T]:
        """Whose filters match an event, each owner once."""
        pairs = _pairs(event)
        return list(dict.fromkeys(each.owner for each in self._found(event, pairs) if each.holds(event, pairs)))

    def has_owner(self, event: Event) -> bool:
        """Whether any filter matches an event: no further one is looked at."""
        pairs = _pairs(event)
        return any(each.holds(event, pairs) for each in self._found(event, pairs))

    def _found(self, event: Event, pairs: set[tuple[str, str]]) -> Iterator[Condition[T]]:
        keys: list[tuple[str, Hashable]] = [(_ANY, _ANY), (_IDS, event.id), (_AUTHORS, event.pubkey)]
        for field, value in [*keys, (_KINDS, event.kind), *pairs]:
            if (values := self._fields.get(field)) is not None and (found := values.get(value)) is not None:
                if isinstance(found, set):
                    yield from found
                else:
                    yield found


def _pairs(event: Event) -> set[tuple[str, str]]:
    """Tags that filters can ask for."""
    return {(tag[0], tag[1]) for tag in event.tags if len(tag) > 1 and len(tag[0]) == 1}
