"""What a wheel of this checkout holds, and that its packages are the only owners of their names."""

from __future__ import annotations

import re
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from hatchling.build import build_wheel

from schemas.topics import TOPICS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bigbrotr", "schemas", "core", "producers", "processors", "sinks", "api", "deploy")
SHARED = re.compile(r"bigbrotr-[^/]+\.data/data/")
"""What an installation lays beside the programs, below the prefix of the environment."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built as PEP 517 has it: in the folder of pyproject.toml. It takes half a second and no network."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as archive:
        yield archive


@pytest.fixture(scope="module")
def names(wheel: zipfile.ZipFile) -> set[str]:
    return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile, names: set[str]) -> Message:
    (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    return message_from_string(wheel.read(path).decode("utf-8"))


def test_it_holds_our_packages_and_nothing_beside_them(names: set[str]) -> None:
    parts = {name.split("/")[0] for name in names if ".dist-info/" not in name and not SHARED.match(name)}
    assert parts == set(PACKAGES)


def test_the_examples_are_laid_beside_the_programs(names: set[str]) -> None:
    shared = {SHARED.sub("", name) for name in names if SHARED.match(name)}
    assert shared == {f"share/bigbrotr/{path.relative_to(ROOT)}" for path in (ROOT / "examples").glob("*.*")}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_in_it(names: set[str], package: str) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
    assert modules == {name for name in names if name.startswith(f"{package}/") and name.endswith(".py")}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(names: set[str], package: str) -> None:
    assert f"{package}/py.typed" in names


def test_what_is_no_code_is_in_it_where_it_is_read(names: set[str]) -> None:
    ours = {name for name in names if ".dist-info/" not in name and not SHARED.match(name)}
    data = {name for name in ours if not name.endswith((".py", "py.typed"))}
    assert data == {
        *(f"sinks/migrations/{path.name}" for path in (ROOT / "sinks" / "migrations").glob("*.sql")),
        "sinks/roles.sql",
        *(f"schemas/examples/{topic.name}.json" for topic in TOPICS),
        "deploy/embedded/servers/kafka-jars.txt",
        "deploy/seed_relays.txt",
        *(f"api/rest/reference_page/{path.name}" for path in (ROOT / "api" / "rest" / "reference_page").iterdir()),
    }


def test_neither_tests_nor_what_builds_images_nor_secrets_are_in_it(names: set[str]) -> None:
    assert not [name for name in names if re.search(r"(^|/)(tests/|secrets/|\.env|Dockerfile|compose)", name)]


def test_it_brings_the_command_and_the_licence(wheel: zipfile.ZipFile, names: set[str]) -> None:
    (entry_points,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
    assert "bigbrotr = bigbrotr.__main__:main" in wheel.read(entry_points).decode("utf-8")
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_its_metadata_tell_extras_types_and_a_page(metadata: Message) -> None:
    assert {"embedded", "demo"} <= set(metadata.get_all("Provides-Extra", []))
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert all(" https://" in url for url in metadata.get_all("Project-URL", [""]))


def names_of(one: Distribution) -> set[str]:
    """The top-level names that a distribution puts into an environment, by what it declares and by its files."""
    declared = (one.read_text("top_level.txt") or "").split()
    return {*declared, *(file.parts[0].removesuffix(".py") for file in one.files or ())}


def test_no_dependency_owns_the_name_of_a_package_of_ours() -> None:
    """One that did would take the place of ours, or ours its place, in the environment of both."""
    assert {
        one.name: owned
        for one in distributions()
        if one.name != "bigbrotr" and (owned := names_of(one).intersection(PACKAGES))
    } == {}


@pytest.mark.parametrize(("name", "owned"), [("aiokafka", "aiokafka"), ("pyyaml", "yaml"), ("six", "six")])
def test_names_are_found_of_folders_and_of_single_modules(name: str, owned: str) -> None:
    assert owned in names_of(distribution(name))


def test_the_wheel_lists_what_the_checks_list() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert set(tools["importlinter"]["root_packages"]) == set(PACKAGES)
    assert set(tools["mypy"]["packages"]) == {*PACKAGES, "tests", "examples"}


def test_the_image_is_made_of_all_that_the_wheel_is_made_of() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    included = tools["hatch"]["build"]["targets"]["wheel"]["only-include"]
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    shared = tools["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert {f"!{path}" for path in (*included, *shared)} <= set(let_in)
