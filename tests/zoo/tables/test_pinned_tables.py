"""Reading a pinned table again instead of building it: only where nothing that it holds can have changed."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert

from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetDefinition
from store.catalogue.connection import write_transaction
from store.catalogue.tables import VERSIONED, erasures
from store.commits.commit import commit_to
from store.rows import datasets
from store.times import utc_now
from zoo.tables.pinned import pin_built_table, pin_table, table_reads

MODELS = ("cr", "radiomics_lr", "radiomics_knn", "radiomics_svm", "rcr", "nlr")
PLAUSIBLE = {
    "study": "s",
    "patient": "P01",
    "split": "fixed",
    "feature_set": "quick@1",
    "cohort": "training",
    "phase": "AP",
    "kind": "intra",
    "exam": "baseline",
    "lesion": "1",
    "reader": "R1",
    "observed_at": "2020-05-20",
    "inputs": "{}",
    "summary": "{}",
    "label": 1,
    "name": "quick",
}
TYPES = {"TEXT": "x", "BIGINT": 1, "FLOAT": 0.5}


@pytest.fixture(params=MODELS)
def model(request):
    """Return each model in turn."""
    return request.param


@pytest.fixture(scope="module")
def template(tables_of_12, tmp_path_factory):
    """Return a store with a dataset of each model on record and a model that was trained from it, to be copied."""
    written = tables_of_12.copied(tmp_path_factory.mktemp("pinned"))
    for number, name in enumerate(MODELS):
        table, dataset = pin_built_table(written.snapshot, written.study, written.inputs(name))
        with commit_to(written.store, f"train {name}") as commit:
            commit.put("datasets", [vars(dataset)])
            row = {"study": "s", "model": name, "version": 1 + number, "dataset_id": dataset.dataset_id}
            commit.put("models", [row | {"summary": json.dumps({"excluded": table.excluded})}])
    written.store.engine.dispose()
    return written


@pytest.fixture
def pinned(template, tmp_path):
    """Return a store of its own with a pinned dataset of each model."""
    return template.copied(tmp_path)


def files(written):
    """Return the identity of every pinned file: a file that is rewritten has another."""
    folder = written.store.datasets
    return {name: folder.local(name).stat().st_ino for name in folder.paths()}


def read_again(written, model):
    """Return the table, the dataset and whether the pinned file was read and nothing written."""
    before = files(written)
    table, dataset = pin_table(written.snapshot, written.study, written.inputs(model))
    return table, dataset, files(written) == before


def test_where_nothing_changed_the_file_is_read(pinned, model):
    """Frame, excluded patients and the dataset's row are those of building it, and nothing is written."""
    table, dataset, was_read = read_again(pinned, model)
    assert was_read
    built, same = pin_built_table(pinned.snapshot, pinned.study, pinned.inputs(model))
    assert table.frame.equals(built.frame)
    assert table.frame.schema == built.frame.schema
    assert (table.excluded, table.feature_set) == (built.excluded, built.feature_set)
    assert dataset == same


def test_what_is_not_among_the_tables_read_does_not_matter(pinned, model):
    """With every other table of the catalogue emptied and given a row, the table built is still the pinned one."""
    inputs = pinned.inputs(model)
    _, known, _ = read_again(pinned, model)
    reads = {name for name, _ in table_reads(pinned.study, inputs, known.feature_set)}
    others = [name for name in VERSIONED if name not in reads]
    assert len(others) > 10
    rows = {name: pinned.snapshot.rows(name) for name in others}
    with commit_to(pinned.store, "everything else") as commit:
        for name in others:
            if name not in ("datasets", "models"):
                commit.remove(name, rows[name])
            columns = [c for c in VERSIONED[name].columns if c.name not in ("row_id", "added_commit", "removed_commit")]
            commit.put(name, [{c.name: PLAUSIBLE.get(c.name, TYPES[str(c.type)]) for c in columns}])
    table, dataset, was_read = read_again(pinned, model)
    assert (was_read, dataset) == (True, known)
    assert pinned.table(inputs).frame.equals(table.frame)


def a_row(written, table, column, value, **of):
    """Change one column of one row."""
    row = next(row for row in written.snapshot.rows(table, **of))
    written.put(table, [{name: row[name] for name in row if name != "added_commit"} | {column: value}])


def no_row(written, table, **of):
    """Remove one row."""
    with commit_to(written.store, "remove") as commit:
        commit.remove(table, [next(row for row in written.snapshot.rows(table, **of))])


