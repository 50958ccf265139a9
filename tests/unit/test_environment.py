"""A child process of a test has the settings of the test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.parent import PARENT_VARIABLE
from core.settings import Settings, load_settings
from tests.environment import environment

ODD = Settings(
    data_dir=Path("/a folder"),
    relays=["wss://one.example", "wss://two.example"],
    drain_s=2.5,
    kafka={"bootstrap_servers": "a:1,b:2", "topic_prefix": "odd.", "partitions": 4},
    postgres={"dsn": SecretStr("postgresql://me@host/db"), "password": SecretStr("not a secret"), "schema": "other"},
    connector={"filters": [{"kinds": [1], "#t": ["ä", '"']}, {}], "auth_key": SecretStr("ab" * 32)},
    processor={"archive_ephemeral": True},
    policy={"own_urls": ["wss://own.example"], "vanish": "erase"},
    http={"port_file": Path("port")},
)


@pytest.mark.parametrize("settings", [ODD, Settings()])
def test_a_process_reads_the_settings_that_it_was_given(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_SINK__BATCH_EVENTS", "7")
    given = environment(settings)
    for name in os.environ.keys() - given.keys():
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_more_variables_win_and_the_parent_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT_VARIABLE, "7")
    given = environment(ODD, BIGBROTR_DRAIN_S="1", RELAYS="")
    assert (given["BIGBROTR_DRAIN_S"], given["RELAYS"], given[PARENT_VARIABLE]) == ("1", "", "7")
