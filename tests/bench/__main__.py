"""`make bench`: what a copy costs the pure functions, then the whole pipeline, whose options are those of this command.

The first part goes to standard error, so that `--json` leaves one object on standard output.
"""

from __future__ import annotations

import subprocess
import sys

from tests.bench.bench_pipeline import main

HOT_PATH = ("tests.bench.bench_parse", "tests.bench.bench_signature")

if __name__ == "__main__":
    if "--help" not in sys.argv:
        for module in HOT_PATH:
            subprocess.run([sys.executable, "-m", module], stdout=sys.stderr, check=True)
    main(prog_name="python -m tests.bench")
