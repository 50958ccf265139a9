"""The repository's pages: links lead somewhere, the README stays short, generated parts are as the code is."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.unit.pages import live_view

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("docs", "examples", ".github")
README_LINES = 150
"""A newcomer reads so much at a sitting; all else is in docs/."""


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Every link and picture that leads to no other site."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page))):
        if not target.startswith(("https://", "http://")):
            yield target


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    for target in links(page):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            yield target


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading: with `code`\n[a](#a-heading-with-code) [b](#none) [c](none.md) `[d](none.md)`\n")
    assert list(broken(page)) == ["#none", "none.md"]


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    assert {page for page in (ROOT / "docs").rglob("*.md") if page != index} <= listed


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


@pytest.mark.slow
def test_the_page_shows_the_commands_as_they_are() -> None:
    """To mend it, put the output of `python -m bigbrotr.cli_reference` between the marks."""
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    # In a process of its own: a command that another test has called alone keeps the help option of that call.
    command = [sys.executable, "-m", "bigbrotr.cli_reference"]
    written = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert page.split("<!-- commands: begin -->\n")[1].split("<!-- commands: end -->")[0] == written


def test_the_picture_shows_the_live_view_as_it_is() -> None:
    """To mend it, run `python -m tests.unit.pages.live_view`, after `--record` if the snapshot has new parts."""
    drawn = live_view.drawn()
    assert live_view.SVG.read_text(encoding="utf-8") == drawn
    assert ET.fromstring(drawn).tag.endswith("svg")


def test_the_queries_of_the_readme_are_among_the_examples_which_are_tested() -> None:
    (shown,) = re.findall(r"(?s)```sql\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"))
    examples = (ROOT / "examples/queries.sql").read_text(encoding="utf-8").split("\n\n")
    assert {query.strip() for query in shown.split("\n\n")} <= {query.strip() for query in examples}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_the_repository_that_a_page_names_exists(page: Path) -> None:
    """Pages name a module by the end of its path: `connector/reading/intake.py`."""
    named = set(re.findall(r"`(\w+(?:/\w+)+\.(?:py|sql))`", page.read_text(encoding="utf-8")))
    assert {name for name in named if not any(path.endswith(f"/{name}") for path in sources())} == set()


@cache
def sources() -> tuple[str, ...]:
    found = (path for end in ("py", "sql") for path in ROOT.rglob(f"*.{end}"))
    return tuple(str(path) for path in found if ".venv" not in path.parts)
