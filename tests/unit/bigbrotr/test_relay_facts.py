"""How a relay wants to be asked, as people read it."""

from __future__ import annotations

import pytest

from bigbrotr.console.relay_facts import fact_words
from producers.connector.relay_model import Name
from schemas.records.coverage import Fact


def words(name: str, value: float | str, evidence: str = "said so", *, unicode: bool = True) -> str:
    return fact_words(Fact(name=name, value=value, evidence=evidence, at_s=1), unicode=unicode)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (Name.AUTH, "notice", 'demands AUTH by NOTICE or OK: "said so"'),
        (Name.AUTH, "silence", 'demands AUTH by silence: "said so"'),
        (Name.LATE_S, 2.5, 'sends stored events up to 2.5 s after EOSE: "said so"'),
        (Name.PAGE_EVENTS, 5000, 'gives pages of at most 5,000 events: "said so"'),
        (Name.URL, "wss://a.example/{}", 'answers as wss://a.example/{}: "said so"'),
        ("newer", "much", 'newer much: "said so"'),
    ],
)
def test_a_fact_is_a_sentence_with_its_unit(name: str, value: float | str, told: str) -> None:
    assert words(name, value) == told


def test_every_fact_of_the_connector_has_words() -> None:
    assert all(not words(name, 7).startswith(name.value) for name in Name)


def test_words_of_a_relay_are_shown_and_never_acted_on() -> None:
    said = 'no "é"\x1b[2J\n\u202e'
    assert words("url", "\x1b[2J", said) == r'answers as \x1b[2J: "no \"é\"\u001b[2J\n\u202e"'
    assert words("url", "x", said, unicode=False).isascii()
