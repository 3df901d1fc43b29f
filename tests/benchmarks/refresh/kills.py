"""What is left of a refresh that is killed at a random moment, fifty times over.

    PYTHONPATH=tests OMP_NUM_THREADS=1 python tests/benchmarks/refresh/kills.py [--kills 50] [--seed 1]

Twelve tiny lesions with shape and first-order features. Each kill is a SIGKILL to the whole process group of
`radzoo refresh`. Its server of Prefect is the benchmark's, so that a start takes seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ |= {"PREFECT_HOME": tempfile.mkdtemp(prefix="radzoo-prefect-"), "PREFECT_LOGGING_LEVEL": "ERROR"}
os.environ |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

from killing import PATIENTS, drawn_moments, ingested, killed, timed
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness


def main() -> None:
    """Print a line for each kill, then how many there were of each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, prefect_test_harness(server_startup_timeout=120):
        server, folder = str(PREFECT_API_URL.value()), Path(name)
        ready = ingested(folder)
        timing, state = timed(ready, folder / "undisturbed", server)
        print(timing, flush=True)
        print(
            f"{'moment':>22} {'staged':>7} {'committed':>9} {'adopted':>7} {'computed':>8} {'verify':>7} {'equal':>5}"
        )
        outcomes = []
        for moment in drawn_moments(timing, asked.seed, 2 * asked.kills):
            # A refresh that had ended before its moment came is shown, and is no kill.
            if sum(found.was_running for found, _ in outcomes) == asked.kills:
                break
            found = killed(ready, folder / "trial", moment, server)
            shutil.rmtree(folder / "trial")
            outcomes.append((found, found.state == state))
            print(
                f"{moment!s:>22} {found.staged:>7} {found.committed!s:>9} {found.adopted:>7} {found.computed:>8} "
                f"{'clean' if found.is_right else 'FAULT':>7} {found.state == state!s:>5}"
                f"{'' if found.was_running else '  (had ended)'} {'; '.join(found.damage)}",
                flush=True,
            )
    landed = [found for found, _ in outcomes if found.was_running]
    print(
        f"{len(landed)} killed: {sum(f.staged == 0 and not f.committed for f in landed)} before the first staged row, "
        f"{sum(0 < f.staged < PATIENTS and not f.committed for f in landed)} in between, "
        f"{sum(f.staged == PATIENTS and not f.committed for f in landed)} with all staged, "
        f"{sum(f.committed for f in landed)} after the commit; {len(outcomes) - len(landed)} had ended; "
        f"clean {sum(f.is_right for f, _ in outcomes)}, equal {sum(equal for _, equal in outcomes)}; "
        f"{time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
