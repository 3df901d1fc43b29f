"""An imported table with several readings of a patient: models read the first, agreement is of all."""

import numpy as np
import polars as pl
import pytest

from flows.ingest.run import ingest
from schemas.errors import ContractError
from store import open_store
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.evaluation.agreement import icc_agreement
from zoo.registry import model_spec
from zoo.tables.feature_columns import phase_columns
from zoo.tables.inputs import model_inputs
from zoo.tables.pinned import pin_built_table
from zoo.tables.stability import stability_rows

STUDY = """[study]
id = "s"
title = "t"

[cohort]
table = "patients.csv"

[[readings]]
reader = "R2"
[[readings]]
reader = "R1"
[[readings]]
reader = "R2"
reading = 2
where = "twice"

[imported.elsewhere]
table = "features.csv"
reader = "who"
reading = "time"

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.fixed]
kind = "column"
column = "cohort"

[models.radiomics_lr]
"""
PATIENTS = [f"P{number:02}" for number in range(12)]
TWICE = PATIENTS[:6]
VALUES = {
    (patient, *reading): (at + 0.25 * len(reading[0]) + shift, (at * 7 % 5) + 3 * shift)
    for at, patient in enumerate(PATIENTS)
    for reading, shift in ((("R2", 1), 0.0), (("R1", 1), 0.5 * (at % 3)), (("R2", 2), 0.25 * (at % 2)))
    if reading[1] == 1 or patient in TWICE
}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a study of three readings, of which six patients have the third."""
    (tmp_path / "study.toml").write_text(STUDY)
    cohort = [
        f"{each},{n % 2},{('validation' if n > 9 else 'training')},{each in TWICE:d}" for n, each in enumerate(PATIENTS)
    ]
    (tmp_path / "patients.csv").write_text("\n".join(["patient,o,cohort,twice", *cohort]))
    rows = [f"{p},{who},{time},{a},{b}" for (p, who, time), (a, b) in reversed(VALUES.items())]
    (tmp_path / "features.csv").write_text("\n".join(["patient,who,time,a,b", *rows]))
    return tmp_path


def test_models_read_the_first_reading_and_nothing_else(folder):
    """The table of a model, the SQL of its dataset, the view of what models read and Python give the same rows."""
    report = ingest(folder / "study.toml", folder / "store", workers=1)
    assert report.imported[0].added == len(VALUES) == 30
    snapshot = Snapshot(Store(folder / "store"))
    study = stored_study(snapshot, "s")
    expected = {patient: VALUES[patient, "R2", 1] for patient in PATIENTS}
    (read,) = phase_columns(snapshot, "s", "elsewhere@1", ("table",)).values()
    assert {patient: (a, b) for patient, a, b in read.iter_rows()} == expected
    table, dataset = pin_built_table(snapshot, study, model_inputs(study, model_spec("radiomics_lr")))
    asked = pl.DataFrame(answer(Snapshot(snapshot.store, dataset.commit_id), dataset.sql))
    assert asked.equals(table.frame)
    assert asked.height == len(PATIENTS)
    shown = answer(snapshot, "select patient, a, b from elsewhere_primary").to_pylist()
    assert {row["patient"]: (row["a"], row["b"]) for row in shown} == expected
    with open_store(folder / "store") as opened:
        assert opened.features("elsewhere", study="s", primary=True).pl().height == len(PATIENTS)
        assert opened.features("elsewhere", study="s", primary=False).pl().height == len(VALUES)


def test_agreement_is_of_the_readings_that_the_study_lists(folder):
    """Within the first reader and between readers: the ICC(A,1) of the table's own numbers, of training patients."""
    ingest(folder / "study.toml", folder / "store", workers=1)
    snapshot = Snapshot(Store(folder / "store"))
    rows = stability_rows(snapshot, stored_study(snapshot, "s"), "fixed", "elsewhere")
    found = {(row["kind"], row["feature"]): (row["patients"], row["icc"]) for row in rows}
    training = PATIENTS[:10]
    for kind, readings, who in (("intra", (("R2", 1), ("R2", 2)), TWICE), ("inter", (("R2", 1), ("R1", 1)), training)):
        values = np.array([[VALUES[patient, *reading] for reading in readings] for patient in who])
        expected = icc_agreement(values).value
        assert {name: found[kind, name] for name in "ab"} == {
            name: (len(who), pytest.approx(icc)) for name, icc in zip("ab", expected, strict=True)
        }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("P03,R1,1", "P03,R9,1", "reader 'R9', reading 1, is none of this patient's [[readings]]"),
        ("P09,R1,1", "P09,R2,2", "reader 'R2', reading 2, is none of this patient's [[readings]]"),
        ("P03,R1,1", "P03,R1,first", "'first' is no number of a reading"),
        ("P03,R1,1", "P03,table,1", "'table' stands for rows without a reader: rename this one"),
        ("P03,R1,1", "P03,R2,1", "'P03', R2, 1 stands here a second time"),
    ],
)
def test_a_row_of_no_listed_reading_is_a_fault(folder, old, new, message):
    """Its line is named, and nothing is written: a misspelt reader must not become a patient without values."""
    table = folder / "features.csv"
    table.write_text(table.read_text().replace(old, new))
    line = table.read_text().splitlines().index(next(each for each in table.read_text().splitlines() if new in each))
    with pytest.raises(ContractError) as refused:
        ingest(folder / "study.toml", folder / "store", workers=1)
    assert message in refused.value.message
    assert f"features.csv:{line + 1}" in str(refused.value) or "second time" in message
    assert not (folder / "store").exists()


def test_a_reading_that_a_patient_lacks_is_named(folder):
    """Without its first reading a patient is in no model's table, and `failures` says which reading is missing."""
    table = folder / "features.csv"
    kept = [line for line in table.read_text().splitlines() if not line.startswith("P04,R2,1")]
    table.write_text("\n".join(kept))
    ingest(folder / "study.toml", folder / "store", workers=1)
    snapshot = Snapshot(Store(folder / "store"))
    (failed,) = snapshot.rows("failures", study="s")
    assert (failed["patient"], failed["reader"], failed["reading"]) == ("P04", "R2", 1)
    assert failed["reason"] == "no row in features.csv by reader R2, reading 1"
    (read,) = phase_columns(snapshot, "s", "elsewhere@1", ("table",)).values()
    assert set(read["patient"]) == set(PATIENTS) - {"P04"}
