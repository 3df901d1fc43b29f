"""Faults of the machine, injected for real into running verbs; the same verb again must make of the store what it does.

    python -m tests.attacks.faults [--only WORDS] [--list]

Prints a row of a table for each fault, and what is wrong where something is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

import attacks.made.race_study  # noqa: F401  (sets what Prefect reads when it is loaded)
from attacks.faults.matrix import FAULTS
from attacks.faults.places import Places
from attacks.faults.trial import tried


def main() -> int:
    """Print a row for each fault, and return whether one was met badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name has one of these words, between commas")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    words = asked.only.split(",")
    names = {f"{each.name}, {each.moment} ({each.verb}, {each.place})": each for each in FAULTS}
    chosen = {name: each for name, each in names.items() if any(word in name for word in words)}
    if asked.list:
        print(*chosen, sep="\n")
        return 0
    bad = skipped = 0
    with ExitStack() as stack:
        stack.enter_context(prefect_test_harness(server_startup_timeout=120))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="radzoo-faults-")))
        places = Places(folder, str(PREFECT_API_URL.value()), stack)
        for fault in chosen.values():
            if (reason := fault.needs()) is not None:
                skipped += 1
                print(f"| {fault.name} | skipped: {reason} |", flush=True)
                continue
            found = tried(fault, places, folder / "trial")
            bad += bool(found.faults)
            said = " / ".join(each.replace(str(folder), "...") for each in found.said)
            cells = (
                fault.name,
                f"{fault.verb}, {fault.moment}",
                said,
                "hangs" if found.code is None else found.code,
                f"{found.seconds:.1f}",
                f"{found.again_s:.1f}",
            )
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            for line in found.lines:
                print(f"      said: {line}", flush=True)
            for each in found.faults:
                print(f"  BAD {each}", flush=True)
    print(f"{len(chosen) - skipped} faults, {bad} met badly, {skipped} skipped")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
