"""Processor time of the command line: user and system, of the process and of those it starts; medians of seven.

    python tests/benchmarks/command_line.py [STORE]

With a store, of a question in SQL too.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

_RUNS = 7


def processor_seconds(*arguments: str) -> list[float]:
    """Return the seconds that each run of a command took."""
    seconds = []
    for _ in range(_RUNS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # The first one compiles what was changed since.
    return seconds[1:]


def main() -> None:
    """Print a row of a table for each command."""
    commands = [["--help"], ["store"], ["bench", "--help"], ["--version"], ["--show-completion", "bash"]]
    if len(sys.argv) > 1:
        commands.append(["--store", sys.argv[1], "sql", "select 1"])
    print("| command | processor time, s | least to most |\n|---|---|---|")
    for command in commands:
        seconds = processor_seconds("-m", "radzoo", *command)
        shown = " ".join(each if each != (sys.argv[1:] or [""])[0] else "STORE" for each in command)
        print(f"| `radzoo {shown}` | {statistics.median(seconds):.2f} | {min(seconds):.2f} to {max(seconds):.2f} |")


if __name__ == "__main__":
    main()