def new_version(written):
    """Change the definition of the feature set and compute it under the next version."""
    other = FeatureSetDefinition.of_radiomics(RadiomicsSettings(families=("shape",), bin_width=5.0), {})
    written.edit('families = ["shape"]', 'families = ["shape"]\nbin_width = 5')
    keys = {(f"P{number:02}", phase, "R1"): {} for number in range(1, 13) for phase in ("AP", "DP")}
    written.features(keys, feature_set="quick@2", definition=other)
    agreed = {"study": "s", "split": "fixed", "feature_set": "quick@2", "phase": "AP", "kind": "intra", "icc": 0.9}
    written.put("stability", [agreed | {"feature": "original_shape_MeshVolume"}])


CHANGES = {
    "split": (lambda w: a_row(w, "split_members", "cohort", "validation", patient="P02"), ("cr", "radiomics_knn")),
    "member gone": (lambda w: no_row(w, "split_members", patient="P03"), ("radiomics_svm",)),
    "label": (lambda w: a_row(w, "labels", "label", 1, patient="P01"), ("nlr", "rcr")),
    "value": (lambda w: w.clinical("P03", "2020-05-01", age=30.0), ("cr", "rcr")),
    "value gone": (lambda w: no_row(w, "clinical", patient="P03", variable="neutros"), ("nlr",)),
    "batch": (lambda w: w.clinical("P03", site="A"), ("radiomics_svm",)),
    "reference date": (
        lambda w: a_row(w, "reference_dates", "reference_on", "2020-04-01", patient="P03"),
        ("cr", "nlr"),
    ),
    "window": (lambda w: a_row(w, "variables", "window_first", -3), ("rcr",)),
    "levels": (lambda w: w.edit('["A", "B", "C"]', '["C", "B", "A"]'), ("radiomics_svm",)),
    "mask": (lambda w: a_row(w, "masks", "mask_sha256", "another", patient="P03"), ("radiomics_lr", "rcr")),
    "primary": (lambda w: a_row(w, "study_masks", "is_primary", 0, patient="P03"), ("radiomics_lr", "radiomics_knn")),
    "extraction": (lambda w: no_row(w, "extractions"), ("radiomics_lr",)),
    "dictionary": (lambda w: no_row(w, "features", position=0), ("radiomics_lr", "radiomics_svm")),
    "icc": (
        lambda w: a_row(w, "stability", "icc", 0.99, feature="original_shape_MeshVolume"),
        ("radiomics_knn",),
    ),
    "new version": (new_version, ("radiomics_lr", "radiomics_knn", "radiomics_svm", "rcr")),
}


@pytest.mark.parametrize(
    ("change", "model"), [(name, model) for name, (_, models) in CHANGES.items() for model in models]
)
def test_a_change_that_concerns_the_table_reaches_it(pinned, change, model):
    """Whatever is changed, the table is the one built from the store, and not the one pinned before."""
    former, _, _ = read_again(pinned, model)
    CHANGES[change][0](pinned)
    table, _, was_read = read_again(pinned, model)
    assert not was_read
    built = pinned.table(pinned.inputs(model)).frame
    assert table.frame.equals(built)
    assert not former.frame.equals(built)


@pytest.mark.parametrize("change", ["inputs", "versions", "erasure", "damaged", "missing", "no model"])
def test_what_else_has_a_table_built_again(pinned, change, monkeypatch):
    """Other inputs, other libraries, an erasure, a spoilt file, or nobody who tells whom it lacks: it is built."""
    file = pinned.store.datasets.local(read_again(pinned, "cr")[1].path.removeprefix("datasets/"))
    whole = file.read_bytes()
    if change == "inputs":
        pinned.edit("above = 400", "above = 40")
    elif change == "versions":
        monkeypatch.setattr(datasets, "_WRITERS", ("radzoo", "pyarrow"))
    elif change == "erasure":
        with write_transaction(pinned.store.engine) as connection:
            row = {"erasure_id": "e", "author": "a", "erased_at": utc_now(), "receipt": "{}"}
            connection.execute(insert(erasures).values(row))
    elif change == "damaged":
        file.write_bytes(whole[:-7])
    elif change == "missing":
        file.unlink()
    else:
        no_row(pinned, "models", model="cr")
    table, _, was_read = read_again(pinned, "cr")
    assert not was_read
    assert table.frame.equals(pinned.table(pinned.inputs("cr")).frame)
    assert file.read_bytes() == whole
