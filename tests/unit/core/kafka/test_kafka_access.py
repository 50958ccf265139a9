"""How clients reach Kafka: which settings go together, what is refused, and what a client is given of them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bigbrotr.supervise.children import service_env
from core.kafka import connection_options
from core.settings import KafkaSettings, Settings, SettingsError

SECRET = "hunter2-correct-horse"
LOGIN = {"username": "me", "password": SECRET}


def settings_of(**given: Any) -> Settings:
    return Settings(
        kafka=KafkaSettings.model_validate({"bootstrap_servers": "kafka:9092"} | given),
        postgres={"dsn": "postgresql://me@host/db"},
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"username": "me"},
            r"kafka.username \(BIGBROTR_KAFKA__USERNAME\), which no client gives by .* PLAINTEXT: s",
        ),
        ({"password": SECRET}, r"BIGBROTR_KAFKA__PASSWORD\), which no client gives"),
        (LOGIN | {"security_protocol": "SSL"}, r"BIGBROTR_KAFKA__SECURITY_PROTOCOL\) SSL: set that to SASL_SSL"),
        (
            {"security_protocol": "SASL_SSL", "username": "me"},
            r"SASL_SSL without kafka.password \(BIGBROTR_KAFKA__P",
        ),
        ({"security_protocol": "SASL_PLAINTEXT", "password": SECRET}, "without kafka.username"),
        ({"ssl_cafile": "ca.pem"}, r"kafka.ssl_cafile \(BIGBROTR_KAFKA__SSL_CAFILE\), which is of no use with"),
        (LOGIN | {"security_protocol": "SASL_PLAINTEXT", "ssl_certfile": "me.pem"}, "set that to SSL or SASL_SSL"),
        ({"security_protocol": "SSL", "ssl_keyfile": "me.key"}, "without kafka.ssl_certfile .*: name the certificate"),
        ({"security_protocol": "SSL", "ssl_password": SECRET}, "has kafka.ssl_password .* without kafka.ssl_certfile"),
        (LOGIN | {"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}, "'PLAIN', 'SCRAM-SHA-256' or"),
        ({"security_protocol": "ssl"}, "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ({"security_protocol": "SASL_SSL", "username": "", "password": SECRET}, "at least 1 character"),
        ({"security_protocol": "SASL_SSL", "username": "me", "password": "a\0b"}, "is not a password"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        KafkaSettings.model_validate(given)
    assert SECRET not in str(caught.value)


def test_a_client_without_settings_of_its_own_is_given_an_address_alone() -> None:
    assert connection_options(settings_of()) == {
        "bootstrap_servers": "kafka:9092",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_client_is_given_user_password_and_mechanism(mechanism: str) -> None:
    options = connection_options(settings_of(**LOGIN, security_protocol="SASL_PLAINTEXT", sasl_mechanism=mechanism))
    assert options["ssl_context"] is None
    assert {key: value for key, value in options.items() if "sasl" in key} == {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "me",
        "sasl_plain_password": SECRET,
    }


@pytest.mark.parametrize("given", [{"security_protocol": "SSL"}, LOGIN | {"security_protocol": "SASL_SSL"}])
def test_over_tls_the_certificate_and_the_name_of_the_broker_are_checked(given: dict[str, Any]) -> None:
    context = connection_options(settings_of(**given))["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"ssl_cafile": "none.pem"},
            r"kafka.ssl_cafile \(BIGBROTR_KAFKA__SSL_CAFILE\): the file .*none.pem cannot",
        ),
        ({"ssl_certfile": "none.pem"}, r"BIGBROTR_KAFKA__SSL_CERTFILE\): the file .* No such file or directory: name"),
        ({"ssl_certfile": "text", "ssl_keyfile": "none.pem"}, r"BIGBROTR_KAFKA__SSL_KEYFILE\): the file .* cannot be"),
        ({"ssl_cafile": "text"}, r"BIGBROTR_KAFKA__SSL_CAFILE\): the file .*text holds no certificate"),
        ({"ssl_certfile": "text"}, r"BIGBROTR_KAFKA__SSL_CERTFILE\) and .*text is no certificate"),
        ({"ssl_certfile": "text", "ssl_password": "x" * 5000}, r"SSL_PASSWORD\) does not open it"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    paths = {key: value if "password" in key else tmp_path / value for key, value in given.items()}
    with pytest.raises(SettingsError, match=words):
        connection_options(settings_of(**paths, security_protocol="SSL"))


def test_a_child_gets_the_login_and_not_the_file_that_it_was_read_from() -> None:
    base = {"BIGBROTR_KAFKA__PASSWORD_FILE": "/run/secrets/kafka_password"}
    env = service_env(settings_of(**LOGIN, security_protocol="SASL_PLAINTEXT"), None, "sink", base)
    assert {name: value for name, value in env.items() if name.startswith("BIGBROTR_KAFKA__")} == {
        "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092",
        "BIGBROTR_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "BIGBROTR_KAFKA__SASL_MECHANISM": "PLAIN",
        "BIGBROTR_KAFKA__USERNAME": "me",
        "BIGBROTR_KAFKA__PASSWORD": SECRET,
        "BIGBROTR_KAFKA__TOPIC_PREFIX": "nostr.",
        "BIGBROTR_KAFKA__PARTITIONS": "16",
    }
    assert "BIGBROTR_KAFKA__PASSWORD" not in service_env(settings_of(), None, "sink", {})
