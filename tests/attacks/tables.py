"""Mutated and hand-made tables and study files, ingested: one line of a fault, or a commit; nothing else.

``python -m tests.attacks.tables --count 1500 --seed 0`` prints how often each exit code came, and each input that ended
otherwise: with a traceback, a fault of the program's own, after more than ten seconds or in more than 2 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flows.cli.main import exit_code
from tests.attacks.made.table_cases import CASES, FEATURES, PATIENTS, STUDY, Case

__all__ = ["Result", "attack", "handmade", "mutants"]

SECONDS, WAITED = 10, 60
MEMORY = 2 << 30
ALLOWED = {0, 2, 3, 4, 5}

HOSTILE = (
    "", " ", "nan", "inf", "-inf", "1e999", "1_000", "0x10", "0x1p-3", "\uff11\uff12", "1,5", "1.000,5", "NaN", "NULL",
    "=1+1", "../../x", "a/b", "-1", "\x1b[2J", "\u202e", "\u200b", "\ufeff", "é", "e\u0301", "0000-01-01",
    "99999-01-01", "2020-02-30", "20200101", "43831", "true", "yes", "P1", "p1", "P01", "1e308", "-0", "9" * 400,
    "x" * 5000, '"',
    '""', '"a', "'", ";", "\t", "{patient}", "{0}", "$(id)", "`id`", "<script>", "'; drop table x; --", "\\", "%s",
)  # fmt: skip
VALUES = (
    '"x"', "1", "-1", "0", "1.5", "true", "[]", "{}", "nan", "inf", "1e400", "10000000000000000000000", "1979-05-27",
    "07:32:00", '""', '"\\u0000"', '"\\u001b[2J"', '"\\u202e"', '["a", 1]', "[[[[[1]]]]]", "{a = 1}", '"*"', '"../x"',
    '"/etc/passwd"', '"{patient}"', '"{patient:>999999999}"', '"{0}"', '"P1"', '"features.csv"', "[0, inf]", "[1, 0]",
    '["*"]', '["[a-"]', '"\'; --"', "0x7fffffffffffffff", "'''a\nb'''", "[-99999999, 0]", "99999999", "-0.0", '"mm"',
)  # fmt: skip
LINES = (
    "[phases.T1]", 'image = "{patient}.nii"', 'mask = "{patient}_m.nii"', "[models.radiomics_lr]", "[splits.x]",
    'kind = "column"', "[imported.fs]", '[define.x]', "x = 1", "[[readings]]", 'feature_sets = ["mr@1"]',
    "[cohort.x]", "[clinical.variables.age]", 'levels = ["a"]', 'unit = "a"', "[[[", "]", "= 1", "\x00", "'''", '"""',
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """How an ingest ended."""

    name: str
    code: int
    words: str
    seconds: float
    fault: str = ""
    """What is wrong with how it ended, nothing where it ended as it should."""


def attack(name: str, folder: Path, *, dry_run: bool, expected: frozenset[int] | None = None) -> Result:
    """Ingest the study of a folder in this process and return how that ended."""
    arguments = ["--store", str(folder / "store"), "ingest", str(folder / "study.toml"), *(["--dry-run"] * dry_run)]
    out, err = io.StringIO(), io.StringIO()
    began, held, fault, code = time.process_time(), _most_held(), "", -1
    # Time of the processor, for a busy machine has less to give; one that waits is stopped later.
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(WAITED)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = exit_code(arguments)
    except BaseException as error:  # what no verb foresaw, Rust's panics among them
        fault = f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    words, seconds = err.getvalue(), time.process_time() - began
    memory = _most_held() - held
    fault = fault or _fault(code, out.getvalue(), words, expected or frozenset(ALLOWED))
    if memory > MEMORY:
        fault = f"takes {memory / 1e9:.1f} GB"
    return Result(name, code, words, seconds, fault)


def _most_held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)


class Hang(BaseException):
    """An ingest takes too long; no handler of the program takes it for a fault of a file."""


def _stop(*_: object) -> None:
    raise Hang(f"takes more than {SECONDS} s of the processor, or {WAITED} s")


def _fault(code: int, out: str, words: str, expected: frozenset[int]) -> str:
    if "fault of radzoo" in words or "Traceback" in words:
        return words[-600:]
    if code not in expected:
        return f"exit code {code}, not {sorted(expected)}: {words[:300]}"
    if code not in (0, 5) and ("error: " not in words or "\nnext: " not in words):
        return f"no error with a next step: {words[:300]}"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", words + out):
        return f"a control character reaches the terminal: {words[:300]!r}"
    return f"{len(words)} characters of faults" if len(words) > 200_000 else ""


def written(folder: Path, kind: str = "csv") -> Path:
    """Write the valid study, its feature table as ``kind``, and return the feature table."""
    folder.mkdir(parents=True, exist_ok=True)
    name = {"csv": "features.csv", "tsv": "features.tsv", "gz": "features.csv.gz"}.get(kind, f"features.{kind}")
    (folder / "study.toml").write_text(STUDY.replace("features.csv", name))
    (folder / "patients.csv").write_text(PATIENTS)
    file = folder / name
    if kind == "parquet":
        pl.read_csv(io.StringIO(FEATURES)).write_parquet(file)
    elif kind == "xlsx":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("xl/workbook.xml", "<workbook/>")
            archive.writestr("xl/sharedStrings.xml", "<sst>" + "<si><t>a</t></si>" * 50 + "</sst>")
    else:
        text = FEATURES.replace(",", "\t") if kind == "tsv" else FEATURES
        file.write_bytes(gzip.compress(text.encode()) if kind == "gz" else text.encode())
    return file


