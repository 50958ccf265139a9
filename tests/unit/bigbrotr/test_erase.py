"""What `bigbrotr erase` refuses before it touches anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from bigbrotr.cli import cli
from bigbrotr.commands.archive.erase import question, rules_for
from bigbrotr.console.parameters import EVENT_ID, PUBLIC_KEY
from schemas.records.erasure import UNTIL_END, Cause

ID, AUTHOR = "1" * 64, "a" * 64
# The examples of NIP-19.
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give ids of events, or --author with --until"),
        ([ID, "--author", AUTHOR, "--until", "5"], "give ids of events, or --author with --until"),
        (["--author", AUTHOR], "--author and --until belong together"),
        ([ID, "--until", "5"], "--author and --until belong together"),
        (["--author", AUTHOR, "--until", str(2**40)], "must be 0 to 1099511627775 seconds"),
        (["--author", AUTHOR, "--until", "-1"], "must be 0 to"),
        (["--author", AUTHOR, "--until", "soon"], "give Unix seconds"),
        ([ID[:-1]], "must be 64 lower-case hex digits"),
        (["A" * 64], "must be 64 lower-case hex digits"),
        ([f"note1{'q' * 58}"], "it is no whole note1…"),
        ([NPUB], "it is a public key (npub1…), and the id of an event is wanted"),
        ([ID, "--cause", "vanish"], "'vanish' is not one of 'operator', 'law'"),
    ],
)
def test_wrong_arguments_end_with_code_2_and_a_sentence(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(cli, ["erase", *arguments], prog_name="bigbrotr")
    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize("arguments", [[NSEC], ["--author", NSEC, "--until", "5"], ["--author", f"nostr:{NSEC}"]])
def test_a_secret_key_is_refused_and_not_repeated(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, ["erase", *arguments], prog_name="bigbrotr")
    assert (result.exit_code, "it is a secret key (nsec)" in result.stderr) == (2, True)
    assert NSEC[5:] not in result.output


def test_keys_are_taken_as_they_are_copied() -> None:
    assert PUBLIC_KEY.convert(f"nostr:{NPUB}", None, None) == PUBLIC_KEY.convert(NPUB, None, None)
    assert EVENT_ID.convert(ID, None, None) == ID


@pytest.mark.parametrize(
    ("until_s", "told"),
    [
        (1_794_960_000, "up to 1794960000 (2026-11-18 00:00:00 UTC), included"),
        (UNTIL_END - 1, "1099511627775, included"),
    ],
)
def test_the_question_says_which_second_a_date_means(until_s: int, told: str) -> None:
    assert told in question(rules_for([], AUTHOR, until_s, Cause.OPERATOR), None)
