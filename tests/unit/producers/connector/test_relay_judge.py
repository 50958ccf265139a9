"""The connector's own checks: what counts as forged, whom it is charged to, and that no relay delays another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import cycle, islice

import pytest

from producers.connector.reading.budget import FORGED_PER_HOUR, Budget
from producers.connector.reading.judge_pool import CHUNK, PER_RELAY, Judged, JudgePool
from producers.connector.reading.limits import ReadingLimits
from producers.connector.reading.pacing import LEAST_UNDER_WAY, Pacing
from producers.connector.reading.quota import Quota
from producers.connector.reading.relay_judge import WAITING_BYTES, WAITING_COPIES, RelayJudge
from producers.connector.reading.sampling import JUDGED_FIRST
from producers.relay_client.refusals import RelayError
from producers.send_buffer import SendBuffer
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.judge import CREATED_AT_END
from schemas.nostr.signature import public_key, sign
from schemas.reasons import Reason
from tests.relays.forgery import with_another_content, with_another_signature
from tests.unit.producers.sender import Sender
from tests.waiting import until

SECRET = (3).to_bytes(32)


def written(content: str = "", *, kind: int = 1, created_at: int = 1_700_000_000) -> bytes:
    event = Event("", public_key(SECRET), created_at, kind, [], content, "")
    event_id = compute_id(event)
    return encode_event(event._replace(id=event_id, sig=sign(SECRET, bytes.fromhex(event_id))))


GENUINE = written("hello")
FORGED = [with_another_signature(written(str(number))) for number in range(FORGED_PER_HOUR)]


class Account(Budget):
    """A budget that tells what it was charged with."""

    def __init__(self) -> None:
        super().__init__(1 << 30, 1 << 30)
        self.charged: list[tuple[int, bool]] = []

    def charge(self, size_bytes: int, now_s: float, *, forged: bool = False) -> bool:
        self.charged.append((size_bytes, forged))
        return super().charge(size_bytes, now_s, forged=forged)


class Asking:
    """A relay in the pool's eyes, which keeps what it hears."""

    def __init__(self, copies: Sequence[bytes], heard: Callable[[Asking], None], *, priority: bool = False) -> None:
        self.copies = list(copies)
        self.heard = heard
        self.priority = priority
        self.verdicts: list[Judged] = []

    @property
    def waiting(self) -> int:
        return len(self.copies)

    def next_copies(self, most: int) -> list[bytes]:
        given, self.copies = self.copies[:most], self.copies[most:]
        return given

    def judged(self, verdicts: Sequence[Judged]) -> None:
        self.verdicts += verdicts
        self.heard(self)


@pytest.fixture
async def pool() -> AsyncIterator[JudgePool]:
    made = JudgePool(threads=1)
    yield made
    made.close()


async def judged(judge: RelayJudge) -> None:
    """Wait until nothing of a relay waits for its verdict."""
    await until(lambda: not judge.open, "all is judged")


@pytest.mark.parametrize(
    "forged",
    [
        b"{",
        b'{"id":1}',
        with_another_content(GENUINE),
        with_another_signature(GENUINE),
        with_another_signature(written(kind=20_001)),
    ],
    ids=["not_json", "bad_field", "id_mismatch", "bad_signature", "bad_signature of an ephemeral one"],
)
async def test_a_forged_copy_is_charged_with_its_bytes(pool: JudgePool, forged: bytes) -> None:
    account = Account()
    judge = RelayJudge(pool, account)
    judge.take(GENUINE)
    judge.take(forged)
    await judged(judge)
    assert account.charged == [(len(forged), True)]
    assert judge.forged == 1


@pytest.mark.parametrize(
    "copy",
    [
        GENUINE,
        written("x" * (1 << 20)),
        written(kind=20_001),
        written(kind=22_242),
        written(kind=1 << 20),
        written(created_at=CREATED_AT_END),
        written(created_at=-1),
    ],
    ids=["genuine", "too large", "ephemeral", "auth", "kind out of range", "far future", "before 1970"],
)
async def test_what_is_refused_by_policy_or_quarantined_is_charged_to_no_relay(pool: JudgePool, copy: bytes) -> None:
    account = Account()
    judge = RelayJudge(pool, account)
    judge.take(copy)
    await judged(judge)
    assert (account.charged, judge.forged) == ([], 0)


async def test_twenty_forged_copies_end_the_reading_for_the_hour(pool: JudgePool) -> None:
    budget = Budget(1 << 30, 1 << 30)
    judge = RelayJudge(pool, budget)
    limits = ReadingLimits(SendBuffer(Sender(), 1 << 30), judge, Pacing().window(), Quota(None))
    for copy in FORGED[:-1]:
        limits.taken(copy)
    await judged(judge)
    assert not limits.full
    await limits.room()
    limits.taken(FORGED[-1])
    # Whether its connection is there or not, when the verdict comes.
    await judged(judge)
    assert limits.full
    with pytest.raises(RelayError) as error:
        await limits.room()
    assert error.value.state == "over_budget"
    assert 3590 < error.value.wait_s <= 3600


