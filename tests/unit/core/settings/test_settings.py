from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.settings import KafkaSettings, Settings, SettingsError, load_settings
from core.settings.table import settings_table
from schemas.relay_urls.relay_url import normalize

SECRET = "hunter2-correct-horse"
WriteFile = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BIGBROTR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    def write_file(text: str) -> Path:
        path = tmp_path / "bigbrotr.yaml"
        path.write_text(text)
        return path

    return write_file


def refusal(config: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config)
    return str(caught.value)


def test_defaults_need_no_file_and_no_variable() -> None:
    settings = load_settings()
    assert settings.kafka.topic_prefix == "nostr."
    assert settings.http.host == "127.0.0.1"
    assert settings.postgres.dsn is None
    assert settings.connector.filters == [{}]


def test_the_settings_file_that_is_shipped_is_right() -> None:
    settings = load_settings(Path(__file__).parents[4] / "deploy" / "bigbrotr.yaml")
    assert settings.relays
    assert [normalize(relay).url for relay in settings.relays] == settings.relays


def test_variables_win_over_the_file_and_the_file_over_defaults(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("kafka: {partitions: 8, linger_ms: 7}\nsink: {batch_events: 10}\n")
    monkeypatch.setenv("BIGBROTR_KAFKA__PARTITIONS", "4")
    settings = load_settings(path)
    assert (settings.kafka.partitions, settings.kafka.linger_ms, settings.sink.batch_events) == (4, 7, 10)
    assert settings.kafka.compression == "zstd"


def test_the_file_can_be_named_by_a_variable_and_a_command_line_wins(
    write: WriteFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BIGBROTR_CONFIG", str(write("data_dir: /somewhere\n")))
    assert load_settings().data_dir == Path("/somewhere")
    monkeypatch.setenv("BIGBROTR_DATA_DIR", "/elsewhere")
    assert load_settings().data_dir == Path("/elsewhere")
    assert load_settings(data_dir=tmp_path).data_dir == tmp_path


def test_the_fixed_names_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_KAFKA__BOOTSTRAP_SERVERS", "broker:9092, other:9093")
    monkeypatch.setenv("BIGBROTR_POSTGRES__DSN", f"postgresql://me:{SECRET}@host/db")
    settings = load_settings()
    assert settings.kafka.bootstrap_servers == "broker:9092,other:9093"
    assert settings.postgres.dsn is not None
    assert settings.postgres.dsn.get_secret_value() == f"postgresql://me:{SECRET}@host/db"


def test_empty_variables_and_empty_groups_count_as_not_given(write: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_POSTGRES__DSN", "")
    settings = load_settings(write("kafka:\n#  partitions: 4\nrelays:\n"))
    assert settings.postgres.dsn is None
    assert settings.kafka == KafkaSettings()


@pytest.mark.parametrize(
    ("text", "relays"),
    [
        ("wss://a.example wss://b.example", 2),
        ("wss://a.example,\n wss://b.example", 2),
        ('["wss://a.example"]', 1),
        (" ", 0),
    ],
)
def test_relays_in_a_variable(text: str, relays: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_RELAYS", text)
    assert len(load_settings().relays) == relays


def test_name_servers_are_addresses_with_a_port_or_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_CONNECTOR__NAMESERVERS", "[::1]:5353 10.0.0.1, 127.0.0.1:5353 ::1")
    assert load_settings().connector.nameservers == ["[::1]:5353", "10.0.0.1", "127.0.0.1:5353", "::1"]


def test_relays_in_a_file(write: WriteFile) -> None:
    assert load_settings(write("relays:\n- wss://a.example\n- wss://b.example\n")).relays == [
        "wss://a.example",
        "wss://b.example",
    ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BIGBROTR_KAFKA__PARTITIONS", "12", ["kafka.partitions (BIGBROTR_KAFKA__PARTITIONS)", "power of two"]),
        ("BIGBROTR_KAFKA__PARTITIONS", "0", ["kafka.partitions", "power of two from 1 to 1024"]),
        (
            "BIGBROTR_KAFKA__PARTITION",
            "4",
            ["kafka.partition (BIGBROTR_KAFKA__PARTITION)", "did you mean kafka.partitions"],
        ),
        ("BIGBROTR_KAFKA_PARTITIONS", "4", ["BIGBROTR_KAFKA_PARTITIONS sets nothing", "BIGBROTR_KAFKA__PARTITIONS"]),
        (
            "BIGBROTR_KAFKAA__PARTITIONS",
            "4",
            ["KAFKAA__PARTITIONS sets nothing", "BIGBROTR_KAFKA__PARTITIONS"],
        ),
        ("BIGBROTR_KAFKA__X", "4", ["kafka.x (BIGBROTR_KAFKA__X) is not a setting", "partitions"]),
        ("BIGBROTR_DATA_DIR__X", "4", ["BIGBROTR_DATA_DIR__X sets nothing", "BIGBROTR_DATA_DIR"]),
        ("BIGBROTR_FOO", "4", ["BIGBROTR_FOO sets nothing", "the nearest that is known is BIGBROTR_"]),
        ("bigbrotr_relay", "4", ["bigbrotr_relay sets nothing", "the nearest that is known is BIGBROTR_RELAYS"]),
        ("BIGBROTR_PORT", "8080", ["BIGBROTR_PORT sets nothing", "BIGBROTR_API__PORT"]),
        ("BIGBROTR_CACHEDIR", "/x", ["BIGBROTR_CACHEDIR sets nothing", "BIGBROTR_CACHE_DIR"]),
        ("BIGBROTR_", "4", ["BIGBROTR_ sets nothing"]),
        ("BIGBROTR_BROKER__PARTITIONS", "4", ["no group broker", "http, kafka, log"]),
        ("BIGBROTR_DATADIR", "/srv", ["BIGBROTR_DATADIR sets nothing", "BIGBROTR_DATA_DIR"]),
        ("BIGBROTR_KAFKA", "x", ["kafka (BIGBROTR_KAFKA)", "text of 1 characters", "mapping"]),
        ("BIGBROTR_KAFKA__BOOTSTRAP_SERVERS", "broker", ["kafka.bootstrap_servers", "host:port"]),
        ("BIGBROTR_KAFKA__BOOTSTRAP_SERVERS", "broker:99999", ["kafka.bootstrap_servers", "host:port"]),
        ("BIGBROTR_KAFKA__MAX_BATCH_BYTES", "9000000", ["kafka.max_batch_bytes", "1000000"]),
        ("BIGBROTR_SINK__BATCH_EVENTS", "many", ["sink.batch_events", "text of 4 characters", "integer"]),
        ("BIGBROTR_SINK__DRAIN_S", "inf", ["sink.drain_s", "finite"]),
        ("BIGBROTR_LOG__LEVEL", "loud", ["log.level", "'warning'"]),
        ("BIGBROTR_CONNECTOR__FILTERS", "kinds", ["connector.filters", "JSON"]),
        ("BIGBROTR_CONNECTOR__FILTERS", "[]", ["connector.filters", "at least 1"]),
        ("BIGBROTR_CONNECTOR__TOR_PROXY", "http://127.0.0.1:9050", ["connector.tor_proxy", "socks5://host:port"]),
        ("BIGBROTR_CONNECTOR__ONLY", "wss://a.example ws://10.0.0.1", ["connector.only", "place 2", "allow_private"]),
        ("BIGBROTR_CONNECTOR__ONLY", "https://a.example", ["connector.only", "place 1", "wss://host"]),
        ("BIGBROTR_CONNECTOR__NAMESERVERS", "dns.example", ["connector.nameservers", "place 1", "address:port"]),
        ("BIGBROTR_CONNECTOR__NAMESERVERS", "127.0.0.1 127.0.0.1:99999", ["connector.nameservers", "place 2"]),
        ("BIGBROTR_CONNECTOR__NAMESERVERS", '["127.0.0.1', ["connector.nameservers", "JSON"]),
        ("BIGBROTR_POSTGRES__POOL_MIN", "9", ["postgres (BIGBROTR_POSTGRES)", "pool_min 9 above pool_max 4"]),
        ("BIGBROTR_POSTGRES__DSN", "mysql://host/db", ["postgres.dsn (BIGBROTR_POSTGRES__DSN)", "postgresql://"]),
        ("BIGBROTR_POSTGRES__DSN", "postgresql://me:s[cret@host/db", ["postgres.dsn", "host:port", "%5B"]),
        ("BIGBROTR_POSTGRES__DSN", "postgresql://me@host:port/db", ["postgres.dsn", "host:port"]),
        ("BIGBROTR_POSTGRES__SCHEMA", "Big-Brotr", ["postgres.schema (BIGBROTR_POSTGRES__SCHEMA)", "a to z, 0 to 9"]),
        ("BIGBROTR_POSTGRES__SCHEMA", "pg_mine", ["postgres.schema", "not pg_ in front"]),
        ("BIGBROTR_CONNECTOR__AUTH_KEY", "ab" * 31, ["connector.auth_key", "64 lower-case hex digits"]),
    ],
)
def test_a_wrong_variable_is_named_with_the_remedy(
    name: str, value: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    said = refusal()
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kafak: {partitions: 4}", ["kafak", "did you mean kafka"]),
        ("sink: {batch_size: 4}", ["sink.batch_size", "is not a setting"]),
        ("kafka: 4", ["kafka", "the number 4", "mapping"]),
        ("kafka: {partitions: 8.5}", ["kafka.partitions", "the number 8.5"]),
        ("relays: {a: b}", ["relays", "a mapping of 1", "list"]),
        (
            "finder: {sources: [{url: x, expresion: y}]}",
            ["finder.sources[0].expresion", "mean finder.sources[0].expression"],
        ),
        ("finder: {sources: [{expression: y}]}", ["finder.sources[0].url (BIGBROTR_FINDER__SOURCES)"]),
        (
            "finder: {sources: [{url: x, interval_s: 1}]}",
            ["finder.sources[0].interval_s", "greater than or equal to 60"],
        ),
        ("finder: {sources: [x]}", ["finder.sources[0] (BIGBROTR_FINDER__SOURCES)", "mapping of its keys"]),
        ("connector: {filters: [1]}", ["connector.filters[0]", "the number 1"]),
        ("- a\n- b\n", ["bigbrotr.yaml", "a list of 2", "mapping"]),
        ("kafka: [", ["bigbrotr.yaml", "not valid YAML", "line 1"]),
        ("kafka: {}\nkafka: {}\n", ["line 2", "'kafka' stands twice"]),
    ],
)
def test_a_wrong_file_is_named_with_the_remedy(text: str, words: list[str], write: WriteFile) -> None:
    said = refusal(write(text))
    assert all(word in said for word in words), said


def test_every_wrong_key_gets_a_line(write: WriteFile) -> None:
    said = refusal(write("kafka: {partitions: 3}\nsink: {nothing: 1}\n")).splitlines()
    assert [line.split(" ")[0] for line in said] == ["kafka.partitions", "sink.nothing"]


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    assert "missing.yaml cannot be read: No such file" in refusal(tmp_path / "missing.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "binary.yaml cannot be read: it is not UTF-8" in refusal(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    "name",
    [
        "BIGBROTR_POSTGRES__DSN",
        "BIGBROTR_CONNECTOR__AUTH_KEY",
        "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS",
        "BIGBROTR_LOG__LEVEL",
    ],
)
def test_a_secret_in_a_wrong_value_is_not_repeated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_a_broken_file_is_not_repeated(write: WriteFile) -> None:
    assert SECRET not in refusal(write(f"postgres: {{dsn: '{SECRET}\n"))
    assert SECRET not in refusal(write(f"postgres: [{SECRET}]\n"))


def test_secrets_are_not_printed() -> None:
    settings = Settings(
        postgres={"dsn": f"postgresql://me:{SECRET}@host/db"},
        connector={"auth_key": "5e" * 32},
    )
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert "5e5e5e" not in shown


def test_settings_are_fixed_and_ignore_the_environment_when_constructed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_KAFKA__PARTITIONS", "4")
    settings = Settings()
    assert settings.kafka.partitions == 16
    with pytest.raises(ValidationError):
        settings.kafka.partitions = 8  # type: ignore[misc]  # frozen, as the test shows


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BIGBROTR_SERVICE_HOST", "10.0.0.1"),
        ("BIGBROTR_KAFKA_SERVICE_PORT_CLIENTS", "9092"),
        ("BIGBROTR_KAFKA_PORT", "tcp://10.0.0.1:9092"),
        ("BIGBROTR_HTTP_PORT", "tcp://10.0.0.1:80"),
        ("BIGBROTR_KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_what_kubernetes_sets_for_services_of_its_own_is_left_alone(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    load_settings()


def test_every_variable_that_a_program_of_ours_reads_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[4]
    sources = [path for top in ("core", "deploy", "bigbrotr") for path in (root / top).rglob("*.*")]
    texts = [path.read_text() for path in sources if path.suffix in (".py", ".yaml", ".sh", ".env")]
    named = {name for text in texts for name in re.findall(r"\bBIGBROTR_[A-Z]+(?:_[A-Z]+)*\b", text)}
    settings = {"BIGBROTR_DATA_DIR", "BIGBROTR_RELAYS", "BIGBROTR_DRAIN_S", "BIGBROTR_CONFIG"}
    others = sorted(name for name in named - settings if "__" not in name)
    assert "BIGBROTR_PARENT_PID" in others
    for name in others:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("BIGBROTR_TEST_SEED", "1")
    load_settings()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has customs of its own")
def test_the_data_folder_follows_the_desktop_customs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "/data/of/mine")
    assert Settings().data_dir == Path("/data/of/mine/bigbrotr")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert Settings().data_dir == tmp_path / ".local/share/bigbrotr"


def test_every_setting_is_in_the_table_with_a_description() -> None:
    rows = [row.split("|") for row in settings_table().splitlines()[2:]]
    assert all(len(row) == 5 and len(row[3].strip()) > 5 for row in rows)
    keys = {row[1].strip(" `") for row in rows}
    assert {"data_dir", "kafka.bootstrap_servers", "postgres.dsn", "http.port_file", "log.format"} <= keys
    assert len(keys) == len(rows)


def test_the_page_shows_the_settings_as_they_are() -> None:
    """To mend it, put the output of `python -m core.settings.table` between the marks."""
    page = (Path(__file__).resolve().parents[4] / "docs/reference/settings.md").read_text(encoding="utf-8")
    between = page.split("<!-- settings: begin -->\n")[1].split("<!-- settings: end -->")[0]
    assert between == settings_table()
