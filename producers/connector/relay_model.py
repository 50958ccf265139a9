"""The model of one relay's behaviour, kept across restarts: each fact with its evidence and its time.

What makes reading slower or more careful is a fact, and survives a restart in the relay's record of `coverage`; after a
week the ordinary way is tried again. What makes it faster (order, `until`, prompt EOSE) is in `behavior`, and is proved
anew at each visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from producers.connector.kind_lists import smaller
from producers.connector.relay_behavior import LONG_LIST, RelayBehavior
from producers.relay_client.wording import Meaning, Said
from schemas.nostr.filters import Filter
from schemas.records.coverage import LONGEST_EVIDENCE, MOST_FACTS, Fact
from schemas.records.relay_health import Limits

SILENCE = "silence"
"""How some relays demand AUTH: they hold a question without a word."""
KEPT_S = 7 * 86_400
"""A fact that was not met again for so long is dropped: relays change their software and their operators' minds."""
LEAST_BELIEVED = 10
"""Events of a page: a relay whose document says less is asked for so many all the same. If it means it, it gives fewer,
or refuses in words that are learnt from; pages of one event cannot be told from seconds that hold more."""
LEAST_MESSAGE_BYTES = 4096
"""A relay that takes no longer message takes hardly an event; what its document says below that is not believed."""
ROOM_BYTES = 512
"""Of a question besides its longest list: verb, subscription id, times, limit, and short lists."""
KIND_BYTES, ID_BYTES = 6, 67
"""Of one kind, and of one id or author, in a list: five digits, or 64 in quotes, and a comma."""


class Name(StrEnum):
    """What is known. The values are stored: never rename one."""

    AUTH = "auth"
    """How it demands AUTH: `closed`, `notice` (or an OK), `silence`."""
    LATE_S = "late_s"
    """Stored events follow EOSE by up to so many seconds."""
    PAGE_EVENTS = "page_events"
    """No larger page arrives whole, or is taken."""
    IGNORES_LIMIT = "ignores_limit"
    """It sends everything that fits, at once."""
    INTERVAL_S = "interval_s"
    """Seconds between two messages that it bears."""
    KINDS_AT_ONCE = "kinds_at_once"
    """It refuses filters without kinds; so many it takes."""
    LIST_LENGTH = "list_length"
    """It takes filters without kinds, and so many kinds in one that has some."""
    SUBSCRIPTIONS = "subscriptions"
    """So many are open at once at most."""
    URL = "url"
    """The spelling under which it answers."""


