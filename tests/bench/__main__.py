"""`make bench`: the pure functions, a rebuild against bare writing, many relays, then the pipeline with the options.

All but the last goes to standard error, so that `--json` leaves one object on standard output.
"""

from __future__ import annotations

import subprocess
import sys

from tests.bench.bench_pipeline import main

FIRST = (
    "tests.bench.bench_parse",
    "tests.bench.bench_signature",
    "tests.bench.bench_rebuild",
    "tests.bench.bench_many",
)

if __name__ == "__main__":
    if "--help" not in sys.argv:
        for module in FIRST:
            subprocess.run([sys.executable, "-m", module], stdout=sys.stderr, check=True)
    main(prog_name="python -m tests.bench")
