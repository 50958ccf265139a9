"""Settings and secrets of the stack: what is wrong or missing is named, and what is secret is shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.containers.engine import docker
from tests.containers.recipe import SECRETS
from tests.containers.stack import Stack, running_stack

pytestmark = [pytest.mark.containers, pytest.mark.timeout(420)]


def test_a_missing_secret_stops_the_stack_before_anything_runs(engine: None, tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        for name in SECRETS:
            path = stack.folder / "secrets" / name
            kept = path.rename(stack.folder / name)
            result = stack.compose.ask("up", "--detach", "--no-build")
            kept.rename(path)
            assert result.exit_code != 0
            assert f"/secrets/{name}" in result.stderr, result
            assert {each.State for each in stack.ps()} <= {"created"}, name


@pytest.mark.parametrize(
    ("service", "variable", "value", "words"),
    [
        ("sink", "BIGBROTR_SINK__BATCH_EVENTS", "many", "sink.batch_events"),
        ("connector", "BIGBROTR_CONNECTOR__PAGE_LIMITS", "1", "connector.page_limit"),
        ("sink", "BIGBROTR_POSTGRES__DSN", "", "postgres.dsn"),
        ("processor", "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS", "", "kafka.bootstrap_servers"),
        ("sink", "BIGBROTR_POSTGRES__PASSWORD_FILE", "/run/secrets/another", "/run/secrets/another"),
        ("processor", "BIGBROTR_KAFKA__PASSWORD_FILE", "/run/secrets/another", "/run/secrets/another"),
        ("processor", "BIGBROTR_KAFKA__USERNAME", "", "without kafka.username"),
    ],
)
def test_wrong_and_missing_settings_end_a_service_with_the_key_in_its_message(
    demo_stack: Stack, service: str, variable: str, value: str, words: str
) -> None:
    result = demo_stack.run(service, env={variable: value})
    assert result.exit_code == 2, result
    assert words in result.stderr, result
    assert variable in result.stderr, result


def test_a_wrong_password_is_refused_without_being_shown(demo_stack: Stack) -> None:
    wrong = "hunter2-correct-horse"
    (demo_stack.folder / "wrong").write_text(wrong)
    (demo_stack.folder / "wrong").chmod(0o444)
    mounted = ("--volume", "./wrong:/run/wrong:ro")
    result = demo_stack.run(
        "bigbrotr", "digest", env={"BIGBROTR_POSTGRES__PASSWORD_FILE": "/run/wrong"}, options=mounted
    )
    assert result.exit_code == 2, result
    assert "postgres.password" in result.stderr, result
    assert wrong not in str(result)


def test_no_secret_is_in_a_log_or_in_what_the_engine_tells(demo_stack: Stack) -> None:
    told = json.dumps([demo_stack.inspect(each.Name or "") for each in demo_stack.ps()])
    said = demo_stack.logs()
    assert "/run/secrets/writer_password" in told
    assert "sink is running" in said
    for name in SECRETS:
        assert demo_stack.secret(name) not in told, name
        assert demo_stack.secret(name) not in said, name
    history = docker("history", "--no-trunc", demo_stack.variables["BIGBROTR_IMAGE"])
    assert "secret" not in history
