"""The hand-made studies of `tests.attacks.tables`: what is written over a valid study, and how its ingest may end."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["CASES", "FEATURES", "PATIENTS", "STUDY", "Case"]

STUDY = """[study]
id = "s"
title = "a study"
question = "why?"

[cohort]
table = "patients.csv"
patient = "id"
reference_date = "day"
missing = ["?"]

[clinical.variables.age]
unit = "a"
column = "years"

[clinical.variables.sex]
levels = ["f", "m"]

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.main]
kind = "stratified"
validation_fraction = 0.25
seed = 0

[imported.fs]
table = "features.csv"
columns = { exclude = ["b*"] }

[models.radiomics_lr]
feature_set = "fs"
"""
PATIENTS = "id,o,years,sex,day\n" + "".join(
    f"P{n},{n % 2},{40 + n},{'fm'[n % 2]},2020-01-{n + 1:02}\n" for n in range(12)
)
FEATURES = "id,a,b,c d,e\n" + "".join(f"P{n},{n * 1.5},{n},{-n / 7:.4f},{n % 3}\n" for n in range(12))

REFUSED = frozenset({4})
READ = frozenset({0})
ANY = frozenset({0, 4, 5})


@dataclass(frozen=True)
class Case:
    """A hand-made study."""

    write: Callable[[Path], object]
    """Changes a valid study in a folder."""
    codes: frozenset[int] = REFUSED
    """The exit codes that its ingest may end with."""


def _edited(file: str, old: str, new: str) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text, (file, old)
        (folder / file).write_bytes(text.replace(old, new, 1).encode("utf-8", "surrogatepass"))

    return write


def _bytes(file: str, content: bytes | Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / file).write_bytes(content if isinstance(content, bytes) else content())


def _study(old: str, new: str, codes: frozenset[int] = REFUSED) -> Case:
    return Case(_edited("study.toml", old, new), codes)


def _pattern(text: str) -> Case:
    quoted = text.replace("\\", "\\\\").replace("\0", "\\u0000").replace("\x1b", "\\u001b").replace("\n", "\\n")
    phase = f'[phases.T1]\nimage = "{quoted}"\nmask = "{{patient}}_m.nii"\n[outcome]'
    return _study("[outcome]", phase)


def _cell(file: str, old: str, new: str, codes: frozenset[int] = REFUSED) -> Case:
    return Case(_edited(file, old, new), codes)


def _table(content: bytes | Callable[[], bytes], codes: frozenset[int] = REFUSED) -> Case:
    return Case(_bytes("features.csv", content), codes)


def _patterns() -> Iterator[tuple[str, Case]]:
    for text in (
        "{patient:{x}}", "{reading:>2000000000}", "{patient!r}", "{patient.x}", "{patient[0]}", "{0}", "{}", "{patient",
        "patient}", "{{patient}}", "{patient}" + "a" * 300, "{patient}" + "/a" * 3000, "\0{patient}",
        "\x1b[2J{patient}",
        "~/{patient}", "a\\{patient}", "*/{patient}", "{patient}?", "", " ", "/{patient}/{reader}/{reading}/{patient}",
        "../../../../../../{patient}", "/dev/zero", "/proc/self/mem", "{patient}/../{patient}", "{patient}\n", ".",
        "/{patient}", "//{patient}", "{phase}{phase}{phase}{patient}.nii", "{patient.__class__.__init__.__globals__}",
    ):  # fmt: skip
        yield f"pattern {text[:40]!r}", _pattern(text)


def _ids() -> Iterator[tuple[str, Case]]:
    for text in (
        "../../x", "a/b", "..", "-x", "x" * 300, "\u202eP1", "P\u200b1", "P\x1b1", "P\x7f", "é", "\uff301", " ", "p 1",
        "1e5", "{patient}", "P;1", "=1+1", "@x", "+1", "\ufeffP1", "P1\x0b", "\ud800",
    ):  # fmt: skip
        yield f"id {text[:20]!r}", _cell("patients.csv", "\nP3,", f"\n{text},")
    yield "an id with a line break", _cell("patients.csv", "\nP3,", '\n"P\n3",')
    yield "an id with NUL", _cell("patients.csv", "\nP3,", "\nP\0003,")
    yield "an id twice", _cell("patients.csv", "\nP3,", "\nP2,")


def _numbers() -> Iterator[tuple[str, Case]]:
    for text in (
        "1e999",
        "-1e999",
        "\uff11\uff12",
        "1_000",
        "inf",
        "0x1p3",
        "0x10",
        "1,5",
        "1e",
        "--1",
        "1 000",
        "½",
        "1;2",
    ):
        cell = f'"{text}"' if "," in text else text
        yield f"a feature {text}", _cell("features.csv", "P3,4.5", f"P3,{cell}")
        # In quotes and the only number with a comma, it has a decimal comma.
        yield f"an age {text}", _cell("patients.csv", "P3,1,43", f"P3,1,{cell}", READ if text == "1,5" else REFUSED)
    for text in ("nan", "NA", ""):
        yield f"a feature that is {text or 'empty'}", _cell("features.csv", "P3,4.5", f"P3,{text}", READ)
    yield "a row without values", _cell("features.csv", "P3,4.5,3,-0.4286,0", "P3,,,,", frozenset({0, 5}))
    yield "a patient without a row", _cell("features.csv", "P3,4.5,3,-0.4286,0\n", "", frozenset({0, 5}))
    yield "1e308", _cell("features.csv", "P3,4.5", "P3,1e308", READ)
    yield "a denormal number", _cell("features.csv", "P3,4.5", "P3,5e-324", READ)
    for text in ("0000-01-01", "99999-01-01", "2020-02-30", "-2020-01-01", "2020-01-01T12:00", "20200101x", "43831",
                 "1" * 5000, "2020-W01-1", "\uff12\uff10\uff12\uff10-01-01"):  # fmt: skip
        yield f"a day {text[:20]}", _cell("patients.csv", "2020-01-04", text)


def _texts() -> Iterator[tuple[str, Case]]:
    yield "a quote that is not closed", _table(FEATURES.replace("P3,", 'P3,"').encode())
    yield "a million quotes", _table(FEATURES.encode() + b'"' * 1_000_001)
    yield "quotes in pairs", _table(FEATURES.encode() + b'""' * 500_000)
    yield "NUL", _table(FEATURES.replace("P3", "P\0").encode())
    yield "a lone surrogate", _table(FEATURES.replace("c d", "c\ud800").encode("utf-8", "surrogatepass"))
    yield "Latin-1", _table(FEATURES.replace("c d", "cé").encode("latin-1"))
    yield "UTF-16", _table(FEATURES.encode("utf-16"), READ)
    yield "UTF-32", _table(FEATURES.encode("utf-32"), READ)
    yield "UTF-16 without a mark", _table(FEATURES.encode("utf-16-le"))
    yield "UTF-7", _table(FEATURES.replace("c d", "é").encode("utf-7"), ANY)
    yield "a mark alone", _table(b"\xef\xbb\xbf")
    yield "two marks", _table(b"\xef\xbb\xbf" * 2 + FEATURES.encode(), ANY)
    yield "nothing", _table(b"")
    yield "line feeds", _table(b"\n" * 100_000)
    yield "carriage returns", _table(FEATURES.replace("\n", "\r").encode(), ANY)
    yield "a header alone", _table(b"id,a\n")
    yield "a column twice", _table(FEATURES.replace("c d", "a").encode())
    yield "columns that SQL takes for one", _table(FEATURES.replace("c d", "A").encode())
    yield "a column called patient", _table(FEATURES.replace("c d", "patient").encode(), ANY)
    yield "a column with a control character", _table(FEATURES.replace("c d", "c\x1b[2J").encode(), ANY)
    yield "a column with a line break", _table(FEATURES.replace("c d", '"c\nd"').encode(), ANY)
    yield "a column with quotes", _table(FEATURES.replace("c d", '"c""\'); drop table x; --"').encode(), ANY)
    yield "a column of 10,000 characters", _table(FEATURES.replace("c d", "c" * 10_000).encode(), ANY)
    yield "a cell of 10 MB", _table(FEATURES.replace("P3,4.5", "P3," + "9" * 10_000_000).encode())
    yield "a line of 30 MB", _table(b"id" + b",a" * 15_000_000)
    yield "a line of 30 MB without separators", _table(b"x" * 30_000_000)
    yield "100,000 columns", _table(b"id," + b",".join(b"c%d" % n for n in range(100_000)) + b"\nP1" + b",1" * 100_000)
    yield "ragged rows", _table((FEATURES + "P1,1\n" * 50_000).encode())
    yield "100,000 strangers", _table((FEATURES + "".join(f"Q{n},1,1,1,1\n" for n in range(100_000))).encode())
    yield (
        "100,000 cells that are no number",
        _table((FEATURES.replace("c d", "c") + "".join(f"P1,1,1,x{n},1\n" for n in range(100_000))).encode()),
    )
    yield "sep= and nothing", _table(b"sep=;\n")
    yield "sep= of a quote", _table(b'sep="\n' + FEATURES.encode())
    yield "sep= of a line feed", _table(b"sep=\n\n" + FEATURES.encode())
    yield "a table of 300 MB that is not there", Case(_sparse("features.csv", 300_000_000))
    yield "a table of 1 TB that is not there", Case(_sparse("features.csv", 10**12))


def _sparse(file: str, size: int) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / file, size)


def _files() -> Iterator[tuple[str, Case]]:
    packed = gzip.compress(FEATURES.encode())
    yield "gzip", _table(packed, READ)
    yield "gzip that is cut off", _table(packed[:-9])
    yield "gzip with another sum", _table(packed[:-8] + b"\0" * 8)
    yield (
        "gzip of two parts",
        _table(gzip.compress(FEATURES[:60].encode()) + gzip.compress(FEATURES[60:].encode()), READ),
    )
    yield "gzip with more behind it", _table(packed + b"more")
    yield "gzip within gzip", _table(gzip.compress(packed))
    yield "a gzip bomb", _table(lambda: gzip.compress(b"0" * 300_000_000, 1))
    yield "a gzip bomb of lines", _table(lambda: gzip.compress(b"1\n" * 100_000_000, 1))
    yield "an xz bomb", _table(lambda: lzma.compress(b"0" * 250_000_000, preset=0))
    yield "xz that is cut off", _table(lzma.compress(FEATURES.encode())[:-9])
    yield "xz of two parts", _table(lzma.compress(FEATURES[:60].encode()) + lzma.compress(FEATURES[60:].encode()), READ)
    yield "xz with a dictionary of 1.5 GB", _table(lambda: _large_dictionary())
    yield "a zip archive", _table(lambda: _zip({"a.csv": FEATURES.encode()}))
    yield "a zip bomb", _table(lambda: _zip({"mimetype": b"0" * 300_000_000}))
    yield "a workbook", _table(lambda: _zip({"xl/workbook.xml": b"<x/>", "xl/sharedStrings.xml": b"<t>" * 10_000_000}))
    yield (
        "a workbook of entities",
        _table(lambda: _zip({"xl/workbook.xml": b'<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/x">]>'})),
    )
    yield (
        "a zip whose directory lies",
        _table(lambda: _zip({"mimetype": b"opendocument"}).replace(b"\x00\x00\x00\x00", b"\xff" * 4)),
    )
    yield "a zip that is cut off", _table(lambda: _zip({"xl/workbook.xml": b"<x/>"})[:40])
    yield "a pickle", _table(b"\x80\x04cos\nsystem\n")
    yield "an HTML page", _table(b"<html><table><tr><td>1</td></tr></table>")
    yield "noise", _table(bytes(range(256)) * 100)
    yield "Parquet", _table(_parquet(), READ)
    yield "Parquet that is cut off", _table(_parquet()[:-20])
    yield "Parquet's mark alone", _table(b"PAR1")
    yield "Parquet's marks alone", _table(b"PAR1" + b"\0" * 8 + b"PAR1")
    yield "Parquet with a footer longer than the file", _table(_parquet()[:-8] + struct.pack("<I", 2**31) + b"PAR1")
    yield "Parquet whose footer is zeros", _table(_parquet()[:-200] + b"\0" * 192 + _parquet()[-8:])
    yield "Parquet of no rows", _table(_parquet(pl.read_csv(io.StringIO(FEATURES)).clear()))
    yield "Parquet of lists", _table(_parquet(pl.DataFrame({"id": ["P1"], "a": [[1, 2]]})))
    yield "Parquet that unpacks to 800 MB", _table(lambda: _repeated(100_000_000))
    yield "Parquet of 20 million rows", _table(lambda: _repeated(20_000_000))
    yield "a folder", Case(lambda folder: ((folder / "features.csv").unlink(), (folder / "features.csv").mkdir()))
    yield "a pipe", Case(lambda folder: ((folder / "features.csv").unlink(), os.mkfifo(folder / "features.csv")))
    yield "a link to itself", Case(_link("features.csv"))
    yield "a link to /dev/zero", Case(_link("/dev/zero"))
    yield "a link to /proc/kmsg", Case(_link("/proc/kmsg"))
    for path in ("/dev/zero", "/dev/stdin", "/etc/shadow", "/proc/self/environ", "../../../etc/passwd", "", ".",
                 "a" * 300, "~/x", "study.toml", "http://x/y.csv", "C:\\\\x.csv", "a/" * 3000,
                 "patients.csv/x"):  # fmt: skip
        yield f"a table at {path[:30]!r}", _study('table = "features.csv"', f'table = "{path}"')


def _link(target: str) -> Callable[[Path], object]:
    return lambda folder: ((folder / "features.csv").unlink(), (folder / "features.csv").symlink_to(target))


def _zip(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def _large_dictionary() -> bytes:
    small = bytearray(lzma.compress(FEATURES.encode(), format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE))
    at = small.index(b"\x21\x01") + 2  # the filter's one byte of properties: the dictionary's size
    small[at] = 40
    return bytes(small)


def _parquet(frame: pl.DataFrame | None = None) -> bytes:
    made = io.BytesIO()
    (pl.read_csv(io.StringIO(FEATURES)) if frame is None else frame).write_parquet(made)
    return made.getvalue()


def _repeated(rows: int) -> bytes:
    made = io.BytesIO()
    part = pa.table({"id": pa.array([0], pa.int64()).take(pa.array([0] * 1_000_000))})
    with pq.ParquetWriter(made, part.schema, compression="zstd") as writer:
        for _ in range(rows // 1_000_000):
            writer.write_table(part)
    return made.getvalue()


def _study_files() -> Iterator[tuple[str, Case]]:
    def whole(content: bytes | Callable[[], bytes], codes: frozenset[int] = REFUSED) -> Case:
        return Case(_bytes("study.toml", content), codes)

    text = STUDY.encode()
    yield "study: nothing", whole(b"")
    yield "study: a mark", whole(b"\xef\xbb\xbf" + text, READ)
    yield "study: UTF-16", whole(STUDY.encode("utf-16"))
    yield "study: NUL", whole(text.replace(b"why", b"w\0y"))
    yield "study: Latin-1", whole(STUDY.replace("why", "wé").encode("latin-1"))
    yield "study: brackets", whole(text + b"x = " + b"[" * 100_000)
    yield "study: brackets that are closed", whole(text + b"x = " + b"[" * 100_000 + b"]" * 100_000)
    yield "study: brackets with blanks", whole(text + b"x = " + b"[ 1, " * 5_000 + b"]" * 5_000)
    yield "study: tables in tables", whole(text + b"x = " + b"{a=" * 5_000 + b"1" + b"}" * 5_000)
    yield "study: a name of 500,000 parts", whole(text + b"\n" + b"a." * 500_000 + b"a = 1")
    yield "study: a table of 500,000 parts", whole(text + b"\n[" + b"a." * 500_000 + b"a]")
    yield "study: 200,000 keys", whole(text + b"\n[x]\n" + b"".join(b"k%d = 1\n" % n for n in range(200_000)))
    yield "study: 9,000 keys", whole(text + b"\n[x]\n" + b"".join(b"k%d = 1\n" % n for n in range(9_000)))
    yield (
        "study: 9,000 keys in a table that is known",
        whole(text.replace(b"[cohort]\n", b"[cohort]\n" + b"".join(b"k%d = 1\n" % n for n in range(9_000)))),
    )
    yield "study: 100 MB", Case(_sparse("study.toml", 100_000_000))
    yield "study: a key twice", whole(text + b'[study]\nid = "s"\n')
    yield "study: a number of 5,000 digits", whole(text.replace(b"seed = 0", b"seed = " + b"9" * 5_000))
    yield "study: a number of 5,000 hex digits", whole(text.replace(b"seed = 0", b"seed = 0x" + b"f" * 5_000))
    yield "study: a text of 3 MB", whole(text.replace(b"a study", b"x" * 3_000_000))
    yield "study: a list of 100,000 texts", whole(text.replace(b'["?"]', b"[" + b'"x",' * 100_000 + b"]"), READ)
    yield (
        "study: include of 5,000 patterns",
        whole(text.replace(b'exclude = ["b*"]', b"include = [" + b",".join(b'"a%d"' % n for n in range(5_000)) + b"]")),
    )
    yield "study: a folder", Case(lambda f: ((f / "study.toml").unlink(), (f / "study.toml").mkdir()))
    yield "study: a pipe", Case(lambda f: ((f / "study.toml").unlink(), os.mkfifo(f / "study.toml")))
    yield "study: /dev/zero", Case(lambda f: ((f / "study.toml").unlink(), (f / "study.toml").symlink_to("/dev/zero")))
    for value in ("nan", "inf", "-1", "1e999", "2", '"x"', "[]", "true", "1979-05-27", "10000000000000000000000000"):
        yield f"study: a fraction {value}", _study("validation_fraction = 0.25", f"validation_fraction = {value}")
    for value in ("-1", "4294967296", "1.5", "9223372036854775807", "1979-05-27T07:32:00Z"):
        yield f"study: a seed {value}", _study("seed = 0", f"seed = {value}")
    for value in (
        '"\\u001b[2J"',
        '"a\\u0000b"',
        '"\\u202eabc"',
        '""',
        '"a b"',
        '"../x"',
        '"' + "x" * 100 + '"',
        '"a\\n"',
    ):
        yield f"study: an id {value[:20]}", _study('id = "s"', f"id = {value}")
    for name in (
        '"\\u001b[2J"',
        '"a; drop table x"',
        '"<script>"',
        '"a.b"',
        '""',
        '"é"',
        '"' + "n" * 300 + '"',
    ):
        yield f"study: a variable {name[:20]}", _study("[clinical.variables.age]", f"[clinical.variables.{name}]")
    for setting in ("epochs = 1000000000000", "batch_size = 1000000000", "threads = 100000", "learning_rate = inf",
                    "inner_folds = 1000000", "patience = 1000000000", "learning_rate = nan"):  # fmt: skip
        yield (
            f"study: {setting}",
            _study("[models.radiomics_lr]", f"[models.dl_resnet10.network]\n{setting}\n[models.radiomics_lr]"),
        )
    for setting in ("bin_count = 1000000000", "bin_width = 0", "bin_width = nan", "pad_distance_voxels = 1000000000",
                    "wavelet = 'db1'\nwavelet_levels = 1000000", "log_sigma_mm = [1e300]", "normalize_scale = 1e308",
                    "resampled_spacing_mm = [1e-9, 1, 1]", "distances_voxels = [1000000000]",
                    "gldm_alpha = 99999999999", "voxel_array_shift = 9223372036854775807",
                    "resegment_range = [nan]"):  # fmt: skip
        yield (
            f"study: {setting}",
            _study("[models.radiomics_lr]", f"[define.x.radiomics]\n{setting}\n[models.radiomics_lr]"),
        )
    yield "study: a variable that is a word of SQL", _study("variables.age]", "variables.select]", READ)
    yield "study: a window of ages", _study('unit = "a"', 'unit = "a"\nwindow_days = [-99999999999, 0]')
    yield "study: a prefix that is a path", _study('patient = "id"', 'patient = "id"\nprefix = "../"')
    yield "study: an exam with a control character", _study('patient = "id"', 'patient = "id"\nexam = "\\u001b[2J"')
    yield "study: no readings", _study("[study]", "readings = []\n[study]", ANY)
    yield "study: a title of HTML", _study('"a study"', '"<script>alert(1)</script>"', READ)
    yield "study: a unit of 10,000 brackets", _study('unit = "a"', f'unit = "{"(" * 10_000}"')
    yield "study: a unit of 10,000 factors", _study('unit = "a"', f'unit = "m{".m" * 9_000}"')


CASES: dict[str, Case] = {
    name: case for source in (_patterns, _ids, _numbers, _texts, _files, _study_files) for name, case in source()
}