async def test_a_relay_rests_for_each_of_three_reasons(pool: JudgePool) -> None:
    send_buffer, pacing = SendBuffer(Sender(), 1000), Pacing()
    judge, window = RelayJudge(pool, Budget(1 << 30, 1 << 30)), pacing.window()
    limits = ReadingLimits(send_buffer, judge, window, Quota(None))
    for _ in range(WAITING_COPIES):
        limits.taken(GENUINE)
    assert limits.full
    await limits.room()
    await judged(judge)
    assert window.sent == WAITING_COPIES

    noted = pacing.note()
    assert noted is not None
    pacing.acknowledged(0, 1)
    pacing.published(noted, 0.0)
    pacing.look({}, 10.0)
    window.sent += LEAST_UNDER_WAY
    assert limits.full
    pacing.look({0: 2}, 10.0)
    assert not limits.full

    send_buffer.put("t", bytes(1000), partition=0)
    assert limits.full


async def test_a_copy_that_is_known_to_be_forged_is_charged_again_but_ends_nothing(pool: JudgePool) -> None:
    account = Account()
    judge = RelayJudge(pool, account)
    for _ in range(FORGED_PER_HOUR):
        judge.take(FORGED[0])
    await judged(judge)
    assert account.charged == [(len(FORGED[0]), number == 0) for number in range(FORGED_PER_HOUR)]
    assert not judge.full


async def test_all_are_judged_again_after_a_forged_one(pool: JudgePool) -> None:
    account = Account()
    judge = RelayJudge(pool, account)
    for _ in range(JUDGED_FIRST):
        judge.take(GENUINE)
        if judge.full:
            await judge.room()
    await judged(judge)
    while not judge.forged:
        judge.take(FORGED[0])
        await judged(judge)
    for number in range(1, 10):
        judge.take(FORGED[number])
    await judged(judge)
    assert judge.forged == 10


@pytest.mark.parametrize(("size", "most"), [(0, WAITING_COPIES), (WAITING_BYTES // 4, 4)])
async def test_a_relay_rests_while_too_much_of_it_waits(size: int, most: int) -> None:
    pool = JudgePool(threads=1)
    judge = RelayJudge(pool, Budget(1 << 30, 1 << 30))
    copy = written("x" * size)
    for _ in range(most - 1):
        judge.take(copy)
        assert not judge.full
    judge.take(copy)
    assert judge.full
    await asyncio.wait_for(judge.room(), 30)
    assert not judge.full
    pool.close()


async def test_relays_are_judged_in_turn(pool: JudgePool) -> None:
    """One that has sent much is asked for a few of it, then the others are."""
    order: list[Asking] = []

    def heard(relay: Asking) -> None:
        order.extend([relay] * (len(relay.verdicts) - order.count(relay)))

    greedy = Asking(list(islice(cycle([GENUINE]), 10 * CHUNK)), heard)
    modest = [Asking([GENUINE], heard) for _ in range(3)]
    total = len(greedy.copies)
    copies, greedy.copies = greedy.copies, []
    for copy in copies:
        greedy.copies.append(copy)
        pool.add(greedy)
    for relay in modest:
        pool.add(relay)
    await until(lambda: len(greedy.verdicts) == total and all(relay.verdicts for relay in modest), "all are judged")
    # What was with the thread already, and one turn.
    last = max(order.index(relay) for relay in modest)
    assert order[:last].count(greedy) <= CHUNK + PER_RELAY
    assert {each.forged for relay in [greedy, *modest] for each in relay.verdicts} == {None}


async def test_a_priority_relay_waits_for_no_turn_of_the_regular_ones() -> None:
    order: list[bool] = []
    pool = JudgePool(threads=1, priority_share=0.25)

    def heard(relay: Asking) -> None:
        order.extend([relay.priority] * (len(relay.verdicts) - counted[relay]))
        counted[relay] = len(relay.verdicts)

    counted: Counter[Asking] = Counter()
    crowd = [Asking([], heard) for _ in range(100)]
    priority = Asking([], heard, priority=True)
    for relay in [*crowd, priority]:
        for _ in range(PER_RELAY):
            relay.copies.append(GENUINE)
            pool.add(relay)
    await until(lambda: len(order) == 101 * PER_RELAY, "all are judged")
    # Behind what was with the thread already, and what has its share beside it.
    assert max(number for number, is_priority in enumerate(order) if is_priority) < 2 * CHUNK
    pool.close()


async def test_a_verdict_names_the_reason_and_belongs_to_its_copy(pool: JudgePool) -> None:
    heard: list[Asking] = []
    relay = Asking([], heard.append)
    for copy in (GENUINE, FORGED[0], GENUINE, b"["):
        relay.copies.append(copy)
        pool.add(relay)
    await until(lambda: len(relay.verdicts) == 4, "all are judged")
    assert relay.verdicts == [
        (GENUINE, None),
        (FORGED[0], Reason.BAD_SIGNATURE),
        (GENUINE, None),
        (b"[", Reason.NOT_JSON),
    ]
