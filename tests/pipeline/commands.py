"""Commands of a world, as an operator gives them."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from core.settings.model import Settings
from tests.environment import environment


async def command(settings: Settings, *arguments: str) -> bytes:
    """Run `bigbrotr` with these arguments, which must succeed; what it prints."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bigbrotr", *arguments],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout
