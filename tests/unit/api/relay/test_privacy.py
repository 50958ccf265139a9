"""A request is refused for its private kinds only where none of its events could be given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.relay.privacy import names_private_kinds, refusal
from core.archive.queries.view import View
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter

KEYS = [letter * 64 for letter in "abcd"]
keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=2).map(tuple)
kinds = st.lists(st.sampled_from([1, 4, 1059]), min_size=1, max_size=3).map(tuple)
filters = st.builds(
    Filter,
    authors=st.none() | keys,
    kinds=st.none() | kinds,
    tags=st.just({}) | keys.map(lambda values: {"p": values}),
)


@given(
    st.lists(filters, min_size=1, max_size=2),
    st.frozensets(st.sampled_from(KEYS), max_size=2),
    st.sampled_from([1, 4, 1059]),
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
)
def test_nothing_that_could_be_given_is_refused(
    asked: list[Filter], proved: frozenset[str], kind: int, author: str, recipient: str
) -> None:
    """Of messages with one recipient, whose gift wraps are signed by keys that no reader has."""
    event = Event("0" * 64, author, 1, kind, [["p", recipient]], "", "0" * 128)
    is_given = View(readers=proved).shows(event) and any(each.matches(event) for each in asked)
    if is_given and not (kind == 1059 and author in proved):
        assert refusal(asked, proved) is None


@given(st.lists(filters, min_size=1, max_size=2))
def test_a_login_is_asked_for_where_all_is_private(asked: list[Filter]) -> None:
    needs = all(each.kinds is not None and 1 not in each.kinds for each in asked)
    reason = refusal(asked, frozenset())
    assert (reason is not None) == needs
    assert reason is None or reason.startswith("auth-required: ")
    assert names_private_kinds(asked) or not needs


def test_messages_of_others_are_restricted() -> None:
    mine = frozenset({KEYS[0]})
    others = [
        Filter(kinds=(4,), authors=(KEYS[1],), tags={"p": (KEYS[2],)}),
        Filter(kinds=(1059,), tags={"p": (KEYS[2],)}),
    ]
    assert str(refusal(others, mine)).startswith("restricted: ")
    assert refusal([*others, Filter(kinds=(4,))], mine) is None
    assert refusal([*others, Filter(kinds=(1, 4), authors=(KEYS[1],))], mine) is None
    assert refusal([Filter(kinds=(4,), tags={"p": (KEYS[2],)})], mine) is None
    assert refusal([Filter(kinds=(4,), authors=(KEYS[1],))], mine) is None
