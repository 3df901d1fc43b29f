"""A study whose files say who its patients are wherever a file can say it, and a search through all bytes for that."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import polars as pl
import pyarrow.parquet as pq
import SimpleITK as sitk
from openpyxl.comments import Comment
from pydicom.dataset import Dataset

from builders.dicom.written import Place, write_series
from builders.study import SmallStudy

IDS = tuple(f"MRN7730{number:02}" for number in range(24))
DATES = {"exam": "2031-05-17", "surgery": "2031-05-20", "blood": "2031-05-11"}
IN_HEADERS = (
    *("Zaphodson", "Trillianova", "Slartibartov", "19410227", "Arthurdent", "Marvinsky", "Vogonville", "Fenchurchik"),
    *("Agrajagow", "Eddiecomp", "Hactarov", "Lunkwillig", "Magratheanov", "Prostetnik", "Deepthoughtov", "莱拉迪"),
)
IN_TABLE = ("Fordsson", "1941-02-27", "Tricianova", "Beeblebroxik", "Krikkitov", "Oolonova")
TABLE = "quuxcohort"
"""The name of the study's tables."""
IN_PATHS = ("MRN7730", "Milliwayshospital", TABLE)
DESCRIBED = "Slartibartov"
"""In the description of a series, which failures repeat where a study has no ``[privacy]``."""
CHANGED, BROKEN, UNCHOSEN = IDS[21], IDS[22], IDS[23]

STUDY = """feature_sets = ["quick"]
[study]
id = "planted"
title = "A study"
[cohort]
table = "quuxcohort.xlsx"
sheet = "patients"
patient = "record"
exam_date = "exam"
reference_date = "surgery"
same_person = [["MRN773000", "MRN773002"]]
[phases.AP]
image = "scans/{patient}/ap"
series = { description = "*arterial*" }
mask = "scans/{patient}/{patient}_mask.nrrd"
[phases.DP]
image = "scans/{patient}/{patient}_dp.nii.gz"
mask = "scans/{patient}/{patient}_dp_mask.nii"
[clinical]
table = "quuxcohort_blood.csv"
observed_at = "taken"
window_days = [-30, 0]
[clinical.variables.afp]
unit = "[IU]/mL"
[outcome]
kind = "binary"
name = "recurrence"
column = "recurrence"
positive = "yes"
negative = "no"
[splits.fixed]
kind = "column"
column = "cohort"
[define.quick.radiomics]
families = ["shape", "firstorder"]
bin_width = 25
[models.cr]
factors = [{ variable = "afp", above = 400 }]
[models.radiomics_lr]
[models.radiomics_knn]
"""


def planted_study(root: Path) -> SmallStudy:
    """Write the study of 24 patients below a folder and return it."""
    study = SmallStudy(root / "Milliwayshospital" / "study", root / "store", "planted", IDS)
    study.folder.mkdir(parents=True)
    study.file.write_text(STUDY)
    for number, patient in enumerate(IDS):
        _write_images(study, patient, 200 * (number % 2))
    _write_tables(study.folder)
    (study.folder / "scans" / BROKEN / f"{BROKEN}_dp.nii.gz").write_bytes(b"\x1f\x8bFenchurchik")
    return study


def _write_images(study: SmallStudy, patient: str, brighter: int) -> None:
    folder = study.folder / "scans" / patient
    volumes = []
    for phase in ("AP", "DP"):
        voxels = np.rint(sitk.GetArrayFromImage(study.image(patient, phase))).astype(np.int16)
        voxels[2:6, 3:8, 3:9] += brighter
        volumes.append(voxels)

    def plant(_: int, dataset: Dataset) -> None:
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Zaphodson^Anna", patient, "19410227"
        dataset.InstitutionName, dataset.PatientComments = "Vogonville", "Trillianova"
        dataset.ReferringPhysicianName, dataset.StudyDescription = "Arthurdent", "Marvinsky"
        dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = DATES["exam"].replace("-", "")
        block = dataset.private_block(0x0029, "radzoo test", create=True)
        block.add_new(0x10, "LO", "Agrajagow")
        block.add_new(0x11, "UN", b"Hactarov\0\0")

    what = "venous" if patient == UNCHOSEN else "arterial"
    place = Place((1.0, 1.0, 2.0), (-6.0, 4.0, 10.0))
    write_series(folder / "ap", volumes[0], place, change=plant, SeriesDescription=f"{what} {DESCRIBED}")
    mask = study.mask(patient, "AP")
    sitk.WriteImage(mask, folder / f"{patient}_mask.nrrd")
    _plant_nrrd(folder / f"{patient}_mask.nrrd")
    image = sitk.GetImageFromArray(volumes[1])
    image.CopyInformation(mask)
    for voxels, name in ((image, "dp.nii.gz"), (mask, "dp_mask.nii")):
        file = folder / f"{patient}_{name}"
        sitk.WriteImage(voxels, file)
        _plant_nifti(file)


def _plant_nrrd(file: Path) -> None:
    head, voxels = file.read_bytes().split(b"\n\n", 1)
    magic, _, fields = head.partition(b"\n")
    words = b"# Eddiecomp\nPatientName:=Lunkwillig\ncontent: Deepthoughtov\n"
    file.write_bytes(magic + b"\n" + words + fields + b"\n\n" + voxels)


