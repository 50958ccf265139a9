"""Wrong use of `export` and `audit` is told before any server is asked."""

from __future__ import annotations

import datetime as dt

import click
import pytest
from click.testing import CliRunner

from bigbrotr.commands.archive.audit import audit_
from bigbrotr.commands.archive.export import export_
from bigbrotr.console.parameters import MOMENT, RELAY
from core.archive.selection import Hide, hidden_by_policy
from core.settings import Settings
from core.settings.groups import PolicySettings


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (export_, ["--filter", '{"search":"x"}'], "search: the archive has no full-text search"),
        (export_, ["--filter", "kinds=1"], "is not JSON"),
        (export_, ["--relay", "http://relay.example"], "scheme: must be ws or wss"),
        (audit_, ["--sample", "0"], "give a number of events such as 10000, or a share such as 5%"),
        (audit_, ["--sample", "101%"], "give a number of events"),
        (audit_, ["--sample", "nan%"], "give a number of events"),
        (audit_, ["--since", "yesterday"], "a date such as 2026-11-18"),
        (audit_, ["--since", "20261118"], "write 2026-11-18 for the day, or 1970-08-23T12:05:18Z for the seconds"),
        (audit_, ["--until", " 19700101"], "may be the day 1970-01-01 or Unix seconds of 1970-08-17"),
        (audit_, ["--jobs", "0"], "'--jobs'"),
        (audit_, ["--seed", "1"], "give --sample too"),
    ],
)
def test_wrong_use_is_a_sentence(command: click.Command, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_what_the_policy_hides_or_erases_is_left_out_cause_by_cause() -> None:
    assert hidden_by_policy(Settings()) == frozenset()
    policy = PolicySettings(deletion="hide", vanish="erase")
    assert hidden_by_policy(Settings(policy=policy)) == {Hide.DELETION, Hide.VANISH}
    assert hidden_by_policy(Settings(policy=PolicySettings(expiration="hide"))) == {Hide.EXPIRATION}


def test_a_moment_is_seconds_a_date_or_a_time() -> None:
    midnight = int(dt.datetime(2026, 11, 18, tzinfo=dt.UTC).timestamp())
    assert MOMENT.convert("1795000000", None, None) == 1_795_000_000
    assert MOMENT.convert("2026-11-18", None, None) == midnight
    assert MOMENT.convert("1970-08-23T12:05:18Z", None, None) == 20_261_118
    assert [MOMENT.convert(each, None, None) for each in ("0", "20261340", "17950000")] == [0, 20_261_340, 17_950_000]
    assert MOMENT.convert("2026-11-18T12:00:00Z", None, None) == midnight + 12 * 3600
    assert MOMENT.convert("2026-11-18T12:00:00+02:00", None, None) == midnight + 10 * 3600
    assert RELAY.convert("WSS://Relay.example/", None, None) == "wss://relay.example"
