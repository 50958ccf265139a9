"""What the checks of a probe say together, by a table."""

from __future__ import annotations

import pytest

from producers.prober.verdict import Judged, judged
from schemas.records.probe import Cause, Checks, OpenCheck, ReadCheck, WriteCheck

OPEN = OpenCheck(ok=True, took_ms=1)
READ = ReadCheck(ok=True, took_ms=1, ended_by="EOSE", is_nostr=True)


def unopened(cause: Cause | None, error: str = "why") -> Checks:
    return Checks(open=OpenCheck(ok=False, cause=cause, error=error))


def read(**members: object) -> Checks:
    return Checks(open=OPEN, read=ReadCheck.model_validate({"ok": True, "is_nostr": True} | members))


def written(**members: object) -> Checks:
    return Checks(open=OPEN, read=READ, write=WriteCheck.model_validate({"ok": False} | members))


TABLE: dict[str, tuple[Checks, Judged]] = {
    "empty": (Checks(open=OPEN, read=READ), Judged("works")),
    "an event": (read(ended_by="EVENT"), Judged("works")),
    "closed for no known reason": (read(ended_by="CLOSED", words="no"), Judged("works")),
    "written": (written(ok=True, accepted=True, read_back=True), Judged("works")),
    "nothing was tried": (Checks(), Judged("broken", "connect", "no connection was tried")),
    "nothing was asked": (Checks(open=OPEN), Judged("broken", "read", "nothing was asked")),
    "paid, by HTTP": (unopened("payment"), Judged("refused_by_policy", "payment", "why")),
    "an unknown failure": (unopened(None), Judged("broken", "handshake", "why")),
    "an echo": (
        read(ok=False, is_nostr=False, cause="silent"),
        Judged("not_nostr", None, "what it says is no message of NIP-01"),
    ),
    "too much of something else": (
        read(ok=False, is_nostr=False, error="5 frames"),
        Judged("not_nostr", None, "5 frames"),
    ),
    "AUTH held": (
        read(ok=False, cause="auth", error="answers nothing before AUTH"),
        Judged("refused_by_policy", "auth", "answers nothing before AUTH"),
    ),
    "a policy by CLOSED": (
        read(ended_by="CLOSED", cause="payment", words="pay"),
        Judged("refused_by_policy", "payment", "pay"),
    ),
    "too fast": (
        read(ended_by="CLOSED", cause="rate_limited", words="slow"),
        Judged("refuses_us", "rate_limited", "slow"),
    ),
    "silent": (read(ok=False, cause="silent", error="15 s"), Judged("broken", "silent", "15 s")),
    "gone": (read(ok=False, cause="read", error="ended"), Judged("broken", "read", "ended")),
    "gone without a cause": (read(ok=False, error="ended"), Judged("broken", "read", "ended")),
    "no write without work": (written(cause="pow", words="pow: 30"), Judged("refused_by_policy", "pow", "pow: 30")),
    "no write by its document": (
        written(cause="payment", error="not tried"),
        Judged("refused_by_policy", "payment", "not tried"),
    ),
    "writes too fast": (written(cause="rate_limited"), Judged("works")),
    "loses what it takes": (written(accepted=True, read_back=False), Judged("works")),
} | {
    f"refused: {cause}": (unopened(cause), Judged("refuses_us", cause, "why"))
    for cause in ("forbidden", "rate_limited", "challenge_page")
} | {
    f"broken: {cause}": (unopened(cause), Judged("broken", cause, "why"))
    for cause in ("no_proxy", "address", "dns", "connect", "tls", "handshake", "redirect")
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_a_verdict_is_that_of_the_table(name: str) -> None:
    checks, expected = TABLE[name]
    assert judged(checks) == expected
