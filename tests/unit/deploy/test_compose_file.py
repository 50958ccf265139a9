"""What the Compose file says, against what it must agree with elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bigbrotr.services import BY_NAME
from core.service import EXIT_S
from core.service.lifecycle import CLOSE_S
from core.settings import Settings
from deploy.embedded.paths import KAFKA_VERSION

DEPLOY = Path(__file__).parents[3] / "deploy"
OURS = tuple(BY_NAME)
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """Every service, with what its anchors bring."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
    return found


def test_every_variable_stands_in_the_example_with_the_default_that_is_in_force() -> None:
    in_force = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT))
    lines = (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    told = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert told == in_force


def test_no_variable_is_without_a_default() -> None:
    assert re.findall(r"\$\{[A-Z_]+\}|\$[A-Z_]+\b", TEXT) == []


def test_the_broker_is_of_the_version_that_the_embedded_one_is(services: dict[str, dict[str, Any]]) -> None:
    assert services["kafka"]["image"] == f"${{KAFKA_IMAGE:-apache/kafka:{KAFKA_VERSION}}}"


@pytest.mark.parametrize("name", OURS)
def test_every_service_of_the_list_is_in_the_stack(services: dict[str, dict[str, Any]], name: str) -> None:
    every = ["topics", "trim", "--every", "${TRIM_EVERY:-1h}"]  # the janitor, with a period that can be set
    assert services[name]["command"] == ["bigbrotr", *(every if name == "janitor" else ["service", name])]
    assert services[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", OURS)
def test_a_service_has_longer_to_stop_than_it_gives_itself(services: dict[str, dict[str, Any]], name: str) -> None:
    grace_s = int(services[name]["stop_grace_period"].removesuffix("s"))
    assert grace_s > Settings().drain_s + CLOSE_S + EXIT_S


def test_every_container_is_confined(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name


def test_ports_are_published_on_the_loopback_interface_only(services: dict[str, dict[str, Any]]) -> None:
    published = {name: port for name, service in services.items() for port in service.get("ports", [])}
    assert published.keys() == {"kafka", "postgres", "api"}
    assert published["api"].startswith("${API_ADDRESS:-127.0.0.1}:"), "the one that others may be let to"
    assert all(published[name].startswith("127.0.0.1:") for name in ("kafka", "postgres"))


def test_every_way_into_kafka_asks_for_the_password(services: dict[str, dict[str, Any]]) -> None:
    broker = services["kafka"]["environment"]
    ways = dict(each.split(":") for each in broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert ways.keys() == {each.split(":")[0] for each in broker["KAFKA_LISTENERS"].split(",")}
    assert set(ways.values()) == {"SASL_PLAINTEXT"}
    for name, service in services.items():
        if name == "kafka" or "BIGBROTR_KAFKA__PASSWORD_FILE" in service.get("environment", {}):
            assert "kafka_password" in service["secrets"], name


def test_servers_of_ones_own_are_reached_as_env_says_by_all_that_the_bundled_ones_are() -> None:
    theirs = yaml.safe_load((DEPLOY / "compose.external.yaml").read_text(encoding="utf-8"))["services"]
    ours = {
        name
        for name, each in yaml.safe_load(TEXT)["services"].items()
        if "BIGBROTR_CONFIG" in each.get("environment", {})
    }
    assert {name for name, each in theirs.items() if "environment" in each} == ours


def test_every_secret_is_made_by_make() -> None:
    makefile = (DEPLOY.parent / "Makefile").read_text(encoding="utf-8")
    (made,) = re.findall(r"PASSWORD_FILES = \$\(foreach role,([a-z ]+),deploy/secrets/\$\(role\)_password\)", makefile)
    assert {f"{name}_password" for name in made.split()} == yaml.safe_load(TEXT)["secrets"].keys()


def test_no_password_stands_in_the_file_or_has_a_default() -> None:
    document = yaml.safe_load(TEXT)
    assert all(secret.keys() == {"file"} for secret in document["secrets"].values())
    for name, service in document["services"].items():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or key.endswith("_FILE"), (name, key)
            user, at, _ = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value)).partition("@")
            assert not at or ":" not in user.removeprefix("postgresql:"), (name, key)


@pytest.mark.parametrize("name", ["connector", "processor", "api"])
def test_who_looks_into_the_archive_can_only_read_it(services: dict[str, dict[str, Any]], name: str) -> None:
    assert services[name]["environment"]["BIGBROTR_POSTGRES__DSN"].startswith("postgresql://bigbrotr_reader@")
    assert set(services[name]["secrets"]) == {"kafka_password", "reader_password"}


def test_relays_that_are_not_in_the_settings_are_named_in_a_profile_only(services: dict[str, dict[str, Any]]) -> None:
    """Neither the demo nor a stack that is upgraded reads relays that its operator did not ask for."""
    assert {name for name, each in services.items() if each.get("profiles") == ["discover"]} == {"seeder", "finder"}
    assert services["prober"]["profiles"] == ["discover", "monitor"], "as `run --discover` starts it, or by itself"


def test_only_what_talks_to_the_world_has_a_way_out(services: dict[str, dict[str, Any]]) -> None:
    outside = {name for name, each in services.items() if "outside" in each.get("networks", [])}
    assert outside == {"connector", "seeder", "finder", "prober"}


def test_status_shows_every_service_that_is_always_there(services: dict[str, dict[str, Any]]) -> None:
    shown = services["bigbrotr"]["environment"]["BIGBROTR_HTTP__SERVICES"]
    always = {f"{name}:8080" for name in OURS if "profiles" not in services[name]}
    assert set(shown.removeprefix("${STATUS_SERVICES:-").removesuffix("}").split()) >= always


def test_the_processor_does_not_wait_for_the_archive(services: dict[str, dict[str, Any]]) -> None:
    assert services["processor"]["depends_on"].keys() == {"topics"}
