"""What says who a patient is, in headers, paths, tables and dates, is in nothing that radzoo writes or prints."""

from __future__ import annotations

import io
import logging
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import pytest
from builders.models import train
from builders.privacy.planted import (
    BROKEN,
    CHANGED,
    DATES,
    DESCRIBED,
    IDS,
    IN_HEADERS,
    IN_PATHS,
    IN_TABLE,
    TABLE,
    Searched,
    planted_study,
)
from builders.study import SmallStudy

from flows.bench.run import bench
from flows.cli.main import exit_code
from flows.privacy.places import state_folder
from schemas.privacy.keyed import day_shift, keyed_pseudonym
from store.history.studies import stored_study

KEY = bytes(range(32))


@dataclass
class Written:
    """A study after every verb, what all of them wrote and what they printed."""

    study: SmallStudy
    folder: Path
    printed: str

    @cached_property
    def searched(self) -> Searched:
        """All that was written and printed, to be searched."""
        files = [*self.study.store_root.rglob("*"), *(self.folder / "out").rglob("*")]
        return Searched(files, [self.printed])

    def found(self, *tokens: str) -> dict[str, set[str]]:
        """Return where tokens are found."""
        return self.searched.places_of(tokens)


def written_by_every_verb(folder: Path, privacy: str) -> Written:
    """Ingest a planted study, take it through every verb in this process, and return what came of it."""
    study, out = planted_study(folder), folder / "out"
    study.file.write_text(study.file.read_text() + privacy)
    out.mkdir()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)

    def verb(*arguments: object) -> None:
        # 5: two of the planted files cannot be used.
        assert exit_code(["--store", str(study.store_root), *map(str, arguments)]) in (0, 5), stream.getvalue()

    with redirect_stdout(stream), redirect_stderr(stream):
        verb("ingest", study.file)
        verb("ingest", study.file, "--read-again")
        # After the ingest another patient's mask takes the place of this one's.
        changed = study.folder / "scans" / CHANGED / f"{CHANGED}_dp_mask.nii"
        changed.write_bytes((study.folder / "scans" / BROKEN / f"{BROKEN}_dp_mask.nii").read_bytes()[:-1] + b"\1")
        study.stage()
        verb("refresh")
        train(study.store, stored_study(study.snapshot, "planted"))
        bench(study.store, "planted")
        verb("report", "--out", out / "report")
        verb("predict", "radiomics_knn", "--include-training", "--out", out / "predictions.parquet")
        verb("store", "export", out / "export")
        verb("store", "overview", "--out", out / "overview")
        verb("models", "export", "radiomics_knn", out / "model")
        verb("models", "card", "cr")
        verb("models", "show", "radiomics_lr")
        verb("features", "list")
        verb("features", "coverage")
        verb("look", "--out", out / "look")
        verb("store", "log")
        for view in ("failures", "scans", "masks", "studies", "runs", "duplicates", "cohort"):
            verb("sql", f"from {view}")
        verb("store", "verify")
    logging.getLogger().removeHandler(handler)
    return Written(study, folder, stream.getvalue())


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> Written:
    """Return the study with ``[privacy]``."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "radzoo.key").write_text(KEY.hex() + "\n")
    (folder / "radzoo.key").chmod(0o600)
    return written_by_every_verb(folder, '[privacy]\npseudonyms = "hash"\nkey = "../../radzoo.key"\n')


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> Written:
    """Return the same study without it."""
    return written_by_every_verb(tmp_path_factory.mktemp("plain"), "")


def test_with_privacy_nothing_that_was_planted_is_found(private):
    """Ids, names, birth dates, dates, folders and files are in no byte of store, report, export, model or terminal."""
    shifts = {day_shift(KEY, each) for each in IDS}
    assert min(shifts) > 20  # else a moved date may be another one that was planted
    dates = [form for day in DATES.values() for form in (day, day.replace("-", ""))]
    found = private.found(*IN_HEADERS, *IN_TABLE, *IN_PATHS, *IDS, *dates, KEY.hex(), KEY.hex()[:16])
    # Which table has a fault, or how it was read, a person at the terminal must know.
    assert found == {TABLE: {"(printed)"}}


def test_with_privacy_the_pseudonyms_are_where_ids_would_be(private, plain):
    """What finds nothing finds what there is: pseudonyms here, and ids and paths of a study without ``[privacy]``."""
    pseudonym = keyed_pseudonym(KEY, IDS[0])
    kinds = {"catalogue.sqlite", "analyst.duckdb", "predictions.parquet", "(printed)"}
    assert kinds <= private.found(pseudonym)[pseudonym]
    assert kinds <= plain.found(IDS[0])[IDS[0]]
    assert kinds - {"predictions.parquet"} <= plain.found("Milliwayshospital")["Milliwayshospital"]
    segments = {file.name for file in (private.study.store_root / "segments").rglob("*.parquet")}
    assert segments & private.found(pseudonym)[pseudonym]


def test_without_privacy_no_header_and_no_unused_column_is_found(plain):
    """Ids, dates and paths are as the study file gives them; of headers only what a failure must name to choose by."""
    named = {DESCRIBED}
    assert plain.found(*{*IN_HEADERS} - named, *IN_TABLE) == {}
    assert plain.found(DESCRIBED)[DESCRIBED] >= {"(printed)"}


def test_failures_name_phase_and_kind_and_the_terminal_the_line(private):
    """A reason repeats no file and no word of one; who it is, ingest says by the line of the table."""
    reasons = {row["reason"] for row in private.study.sql("from failures where stage = 'ingest'")}
    assert len(reasons) == 2
    assert all(reason.startswith(("image: ", "mask: ")) for reason in reasons)
    whom = f"{keyed_pseudonym(KEY, BROKEN)} (line {IDS.index(BROKEN) + 2} of the cohort table)"
    assert f"failed: {whom} DP R1.1: image: " in private.printed
    (row,) = private.study.sql("from failures where stage = 'refresh'")
    assert row["patient"] == keyed_pseudonym(KEY, CHANGED)
    assert row["reason"].startswith("mask: differs from what was ingested")


def test_intervals_stay_to_the_day(private):
    """Each date of a patient moves by the same number of days: windows and intervals are as they were."""
    snapshot = private.study.snapshot
    exams = {row["patient"]: date.fromisoformat(row["acquired_on"]) for row in snapshot.rows("exams")}
    surgeries = {row["patient"]: date.fromisoformat(row["reference_on"]) for row in snapshot.rows("reference_dates")}
    bloods = {row["patient"]: date.fromisoformat(row["observed_at"]) for row in snapshot.rows("clinical")}
    assert len(exams) == len(IDS)
    for patient, exam in exams.items():
        assert ((surgeries[patient] - exam).days, (exam - bloods[patient]).days) == (3, 6)
    assert len({*exams.values()}) > 20
    found = private.study.sql("select days_before from clinical_at_reference")
    assert {row["days_before"] for row in found} == {9}


def test_the_places_of_files_are_the_users_alone(private):
    """What refresh reads them from lies outside of the store, in a file and folders of this account alone."""
    (file,) = [each for each in state_folder(os.environ).rglob("planted.json") if IDS[0] in each.read_text()]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert private.study.store_root not in file.parents
