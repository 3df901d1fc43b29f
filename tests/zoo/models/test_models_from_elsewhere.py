"""Models from elsewhere: what was altered is refused, and nothing of it harms this process."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from schemas.documents.model_record import ModelManifest
from schemas.documents.strict_json import strict_json
from schemas.errors import ContractError
from store.history.snapshot import Snapshot
from store.home import Store
from tests.attacks.models import attack, hand_made, mutants, small_models
from zoo.models.answers import Question, model_answers
from zoo.models.saved import exported_model
from zoo.saving.files import MANIFEST, model_files
from zoo.saving.persist import loaded_files

_BY_HAND = (
    *(
        "threshold nan",
        "threshold NaN",
        "threshold 1.5",
        "threshold twice",
        "mark set to null",
        "a file's hash changed",
    ),
    *("model.json a pipe", "card.md a link", "estimator.skops a folder", "a file more: 'more.py'", "20,000 members"),
    *("compressed", "node of os.system", "node of text of files", "contains itself", "StandardScaler.scale_ nan"),
    *("LogisticRegression.coef_ inf", "left_children 0", "left_children 1000000", "cut off", "split_conditions nan"),
    *("array {'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}", "coefficients 0"),
)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a small exported logistic regression and boosted trees."""
    return small_models(tmp_path_factory.mktemp("models"), ("radiomics_lr", "radiomics_xgb", "cr"))


def test_altered_models_are_refused_or_say_the_same(models, tmp_path):
    """Of damaged and forged folders, drawn and by hand, none ends in a traceback, a hang or another probability."""
    by_hand = [case for case in hand_made(models) if case[1].partition(": ")[2] in _BY_HAND]
    assert len(by_hand) >= 15
    lines = []
    outcomes = attack([*by_hand, *mutants(models, 7, 25)], tmp_path, say=lines.append)
    assert not lines
    assert outcomes["refused"] + outcomes["refused, its process ended"] >= len(by_hand)
    assert set(outcomes) <= {"refused", "refused, its process ended", "accepted, equal"}


def test_a_model_says_of_its_examples_what_it_said(models):
    """An estimator that was changed since, however its file was hashed, is refused at the first question."""
    model = models[0]
    saved = exported_model(Snapshot(Store(model.folder.parent / "store", create=True)), model.folder)
    estimator = loaded_files(model_files(model.folder, beside=(MANIFEST,)), model.folder).estimator
    question = Question(model.patients, saved.references, False, saved.examples)
    np.testing.assert_array_equal(model_answers(estimator, question).probabilities, model.expected)
    line = estimator.estimator_[-1]
    line.intercept_ = line.intercept_ + 1e-4
    with pytest.raises(ContractError, match="of known example 1, and said"):
        model_answers(estimator, question)
    line.intercept_ = np.array([np.nan])
    with pytest.raises(ContractError, match=r"known example|no probabilities"):
        model_answers(estimator, question)
    with pytest.raises(ContractError, match="no probabilities"):
        model_answers(estimator, Question(model.patients, saved.references, False))


def test_no_made_up_patient_is_a_real_one(models):
    """The examples in a record hold no value of a training patient."""
    for model in models:
        record = json.loads((model.folder / "model.json").read_text())
        examples = record["metadata"]["examples"]
        for name, values in zip(examples["columns"], zip(*examples["rows"], strict=True), strict=True):
            known = set(model.patients[name].to_list())
            assert known <= {0.0, 1.0} or not known & set(values)


def test_a_manifest_of_an_older_release_is_read_with_a_warning(models, tmp_path):
    """Without a hash of its own nobody can tell whether a mark was taken out: that is said, and the model applied."""
    folder = tmp_path / "out"
    folder.mkdir()
    for name, content in model_files(models[2].folder, beside=(MANIFEST,)).items():
        (folder / name).write_bytes(content)
    manifest = json.loads((models[2].folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({"sha256": manifest["sha256"], "version": 1, "mark": None}))
    saved = exported_model(Snapshot(Store(tmp_path / "store", create=True)), folder)
    assert saved.warnings == (
        "the manifest of cr@1 is of an older release: nothing tells whether its mark was taken out",
    )
    assert ModelManifest.model_validate(manifest).is_whole
    assert not ModelManifest.model_validate(manifest | {"mark": None}).is_whole


def test_a_models_file_is_read_once_and_never_waited_for(tmp_path):
    """A pipe, a link and a folder in the place of a file are named, and so is a file that is too large."""
    os.mkfifo(tmp_path / "model.json")
    with pytest.raises(ContractError, match="a link, a pipe, a folder or a device"):
        model_files(tmp_path)
    (tmp_path / "model.json").unlink()
    with (tmp_path / "model.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ContractError, match="1099511627776 bytes"):
        model_files(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a": 1, "a": 2}', "the key 'a' stands in it twice"),
        (b"[NaN]", "NaN is no JSON number"),
        (b"[1e999]", "a number in it is infinite"),
        (b"[" + b"9" * 30 + b"]", "30 digits"),
        (b"[" * 100 + b"]" * 100, "nested more than 64 deep"),
        (b"[" * 100_000, "nested more than 64 deep"),
        (b"[" + b"[]," * 1_000_000 + b"1]", "more than 1000000 lists"),
        (b'"\\ud800"', "characters that UTF-8 does not have"),
        ('{"a": 1}'.encode("utf-16"), "characters that UTF-8 does not have"),
    ],
)
def test_json_that_says_more_than_one_thing(text, reason):
    """Twice the same key, no number, and what takes more memory than it says are refused."""
    with pytest.raises(ValueError, match=reason):
        strict_json(text)
    assert strict_json(b'{"a": [1, 2.5, null, "\\u00e9"]}') == {"a": [1, 2.5, None, "é"]}
