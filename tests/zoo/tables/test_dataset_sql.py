"""The SQL of a pinned dataset: asked as of its commit, it gives the rows, columns, order and bits of the file."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from store.analyst.query import answer
from store.history.snapshot import Snapshot
from zoo.staging.frame import comparator_frame
from zoo.tables.inputs import ModelInputs
from zoo.tables.pinned import pin_built_table


@pytest.fixture(scope="module")
def pinned(tables_of_12, tmp_path_factory):
    """Return a store with every kind of table pinned, by model; tests only read it."""
    written = tables_of_12.copied(tmp_path_factory.mktemp("sql"))
    snapshot, study = written.snapshot, written.study
    inputs = {model: written.inputs(model) for model in study.models}
    found = {model: (each, *pin_built_table(snapshot, study, each)) for model, each in inputs.items()}
    written.clinical("P02", afp=7777.0)  # a later correction must not reach the answers
    return written, found


def bits(frame):
    """Return a table's columns in order, numbers as the bits they are stored in, NULL as NULL."""
    plain = frame.with_columns(pl.col(pl.Float64).reinterpret(signed=False))
    return list(plain.columns), plain.rows()


def asked(written, dataset):
    """Return the answer to a dataset's SQL as of its commit."""
    return pl.DataFrame(answer(Snapshot(written.store, dataset.commit_id), dataset.sql))


@pytest.mark.parametrize("model", ["cr", "radiomics_lr", "radiomics_knn", "radiomics_svm", "rcr"])
def test_the_answer_is_the_file(pinned, model):
    """Clinical, radiomics, stable columns only, with batches, combined and imputed: the table to the last bit."""
    written, found = pinned
    _, table, dataset = found[model]
    assert dataset.sql_gives == "table"
    file = pl.DataFrame(pq.read_table(written.store.files.local(dataset.path)))
    assert bits(file) == bits(table.frame)
    assert bits(asked(written, dataset)) == bits(file)


def test_the_tables_differ_in_what_they_were_chosen_for(pinned):
    """The store has a NULL, patients left out, columns that are not stable, a phase without any, indicators."""
    _, found = pinned
    tables = {model: table for model, (_, table, _) in found.items()}
    assert tables["radiomics_lr"].frame.null_count().sum_horizontal().item() == 1
    assert tables["radiomics_lr"].excluded
    assert len(tables["radiomics_knn"].columns) == 2
    assert tables["radiomics_knn"].phases == ("AP", "DP")
    assert tables["radiomics_svm"].columns[-1] == "batch=site"
    assert "age missing" in tables["rcr"].columns
    assert set(tables["rcr"].frame["patient"]) - set(tables["cr"].frame["patient"]) == {"P12"}


def test_of_a_score_the_answer_is_what_it_was_told_from(pinned):
    """The clinical values of the SQL, through the rules of the score, give the pinned column to the last bit."""
    written, found = pinned
    inputs, table, dataset = found["nlr"]
    assert dataset.sql_gives == "inputs"
    rows = asked(written, dataset)
    judged = comparator_frame(inputs.comparator, rows.to_dicts(), variables=inputs.variables, words=inputs.words)
    again = (
        rows.select("patient", "cohort", "label")
        .unique()
        .join(judged.filter(pl.col("reason").is_null()).select("patient", nlr="score"), on="patient")
        .sort("patient")
    )
    assert bits(again) == bits(table.frame)
    assert set(rows["variable"]) == {"neutros", "lymphocytes"}


@pytest.mark.parametrize("cut", [0.1, -1e-07, 1e300, 123456789.12345679, 5e-324])
def test_a_cut_point_is_the_same_double_in_sql(pinned, cut):
    """A value at the cut point is not above it, the next double is, however the number is written."""
    written, _ = pinned
    study = written.study
    copied = written.copied(written.root.parent / f"cut {cut}")
    for number, patient in enumerate(row["patient"] for row in written.snapshot.rows("split_members")):
        copied.clinical(patient, "2020-05-02", afp=float(np.nextafter(cut, np.inf)) if number % 2 else cut)
    (rule,) = [rule for rule in study.models["cr"].factors if rule.variable == "afp"]
    inputs = ModelInputs("fixed", None, (), (rule.model_copy(update={"above": cut}),))
    table, dataset = pin_built_table(copied.snapshot, study, inputs)
    assert set(table.frame[f"afp>{cut:g}"]) == {0.0, 1.0}
    assert bits(asked(copied, dataset)) == bits(table.frame)