def mutants(count: int, seed: int, root: Path) -> Iterator[Result]:
    """Ingest ``count`` mutated studies, each drawn by its number alone, and yield how each ended."""
    for number in range(seed, seed + count):
        draw = random.Random(number)  # noqa: S311  (no secret)
        folder = root / f"m{number}"
        table = written(folder, draw.choice(["csv", "csv", "tsv", "gz", "parquet", "parquet", "xlsx"]))
        target = draw.choice([folder / "study.toml", folder / "study.toml", folder / "patients.csv", table])
        content = target.read_bytes()
        for _ in range(draw.choice([1, 1, 2, 4])):
            content = _mutated(content, target, draw)
        target.write_bytes(content)
        yield attack(f"mutant {number} ({target.name})", folder, dry_run=draw.random() < 0.7)
        shutil.rmtree(folder, ignore_errors=True)


def handmade(root: Path, cases: dict[str, Case] = CASES) -> Iterator[Result]:
    """Ingest each hand-made study and yield how it ended."""
    for name, case in cases.items():
        folder = root / f"h{abs(hash(name))}"
        written(folder)
        case.write(folder)
        yield attack(name, folder, dry_run=False, expected=case.codes)
        shutil.rmtree(folder, ignore_errors=True)


def _mutated(content: bytes, target: Path, draw: random.Random) -> bytes:
    is_text = target.suffix in (".toml", ".csv", ".tsv")
    kinds: list[Callable[[bytes, random.Random], bytes]] = [_flipped, _cut, _doubled, _inserted]
    if target.suffix == ".toml":
        kinds += [_of_toml] * 12
    elif is_text:
        kinds += [_of_cells] * 10
    return draw.choice(kinds)(content, draw)


def _flipped(content: bytes, draw: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(draw.choice([1, 1, 3, 20])):
        if found:
            found[draw.randrange(len(found))] = draw.randrange(256)
    return bytes(found)


def _cut(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    return (
        content[:start] + content[draw.randrange(start, len(content) + 1) :] if draw.random() < 0.5 else content[:start]
    )


def _doubled(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    part = content[start : start + draw.choice([1, 10, 1000])]
    return content[:start] + part * draw.choice([2, 3, 100]) + content[start:]


def _inserted(content: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(content) + 1)
    what = draw.choice(
        [b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\n\n", b'"', b"'", b"\xef\xbb\xbf", b"{", b"\x1b["]
    )
    return content[:start] + what + content[start:]


def _of_cells(content: bytes, draw: random.Random) -> bytes:
    separator = "\t" if b"\t" in content else ","
    rows = [line.split(separator) for line in content.decode("utf-8", "replace").split("\n")]
    at = draw.randrange(len(rows))
    kind = draw.choice(["cell", "cell", "cell", "column", "row", "swap", "drop", "header", "quote"])
    cell = draw.choice(HOSTILE)
    if kind == "cell" and rows[at]:
        rows[at][draw.randrange(len(rows[at]))] = cell
    elif kind == "column":
        column = draw.randrange(len(rows[0]))
        for row in rows[1:]:
            if column < len(row):
                row[column] = cell
    elif kind == "row":
        rows.insert(at, list(rows[draw.randrange(len(rows))]))
    elif kind == "swap":
        other = draw.randrange(len(rows))
        rows[at], rows[other] = rows[other], rows[at]
    elif kind == "drop":
        rows.pop(at)
    elif kind == "header":
        rows[0][draw.randrange(len(rows[0]))] = draw.choice([*HOSTILE, *rows[0], "segment_file", "value", "Patient"])
    else:
        rows[at] = [f'"{each}\n"' for each in rows[at]]
    return "\n".join(separator.join(row) for row in rows).encode("utf-8", "surrogatepass")


def _of_toml(content: bytes, draw: random.Random) -> bytes:
    lines = content.decode("utf-8", "replace").split("\n")
    at = draw.randrange(len(lines))
    kind = draw.choice(["value", "value", "value", "value", "drop", "double", "swap", "line", "key", "table"])
    if kind == "value":
        at = draw.choice([number for number, line in enumerate(lines) if "=" in line] or [0])
        lines[at] = f"{lines[at].partition('=')[0]}= {draw.choice(VALUES)}"
    elif kind == "drop":
        lines.pop(at)
    elif kind == "double":
        lines.insert(draw.randrange(len(lines)), lines[at])
    elif kind == "swap":
        other = draw.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "line":
        lines.insert(at, draw.choice(LINES))
    elif kind == "key":
        name, equals, value = lines[at].partition("=")
        other = draw.choice(["x", name.strip() + "s", '"a b"', '"\\u001b"', "a.b.c", name])
        lines[at] = f"{other} {equals}{value}"
    else:
        table = draw.choice(["study", "cohort", "imported.x", "models.x", "a.b", "[readings]", "clinical"])
        lines.insert(at, f"[{table}]")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def main() -> int:
    """Run the attacks and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--handmade", action="store_true", help="the hand-made ones too")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="radzoo-attack-"))
    os.environ.setdefault("TMPDIR", str(root))
    codes: Counter[int] = Counter()
    bad: list[Result] = []
    slowest = 0.0
    try:
        results = handmade(root) if given.handmade else iter(())
        for source in (results, mutants(given.count, given.seed, root)):
            for result in source:
                codes[result.code] += 1
                slowest = max(slowest, result.seconds)
                if result.fault:
                    bad.append(result)
                    print(f"BAD {result.name}: {result.fault}", flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    counts = ", ".join(f"{number} with exit code {code}" for code, number in sorted(codes.items()))
    print(f"{sum(codes.values())} inputs: {counts}; slowest {slowest:.1f} s, at most {memory:.1f} GB; {len(bad)} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
