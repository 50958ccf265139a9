"""Keys are read from what terminals send for them."""

from __future__ import annotations

import pytest

from bigbrotr.console.live_view.keys import Key, KeyReader


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (b"q?Q", [Key.QUIT, Key.HELP, Key.QUIT]),
        (b"\x1b[A\x1b[B\x1bOA\x1bOB", [Key.UP, Key.DOWN, Key.UP, Key.DOWN]),
        (b"\x1b[5~\x1b[6~", [Key.PAGE_UP, Key.PAGE_DOWN]),
        (b"\x1b[H\x1b[1~\x1bOH\x1b[F\x1b[4~\x1bOF", [Key.HOME] * 3 + [Key.END] * 3),
        (b"\x1b[1;5A\x1b[200~\x1b[15~\x1bq\x1b\x1bxyz\n\x00\xff", []),
        (b"", []),
    ],
)
def test_what_a_terminal_sends_is_a_key_however_it_is_cut(sent: bytes, meant: list[Key]) -> None:
    assert list(KeyReader().feed(sent)) == meant
    for cut in range(len(sent)):
        reader = KeyReader()
        assert [*reader.feed(sent[:cut]), *reader.feed(sent[cut:])] == meant


def test_a_sequence_without_an_end_is_forgotten() -> None:
    reader = KeyReader()
    assert list(reader.feed(b"\x1b[" + b"1;" * 1000)) == []
    assert list(reader.feed(b"q")) == [Key.QUIT]
