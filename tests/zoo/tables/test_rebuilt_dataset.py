"""Datasets made again as of their commits: the same bytes whatever came later, and what differs if any does."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives.unpacking import ARCHIVES, unpack

from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetDefinition
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.files import file_sha256
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.tables.inputs import ModelInputs
from zoo.tables.pinned import known_dataset, pin_built_table
from zoo.tables.rebuilt import rebuild_dataset, rebuilt_sql, table_difference

MODELS = ("cr", "radiomics_lr", "radiomics_knn", "radiomics_svm", "rcr", "nlr")


@pytest.fixture
def pinned(tables_of_12, tmp_path):
    """Return a store with a dataset of each model on record, and their rows by model."""
    written = tables_of_12.copied(tmp_path)
    study = written.study
    found = {model: pin_built_table(written.snapshot, study, written.inputs(model))[1] for model in MODELS}
    written.put("datasets", [vars(each) for each in found.values()])
    return written, found


def changed(written):
    """Correct a clinical value, compute a new version of the features under the same name, agree on other columns."""
    written.clinical("P03", "2020-05-01", afp=1e6, age=99.0)
    written.clinical("P12", "2020-05-02", age=50.0)
    other = FeatureSetDefinition.of_radiomics(RadiomicsSettings(families=("shape",), bin_width=5.0), {})
    rows = {(f"P{number:02}", phase, "R1"): {} for number in range(1, 13) for phase in ("AP", "DP")}
    written.edit('families = ["shape"]', 'families = ["shape"]\nbin_width = 5')
    written.put_study()
    written.features(rows, feature_set="quick@2", definition=other)
    of = {"study": "s", "split": "fixed", "phase": "AP", "kind": "intra", "patients": 6}
    stable = {"feature": "original_shape_MeshVolume", "icc": 0.99}
    written.put("stability", [of | stable | {"feature_set": version} for version in ("quick@1", "quick@2")])


@pytest.mark.parametrize("model", MODELS)
def test_a_dataset_is_the_same_bytes_after_everything_changed(pinned, model):
    """After a correction, a new feature version under the name and other ICCs, file and SQL stay as they were."""
    written, found = pinned
    dataset = found[model]
    before = answer(Snapshot(written.store, dataset.commit_id), dataset.sql)
    changed(written)
    rebuilt = rebuild_dataset(written.store, dataset)
    assert (rebuilt.verdict, rebuilt.rebuilt_sha256, rebuilt.file) == ("identical", dataset.sha256, "intact")
    assert answer(Snapshot(written.store, dataset.commit_id), dataset.sql).equals(before)
    study = written.study
    now, _ = pin_built_table(written.snapshot, study, written.inputs(model))
    if model != "nlr":  # the one table of which nothing was changed
        assert not now.frame.equals(pl.DataFrame(pq.read_table(written.store.files.local(dataset.path))))


@pytest.mark.parametrize("model", ["radiomics_lr", "rcr"])
def test_a_table_of_lacking_phases_is_made_again(tables_of_12, tmp_path, model):
    """P11, who lacks DP, is in the table, in its SQL's answer, and in the file that is made again."""
    written = tables_of_12.copied(tmp_path)
    written.edit(f"[models.{model}]", f'[models.{model}]\nmissing_phases = "impute"')
    written.put_study()
    table, dataset = pin_built_table(written.snapshot, written.study, written.inputs(model))
    written.put("datasets", [vars(dataset)])
    assert table.frame.filter(pl.col("DP__phase_missing") == 1)["patient"].to_list() == ["P11"]
    assert ModelInputs.from_dict(written.inputs(model).as_dict()).missing_phases == "impute"
    told = pl.DataFrame(answer(Snapshot(written.store, dataset.commit_id), dataset.sql))
    assert told.equals(table.frame)
    rebuilt = rebuild_dataset(written.store, dataset)
    assert (rebuilt.verdict, rebuilt.file) == ("identical", "intact")


def test_inputs_come_back_as_they_were_written(pinned):
    """What a dataset's row tells of its inputs is what they were, for every kind of model and the switch of BCLC."""
    written, _ = pinned
    written.edit("[models.nlr]", "[models.bclc]\nsingle_over_5cm_is_b = true\n\n[models.cnlc]\n\n[models.nlr]")
    written.edit("minimum_icc = 0.9", 'minimum_icc = 0.9\nicc_bound = "lower"')
    for model in written.study.models:
        inputs = written.inputs(model)
        again = ModelInputs.from_dict(inputs.as_dict())
        assert again.as_dict() == inputs.as_dict()
        named = replace(inputs, factors=tuple(r.model_copy(update={"name": r.label}) for r in inputs.factors))
        if model != "bclc":
            assert again == named
    switched = written.inputs("bclc")
    assert ModelInputs.from_dict(switched.as_dict()).comparator.assumptions == switched.comparator.assumptions
    former = {name: value for name, value in switched.as_dict().items() if name != "single_over_5cm_is_b"}
    assert ModelInputs.from_dict(former, written.study).comparator.assumptions == switched.comparator.assumptions
    assert ModelInputs.from_dict(former).comparator.assumptions != switched.comparator.assumptions


def with_another_file(written, dataset, table, **options):
    """Put a table on record as if it were the dataset's, and return the dataset."""
    file = written.store.files.local(dataset.path)
    pq.write_table(table, file, **options)
    return replace(dataset, sha256=file_sha256(file))