def _plant_nifti(file: Path) -> None:
    is_packed = file.suffix == ".gz"
    content = bytearray(gzip.decompress(file.read_bytes()) if is_packed else file.read_bytes())
    for at, length, text in (
        *((14, 18, "Magratheanov"), (148, 80, "Prostetnik 莱拉迪"), (228, 24, "Fenchurchik"), (328, 16, "Zaphodson")),
    ):
        content[at : at + length] = text.encode().ljust(length, b"\0")
    extension = struct.pack("<ii", 48, 6) + b"Agrajagow Zaphodson".ljust(40, b"\0")
    struct.pack_into("<f", content, 108, 352.0 + len(extension))
    content[348:352] = b"\1\0\0\0"
    content[352:352] = extension
    file.write_bytes(gzip.compress(bytes(content)) if is_packed else bytes(content))


def _write_tables(folder: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "patients"
    book.properties.creator, book.properties.description = "Fordsson", "Krikkitov"
    sheet.append(["record", "exam", "surgery", "recurrence", "cohort", "name", "born", "note"])
    blood = ["record,taken,afp,phoned"]
    for number, patient in enumerate(IDS):
        label, cohort = ("no", "yes")[number % 2], "training" if number < 16 else "validation"
        own = ["Tricianova", "1941-02-27", "Beeblebroxik"]
        sheet.append([patient, DATES["exam"], DATES["surgery"], label, cohort, *own])
        blood.append(f"{patient},{DATES['blood']},{900 if number % 4 else 20},Oolonova")
    sheet["A2"].comment = Comment("Krikkitov", "Fordsson")
    book.save(folder / "quuxcohort.xlsx")
    (folder / "quuxcohort_blood.csv").write_text("\n".join(blood) + "\n")


class Searched:
    """Files and texts, each as it is and as what is in it, unpacked once for all searches.

    Where a file is Parquet, SQLite, DuckDB, an archive, gzip, zlib or base64 in a page, what is in it is searched too.
    """

    def __init__(self, files: Iterable[Path], texts: Iterable[str] = ()) -> None:
        self._names: dict[str, set[str]] = {}
        """Of the files that have each content."""
        unpacked: dict[bytes, list[str]] = {}
        for file in files:
            if file.is_file():
                packed = file.read_bytes()
                # Slices and segments lie in the store, in its export and in a page alike.
                key = hashlib.sha256(packed).digest()
                if key not in unpacked:
                    unpacked[key] = [each.decode("latin-1") for each in _unpacked(packed, file)]
                for content in (*unpacked[key], file.name.encode().decode("latin-1")):
                    self._names.setdefault(content, set()).add(file.name)
        for text in texts:
            self._names.setdefault(text.encode().decode("latin-1"), set()).add("(printed)")

    def places_of(self, tokens: Iterable[str]) -> dict[str, set[str]]:
        """Return the names of the files that have each token, in whatever coding and compression."""
        # A byte is a character here, so that one pass over the contents looks for all codings of all tokens.
        token_of = {coding.decode("latin-1"): token for token in tokens for coding in _codings(token)}
        contents = pl.Series(list(self._names), dtype=pl.String)
        hits = contents.str.extract_many(list(token_of), ascii_case_insensitive=True, overlapping=True)
        found: dict[str, set[str]] = {}
        for content, matches in zip(contents, hits, strict=True):
            for match in set(matches):
                found.setdefault(token_of[_lowered(match)], set()).update(self._names[content])
        return found


def _lowered(text: str) -> str:
    # ASCII alone: a character above stands for a byte of some coding.
    return text.encode("latin-1").lower().decode("latin-1")


def _codings(token: str) -> list[bytes]:
    escaped = token.encode("ascii", "backslashreplace")
    texts = {token.lower(), token.upper(), token}
    codings = [text.encode(coding) for text in texts for coding in ("utf-8", "utf-16-le", "utf-16-be")]
    return [each.lower() for each in (*codings, escaped)]


def _unpacked(content: bytes, file: Path | None = None, depth: int = 0) -> Iterator[bytes]:
    yield content
    if depth > 4:
        return
    inner: list[bytes] = []
    if content.startswith(b"PAR1"):
        table = pq.read_table(BytesIO(content))
        inner += [repr(table.schema).encode(), repr(table.to_pylist()).encode()]
    elif content.startswith(b"SQLite format 3") and file is not None:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        inner.append("\n".join(connection.iterdump()).encode())
        connection.close()
    elif content[8:12] == b"DUCK" and file is not None:
        inner.append(_duckdb_text(file).encode())
    elif zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            inner += [archive.read(each) for each in archive.namelist()]
            inner.append(repr(archive.infolist()).encode())
    elif content.startswith(b"\x1f\x8b"):
        inner.append(gzip.decompress(content))
    elif content.startswith(b"\x89PNG"):
        inner += _png_parts(content)
    for match in re.finditer(rb"base64,([A-Za-z0-9+/=]{16,})", content):
        inner.append(base64.b64decode(match[1] + b"=" * (-len(match[1]) % 4)))
    for each in inner:
        yield from _unpacked(each, None, depth + 1)


def _png_parts(content: bytes) -> list[bytes]:
    found, at, pixels = [], 8, b""
    while at + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, part = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        pixels += part if kind == b"IDAT" else b""
        if kind == b"zTXt":
            found.append(zlib.decompress(part.partition(b"\0")[2][1:]))
        at += length + 12
    return [*found, zlib.decompress(pixels)]


def _duckdb_text(file: Path) -> str:
    with duckdb.connect(str(file), read_only=True) as connection:
        views = connection.execute("select view_name, sql, comment from duckdb_views() where not internal").fetchall()
        texts = [repr(views), repr(connection.execute("select column_name, comment from duckdb_columns()").fetchall())]
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() union all "
            "select schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        for schema, name in tables:
            texts.append(repr(connection.execute(f'from "{schema}"."{name}"').fetchall()))
    return "\n".join(texts)
