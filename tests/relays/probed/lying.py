"""Relays that do something else than they say, or than they were asked."""

from __future__ import annotations

import orjson

from tests.relays.forgery import with_another_content, with_another_signature
from tests.relays.hostile import Event, garbage, no_eose, outside_filter, wrong_subscription
from tests.relays.probed.case import Case, Facts, at
from tests.relays.probed.member import Member, limited, notes, says
from tests.relays.probed.policies import challenged, refuses

CAP = 100
MANY = 60
"""A probe verifies half of them."""


def forged(event: Event) -> list[Event]:
    """An event, as its author did not sign it."""
    genuine = orjson.dumps(event)
    return [orjson.loads(make(genuine)) for make in (with_another_content, with_another_signature)]


def answered(*events: Event) -> Member:
    """A relay that answers each question with these."""
    return Member(verbs={"REQ": says(*[["EVENT", None, event] for event in events], ["EOSE", None])})


NOTHING: Facts = {"checks.read.ended_by": "EOSE", "observed.largest_page": 0}
LYING = {
    "a limit of 5000, and a hundred are given": Case(
        at(lambda: Member(notes(CAP + 30), most=CAP, page=limited(max_limit=5000))),
        "works",
        facts={"observed.largest_page": CAP, "checks.nip11.ok": True},
    ),
    "no AUTH, and it is demanded": Case(
        at(lambda: Member(page=limited(auth_required=False), verbs={"REQ": challenged})),
        "refused_by_policy",
        "auth",
        facts={"observed.auth_required": True, "checks.nip11.ok": True},
    ),
    "AUTH, and it is not demanded": Case(
        at(lambda: Member(page=limited(auth_required=True))), "works", facts={"observed.auth_required": False}
    ),
    "no payment, and it is demanded": Case(
        at(
            lambda: Member(
                page=limited(payment_required=False),
                verbs={"EVENT": says(["OK", None, False, "blocked: you must pay to write"])},
            )
        ),
        "refused_by_policy",
        "payment",
        key=True,
        write=True,
    ),
    "other events than those asked for": Case(
        at(lambda: Member(notes(20, kind=7), answer=outside_filter)), "works", facts=NOTHING
    ),
    "events of another question": Case(
        at(lambda: Member(notes(20), answer=wrong_subscription)), "works", facts=NOTHING
    ),
    "forged events": Case(at(lambda: answered(*forged(notes(1)[0]))), "works", facts=NOTHING),
    "more forged events than are verified": Case(
        at(lambda: answered(*[each for event in notes(MANY) for each in forged(event)])), "works", facts=NOTHING
    ),
    "forged events and no end": Case(
        at(lambda: Member(forged(notes(1)[0]), answer=no_eose)), "broken", "silent", short="read"
    ),
    "garbage before the answer": Case(
        at(lambda: Member(notes(3), answer=garbage)), "works", facts={"observed.largest_page": 3}
    ),
    "a page without an end": Case(
        at(lambda: Member(notes(3), answer=no_eose)), "works", short="read", facts={"observed.largest_page": 3}
    ),
    "an event that it took and does not give": Case(
        at(lambda: Member(verbs={"EVENT": says(["OK", None, True, ""])})),
        "works",
        key=True,
        write=True,
        facts={"checks.write.ok": False, "checks.write.accepted": True, "checks.write.read_back": False},
    ),
    "no OK to an event": Case(
        at(lambda: Member(verbs={"EVENT": says()})),
        "works",
        key=True,
        write=True,
        short="write",
        facts={"checks.write.ok": False, "checks.write.accepted": None, "checks.write.error": "no OK within"},
    ),
    "an event refused without a reason": Case(
        at(lambda: refuses("")),
        "works",
        key=True,
        write=True,
        facts={"checks.write.ok": False, "checks.write.accepted": False, "checks.write.cause": None},
    ),
    "a number that is none": Case(
        at(lambda: Member(verbs={"COUNT": says(["COUNT", None, {"count": "many"}], ["CLOSED", None, ""])})),
        "works",
        facts={"observed.counts": False},
    ),
}