def test_other_bytes_with_the_same_values_are_told_apart(pinned):
    """A file that another writer wrote holds the same values: it is equal, and the writer is not blamed wrongly."""
    written, found = pinned
    table = pq.read_table(written.store.files.local(found["cr"].path))
    dataset = with_another_file(written, found["cr"], table, compression="snappy")
    rebuilt = rebuild_dataset(written.store, dataset)
    assert (rebuilt.verdict, rebuilt.holds) == ("equal", True)
    assert "the same releases" in rebuilt.reason
    older = replace(dataset, versions='{"polars":"0.1","pyarrow":"26.0.1"}')
    assert "polars 0.1, now" in rebuild_dataset(written.store, older).reason


def test_what_differs_is_named(pinned):
    """A cell, a column, a patient that the store does not give are each found where they are."""
    written, found = pinned
    frame = pl.DataFrame(pq.read_table(written.store.files.local(found["cr"].path)))
    other = frame.with_columns(age=pl.when(pl.col("patient") == "P05").then(1.0).otherwise(pl.col("age")))
    other = other.filter(pl.col("patient") != "P07").rename({"sex=male": "sex=female"})
    rebuilt = rebuild_dataset(written.store, with_another_file(written, found["cr"], other.to_arrow()))
    difference = rebuilt.difference
    assert (rebuilt.verdict, rebuilt.holds) == ("different", False)
    assert (difference.columns_lost, difference.columns_new) == (("sex=female",), ("sex=male",))
    assert (difference.patients_lost, difference.patients_new) == ((), ("P07",))
    assert difference.cells == 1
    (cell,) = difference.first_cells
    age = frame.filter(pl.col("patient") == "P05")["age"].item()
    assert (cell.patient, cell.column, cell.pinned, cell.rebuilt) == ("P05", "age", 1.0, age)


@pytest.mark.parametrize(
    ("before", "after", "cells"),
    [
        ([0.0, None], [-0.0, None], 1),
        ([0.0, None], [0.0, 0.0], 1),
        ([float("nan"), 1.0], [float("nan"), 1.0], 0),
        ([5e-324, 1.0], [0.0, 1.0], 1),
    ],
    ids=["sign of zero", "null is not zero", "nan is nan", "the least double"],
)
def test_cells_are_compared_by_their_bits(before, after, cells):
    """Two numbers are the same where their bits are."""
    tables = [pa.table({"patient": ["a", "b"], "x": pa.array(values, pa.float64())}) for values in (before, after)]
    assert table_difference(*tables).cells == cells


def test_order_and_types_are_part_of_a_table():
    """Rows or columns in another order, or a column of another type, are differences without a cell."""
    table = pa.table({"patient": ["a", "b"], "x": [1.0, 2.0], "y": [1, 2]})
    assert table_difference(table, table.take([1, 0])).is_reordered
    assert table_difference(table, table.select(["patient", "y", "x"])).columns_changed == ("patient", "x", "y")
    narrow = table.set_column(2, "y", pa.array([1, 2], pa.int32()))
    assert table_difference(table, narrow).columns_changed == ("y",)
    assert not table_difference(table, table).any


def test_a_missing_or_damaged_file_is_put_back(pinned):
    """Where the table made again has just the pinned bytes, it becomes the file again."""
    written, found = pinned
    file = written.store.files.local(found["cr"].path)
    whole = file.read_bytes()
    for spoil in (file.unlink, lambda: file.write_bytes(whole[:-9])):
        spoil()
        rebuilt = rebuild_dataset(written.store, found["cr"])
        assert (rebuilt.verdict, rebuilt.file) == ("identical", "put back")
        assert file.read_bytes() == whole
    file.unlink()
    with commit_to(written.store, "gone") as commit:
        commit.remove("segments", written.snapshot.rows("segments"))
    other = replace(found["cr"], sha256="0" * 64)
    lost = rebuild_dataset(written.store, other)
    assert (lost.verdict, lost.file, lost.holds) == ("failed", "missing", False)
    assert not file.exists()


def test_what_cannot_be_made_again_says_why(pinned):
    """A dataset of a study that the store did not have at the commit fails with the reason."""
    written, found = pinned
    rebuilt = rebuild_dataset(written.store, replace(found["cr"], commit_id=1))
    assert rebuilt.verdict == "failed"
    assert "no study" in rebuilt.reason


def test_a_dataset_of_a_release_that_wrote_no_sql_gets_it(pinned):
    """SQL that the catalogue lacks is worked out from the store as of the commit, not as of now."""
    written, found = pinned
    rows = {row["dataset_id"]: known_dataset(row) for row in written.snapshot.rows("datasets")}
    changed(written)
    for dataset in found.values():
        former = replace(rows[dataset.dataset_id], sql=None, sql_gives=None, feature_set=None, versions=None)
        assert rebuilt_sql(written.store, former) == (dataset.sql, dataset.sql_gives)


def test_the_datasets_of_the_first_release_are_made_again(tmp_path):
    """A store that the first release wrote, and in which a value was corrected later, still gives its datasets."""
    unpack(ARCHIVES["format_1"], tmp_path)
    store = Store(tmp_path / "store")
    rows = Snapshot(store).rows("datasets")
    assert [row["sql"] for row in rows] == [None] * 8
    for row in rows:
        # Equal and not identical once another release of pyarrow writes other bytes.
        assert rebuild_dataset(store, known_dataset(row)).verdict in ("identical", "equal")
    clinical = next(row for row in rows if '"name":"age"' in row["inputs"])
    query, gives = rebuilt_sql(store, known_dataset(clinical))
    given = answer(Snapshot(store, clinical["commit_id"]), query)
    pinned = pq.read_table(store.files.local(clinical["path"]))
    assert gives == "table"
    assert given.cast(pinned.schema).equals(pinned)
