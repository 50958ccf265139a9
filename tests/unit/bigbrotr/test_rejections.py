"""How refused input is shown without harm, and asked for."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from bigbrotr.commands.topics.rejections import rejections
from bigbrotr.console.rejections_view import document, line, whole
from bigbrotr.console.snapshot_view import printable
from producers.rejected.records import Place, RejectedInput
from schemas.reasons import Reason
from schemas.records.rejection import Rejection


def test_a_terminal_gets_nothing_to_act_on() -> None:
    nasty = b"a\x1b[31m\x07\r\xff\xc2\x9b31m \xe2\x80\xae evil \xf0\x9f\x98\x80\nsecond"
    rejection = Rejection(reason=Reason.NOT_JSON, stage="s\x1b", relay="wss://a", field="f\x1b]0;x", detail="d\nd")
    item = RejectedInput.of(Place("rejections", 3, 17), 1_700_000_000_123, b"k", nasty, rejection.to_headers())
    shown = [*whole(item), line(item)]
    assert all(part.isprintable() for part in shown)
    assert r"a\x1b[31m\x07\r\xff\x9b31m \u202e evil " + "\U0001f600" in shown
    assert "second" in shown
    assert document(item)["place"] == "rejections/3/17"
    assert printable("plain é ☂") == "plain é ☂"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "events/1/2"], "rejections/3/17"),
        (["list", "--since", "2024-06-01", "--until", "2024-05-01"], "--since must be before --until"),
        (["replay", "--since", "1717200000000"], "not milliseconds"),
        (["list", "--reason", "bad_mood"], "bad_signature"),
    ],
)
def test_wrong_use_is_a_sentence(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(rejections, arguments)
    assert done.exit_code == 2
    assert said in done.output
