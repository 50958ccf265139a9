from __future__ import annotations

from pathlib import Path

import pytest

from core.settings.given_by import given_by

DSN = ("postgres", "dsn")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bigbrotr.yaml"
    path.write_text("postgres:\n  dsn: postgresql://a@b/c\nkafka:\n")
    return path


def test_a_variable_is_named_as_it_is_set_and_wins_over_the_file(file: Path) -> None:
    for name in ("BIGBROTR_POSTGRES__DSN", "BIGBROTR_POSTGRES__DSN_FILE", "bigbrotr_postgres__dsn"):
        assert given_by(DSN, file, {name: "x", "BIGBROTR_POSTGRES__SCHEMA": "y"}) == f"the variable {name}"


def test_else_the_file_of_the_command_line_or_of_its_variable(file: Path) -> None:
    assert given_by(DSN, file, {"BIGBROTR_POSTGRES__DSN": ""}) == f"postgres.dsn in {file}"
    assert given_by(DSN, None, {"BIGBROTR_CONFIG": str(file)}) == f"postgres.dsn in {file}"


def test_else_nothing_has_set_it(file: Path, tmp_path: Path) -> None:
    kafka = ("kafka", "bootstrap_servers")
    assert given_by(kafka, file, {}) is None
    assert given_by(kafka, None, {}) is None
    assert given_by(kafka, tmp_path / "gone", {}) is None
