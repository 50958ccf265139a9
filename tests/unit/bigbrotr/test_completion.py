"""Tab completes commands, options, choices and files, and the list of commands waits for no heavy import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bigbrotr.cli import cli

pytestmark = pytest.mark.slow

_HEAVY = "{'aiokafka', 'asyncpg', 'faust', 'pydantic', 'aiohttp', 'rich', 'orjson'}"
_COMPLETING = f"""
import sys
from bigbrotr.__main__ import run
try:
    run([])
except SystemExit:
    pass
print(*sorted({_HEAVY} & set(sys.modules)), file=sys.stderr)
"""


def completed(*words: str, instruction: str = "bash_complete") -> tuple[list[str], str]:
    """What a shell is told for words of which the last is to be completed, and which heavy modules that needed."""
    environ = {
        **os.environ,
        "_BIGBROTR_COMPLETE": instruction,
        "COMP_WORDS": " ".join(("bigbrotr", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", _COMPLETING], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines(), done.stderr.strip()


def test_commands_are_named_without_loading_any() -> None:
    assert completed("") == ([f"plain,{name}" for name in cli.list_commands(cli.make_context("bigbrotr", ["x"]))], "")
    assert completed("re") == (["plain,relays", "plain,rejections", "plain,rebuild", "plain,reprocess"], "")
    assert completed("--c") == (["plain,--config"], "")
    told, _ = completed("dig", instruction="zsh_complete")
    assert told == ["plain", "digest", "Compute a digest that no order of arrival changes."]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("rejections", ""), ["plain,list", "plain,replay", "plain,show"]),
        (("export", "--f"), ["plain,--filter", "plain,--force"]),
        (("export", "-o", "all"), ["file,all"]),
        (("verify", "ev"), ["file,ev"]),
        (("service", "si"), ["plain,sink"]),
    ],
    ids=str,
)
def test_options_choices_and_files_are_completed(words: tuple[str, ...], answer: list[str]) -> None:
    assert completed(*words)[0] == answer


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_takes_its_script(shell: str, tmp_path: Path) -> None:
    lines, heavy = completed(instruction=f"{shell}_source")
    assert (any("_BIGBROTR_COMPLETE" in line for line in lines), heavy) == (True, "")
    if (found := shutil.which(shell)) is not None:
        (tmp_path / "script").write_text("\n".join(lines) + "\n")
        subprocess.run([found, "-n", str(tmp_path / "script")], timeout=60, check=True)
