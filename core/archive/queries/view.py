"""What one reader may see of the archive: hidden events are left out, private ones are for those they concern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from core.archive.event_query import Parameters, condition
from core.archive.selection import HIDE_PROTECTED, Hide, hidden_by_policy
from core.settings import Settings
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import PRIVATE_KINDS

_IS_CURRENT = "(NOT has_address(kind) OR is_current_version(created_at, id))"
"""The second would be enough, but is a look-up."""


class Audience(NamedTuple):
    """Who may see an event, by its kind and tags.

    Attributes:
        is_protected: by NIP-70.
        concerned: author and recipients (hex) of a private event; None: it is not private.
    """

    is_protected: bool
    concerned: frozenset[str] | None


def audience(event: Event) -> Audience:
    """Who may see an event."""
    is_protected = any(tag and tag[0] == "-" for tag in event.tags)
    if event.kind not in PRIVATE_KINDS:
        return Audience(is_protected, None)
    recipients = (tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == "p")
    return Audience(is_protected, frozenset((event.pubkey, *recipients)))


@dataclass(frozen=True, slots=True)
class View:
    """What a reader sees.

    Attributes:
        hide: leave out what is deleted, expired or vanished.
        hide_protected: leave out protected events (NIP-70).
        readers: public keys (hex) that the reader has proved; private events (kinds 4 and 1059) are seen where one of
            them is the author or in a `p` tag. None of them: no private event is seen.
        only_current: leave out versions of replaceable and addressable events that have a newer one, seen or not.
    """

    hide: frozenset[Hide] = frozenset()
    hide_protected: bool = True
    readers: frozenset[str] = frozenset()
    only_current: bool = False

    @property
    def relation(self) -> str:
        """The table or view whose rows `condition` is about."""
        return "event_flags" if self.hide else "events"

    def condition(self, parameters: Parameters) -> str:
        """What a row of `relation` must fulfil to be seen."""
        parts: list[str] = [*sorted(self.hide)]
        if self.hide_protected:
            parts.append(HIDE_PROTECTED)
        if self.only_current:
            parts.append(_IS_CURRENT)
        kinds = parameters.add(sorted(PRIVATE_KINDS), "integer[]")
        if self.readers:
            author = condition(Filter(authors=tuple(sorted(self.readers))), parameters)
            recipient = condition(Filter(tags={"p": tuple(sorted(self.readers))}), parameters)
            parts.append(f"(kind <> ALL({kinds}) OR ({author}) OR ({recipient}))")
        else:
            parts.append(f"kind <> ALL({kinds})")
        # In one CASE: the planner takes that for half of the rows, as in the view visible_events (migration 0004).
        return f"CASE WHEN {' AND '.join(parts)} THEN true ELSE false END"

    def shows(self, event: Event) -> bool:
        """Whether kind and tags let an event be seen; deletion, expiration and vanishing are not looked at."""
        return self.admits(audience(event))

    def admits(self, of_event: Audience) -> bool:
        """The same of an event whose tags were looked at before: it may have 100,000."""
        if self.hide_protected and of_event.is_protected:
            return False
        return of_event.concerned is None or not of_event.concerned.isdisjoint(self.readers)


def public_view(settings: Settings) -> View:
    """The view of readers who have proved nothing, by the settings of `policy`."""
    return View(hidden_by_policy(settings), hide_protected=settings.policy.protected == "hide")