class Model:
    """One relay's model, kept as long as the process keeps the relay."""

    def __init__(self, page_limit: int, stored: Iterable[Fact] = (), *, limits: Callable[[], Limits] = Limits) -> None:
        """Begin with what was stored.

        Args:
            page_limit: what is asked for at a time unless the relay bears less.
            stored: facts of an earlier process.
            limits: what others know of the relay's limits now (`relays.health`); a fact takes precedence.
        """
        self._page_limit = page_limit
        self._limits = limits
        self._facts = {fact.name: fact for fact in list(stored)[:MOST_FACTS]}
        self.changes = 0
        """Counts changes of facts."""
        self.behavior = self._behavior_now()

    @property
    def facts(self) -> list[Fact]:
        """All of them."""
        return list(self._facts.values())

    @property
    def page_limit(self) -> int:
        """Events to ask for at a time."""
        known = self._limits().max_limit
        known = self._page_limit if known is None else max(known, LEAST_BELIEVED)
        return max(1, min(self._page_limit, self._int(Name.PAGE_EVENTS, known)))

    @property
    def late_s(self) -> float:
        """The longest silence before an event that followed EOSE; 0: none does."""
        return self._float(Name.LATE_S)

    @property
    def interval_s(self) -> float:
        """Between two messages; 0: as they come."""
        return self._float(Name.INTERVAL_S)

    @property
    def kinds_at_once(self) -> int | None:
        """So many kinds are named in each filter; None: filters are asked as they are."""
        return self._kinds(Name.KINDS_AT_ONCE)

    @property
    def list_length(self) -> int | None:
        """So many kinds a filter may name besides; None: as many as close a range."""
        return self._kinds(Name.LIST_LENGTH)

    @property
    def subscriptions(self) -> int | None:
        """So many may be open at once; None: as many as are needed."""
        return self._int(Name.SUBSCRIPTIONS, self._limits().max_subscriptions or 0) or None

    @property
    def subid_length(self) -> int | None:
        """So many characters a subscription id may have; None: as many as NIP-01 allows."""
        return self._limits().max_subid_length

    def kinds_of(self, base: Filter) -> int | None:
        """So many kinds of a filter are asked for at once; None: all that it names, or none where it names none."""
        learnt = self.kinds_at_once or self.list_length
        if learnt is not None or base.kinds is None:
            return learnt
        fitting = self._fitting(KIND_BYTES)
        return fitting if fitting is not None and len(base.kinds) > fitting else None

    @property
    def cut(self) -> bool:
        """Whether it is known to end connections, or to refuse pages, for their length."""
        return Name.PAGE_EVENTS in self._facts

    def text(self, name: Name) -> str | None:
        """A fact that is a text."""
        fact = self._facts.get(name)
        return fact.value if fact is not None and isinstance(fact.value, str) else None

    def begin_visit(self, now_s: int) -> None:
        """Remove what is to be proved anew, and what is old."""
        kept = {name: fact for name, fact in self._facts.items() if 0 <= now_s - fact.at_s < KEPT_S}
        if kept != self._facts:
            self._facts = kept
            self.changes += 1
        self.behavior = self._behavior_now()

    def learn(self, name: Name, value: float | str, evidence: str, now_s: int) -> bool:
        """Record a fact, or that it was met again; return whether its value is new."""
        known = self._facts.get(name)
        self._facts[name] = Fact(name=name, value=value, evidence=evidence[:LONGEST_EVIDENCE], at_s=now_s)
        if known is not None and known.value == value:
            # Written again once a day, so that it does not become old while it holds.
            self.changes += now_s - known.at_s > 86_400  # noqa: PLR2004 - a day
            return False
        self.changes += 1
        return True

    def take(self, said: Said, evidence: str, now_s: int, *, asked: Filter, open_at_once: int) -> bool:
        """Learn from a refusal how to ask instead.

        Args:
            said: the refusal, understood.
            evidence: its words.
            now_s: Unix time.
            asked: the filter that was refused.
            open_at_once: how many subscriptions were open, the refused one included.

        Returns:
            Whether something else can be tried now.
        """
        match said.meaning:
            case Meaning.LIMIT:
                most = asked.limit or 1
                if self.behavior.limit < most:
                    # It was lowered since that was asked.
                    return True
                # Rounded up: pages of one event cannot be told from seconds that hold more.
                limit = said.number if said.number is not None and said.number < most else -(-most // 2)
                if limit >= most:
                    return False
                self.behavior.limit = limit
                return self.learn(Name.PAGE_EVENTS, self.behavior.limit, evidence, now_s)
            case Meaning.SUBSCRIPTIONS:
                most = min(said.number or open_at_once, open_at_once - 1)
                return most > 0 and self.learn(Name.SUBSCRIPTIONS, most, evidence, now_s)
            case Meaning.FILTER | Meaning.KINDS:
                at_once = LONG_LIST if asked.kinds is None else smaller(len(asked.kinds), said.number)
                refuses = asked.kinds is None or self.kinds_at_once is not None
                name = Name.KINDS_AT_ONCE if refuses else Name.LIST_LENGTH
                return at_once is not None and self.learn(name, at_once, evidence, now_s)
            case _:
                return False

    def status(self) -> Mapping[str, object]:
        """For a person."""
        return {fact.name: {"value": fact.value, "evidence": fact.evidence, "at_s": fact.at_s} for fact in self.facts}

    def _behavior_now(self) -> RelayBehavior:
        """As nothing is proved yet, within what the relay's longest message has room for."""
        behavior = RelayBehavior(limit=self.page_limit)
        behavior.longest_list = min(behavior.longest_list, self._fitting(KIND_BYTES) or behavior.longest_list)
        behavior.most_ids = min(behavior.most_ids, self._fitting(ID_BYTES) or behavior.most_ids)
        return behavior

    def _fitting(self, each_bytes: int) -> int | None:
        """So many values of a list fit a message that the relay takes; None: its length is not known."""
        longest = self._limits().max_message_length
        return None if longest is None else (max(longest, LEAST_MESSAGE_BYTES) - ROOM_BYTES) // each_bytes

    def _kinds(self, name: Name) -> int | None:
        known = self._int(name, 0)
        return min(known, self._fitting(KIND_BYTES) or known) or None

    def _int(self, name: Name, default: int) -> int:
        fact = self._facts.get(name)
        return int(fact.value) if fact is not None and isinstance(fact.value, int | float) else default

    def _float(self, name: Name) -> float:
        fact = self._facts.get(name)
        return max(0.0, float(fact.value)) if fact is not None and isinstance(fact.value, int | float) else 0.0
