"""Packages of npm, fetched while tests run, and scripts that use them."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NOSTR_TOOLS, NDK, WS = "nostr-tools@2.25.2", "@nostr-dev-kit/ndk@3.0.3", "ws@8.18.3"
INSTALL_S = 90.0
"""A registry that answers needs some seconds."""
SCRIPT_S = 60.0


def installed(folder: Path, *packages: str) -> Path:
    """Fetch packages into a folder; without npm or its registry the test is left out."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed")
    (folder / "package.json").write_text('{"type": "module"}')
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=peer", *packages]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=INSTALL_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm's registry cannot be used here: {error}")
    return folder


class Script:
    """A script that runs beside a test: it reads the arguments from `process.argv`, and writes a JSON value a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, folder: Path, name: str, text: str, *arguments: str) -> Script:
        """Run a script among installed packages."""
        (folder / f"{name}.mjs").write_text(text)
        return cls(
            await asyncio.create_subprocess_exec(
                "node", f"{name}.mjs", *arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )

    async def line(self) -> Any:
        """The next value."""
        assert self._process.stdout is not None
        async with asyncio.timeout(SCRIPT_S):
            line = await self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            raise AssertionError((await self._process.stderr.read()).decode())
        return json.loads(line)

    async def end(self) -> None:
        """End it, should it still run."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()
