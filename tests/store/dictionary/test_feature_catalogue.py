"""Feature sets and their dictionary: found by name or word, described, compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.store import COLUMNS, MASK_KEYS, put_features, put_segment, record_of

from schemas.errors import NotFoundError
from store.analyst.query import snapshot_connection
from store.commits.commit import commit_to
from store.dictionary.difference import feature_set_difference
from store.dictionary.feature_sets import described_column, described_feature_set, feature_set_rows, named_feature_set
from store.dictionary.search import found_features
from store.history.snapshot import Snapshot
from store.home import Store

IMAGE_TYPES = ("original", "wavelet-LLH", "wavelet-HHH")
ENTROPIES = [("glcm", "JointEntropy", "TU9B"), ("firstorder", "Entropy", "TLU2"), ("glcm", "Imc1", "R8DG")]


@pytest.fixture
def dictionary(store: Store) -> Snapshot:
    """Return a store whose two sets measure three features on three image types each."""
    with commit_to(store, "features") as commit:
        for feature_set in ("one@1", "one@2"):
            rows = [
                {
                    "feature_set": feature_set,
                    "position": position,
                    "feature": f"{image_type}_{family}_{name}",
                    "image_type": image_type,
                    "family": family,
                    "name": name,
                    "ibsi_id": ibsi_id,
                    "unit": "bit",
                    "definition": "Shares information" if name == "Imc1" else "Disorder; an entropy.",
                }
                for position, (image_type, (family, name, ibsi_id)) in enumerate(
                    (image_type, entry)
                    for image_type in ("original", "wavelet-LLH", "wavelet-HHH")
                    for entry in ENTROPIES
                )
            ]
            commit.put("features", rows)
    return Snapshot(store)


def test_a_set_is_found_by_name_as_by_version(filled: Store) -> None:
    """A bare name means the newest version."""
    with commit_to(filled, "second version") as commit:
        put_features(commit, "two-features@2")
    snapshot = Snapshot(filled)
    assert named_feature_set(snapshot, "two-features")["feature_set"] == "two-features@2"
    assert named_feature_set(snapshot, "two-features@1")["version"] == 1


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("two-features@7", "two-features@1"),
        ("two-feature", "two-features"),
        ("xyz", "radzoo features list"),
    ],
)
def test_an_unknown_set_is_answered_with_the_nearest_names(shared_store: Store, asked: str, hint: str) -> None:
    """Another version of the name, a name spelled like it, or the way to the list."""
    with pytest.raises(NotFoundError) as caught:
        named_feature_set(Snapshot(shared_store), asked)
    assert hint in str(caught.value.hint)


def test_an_empty_store_says_what_computes_features(store: Store) -> None:
    """Without any set the next step is a refresh."""
    with pytest.raises(NotFoundError, match="none has been computed") as caught:
        named_feature_set(Snapshot(store), "any")
    assert "radzoo refresh" in str(caught.value.hint)


def test_the_list_says_who_uses_a_set(shared_store: Store) -> None:
    """Extractions, studies and the commit that wrote the set stand in the list."""
    with snapshot_connection(Snapshot(shared_store)) as connection:
        (row,) = feature_set_rows(connection)
    assert (row["feature_set"], row["features"], row["extractions"]) == ("two-features@1", 2, 6)
    assert (row["studies"], row["since_commit"]) == (["er"], 2)


def test_a_name_that_is_the_word_comes_first(dictionary: Snapshot) -> None:
    """Entropy itself stands before the joint entropy; a definition without the word is not found."""
    found = found_features(dictionary, ["ENTROPY"])
    assert [(each.family, each.name) for each in found] == [("firstorder", "Entropy"), ("glcm", "JointEntropy")]


def test_a_feature_is_one_line_whatever_its_image_types(dictionary: Snapshot) -> None:
    """Three image types in two sets are one feature with six columns."""
    (found,) = found_features(dictionary, ["joint", "entropy"])
    assert found.image_types == ["original", "wavelet-LLH", "wavelet-HHH"]
    assert found.feature_sets == ["one@1", "one@2"]
    assert found.columns[0] == "one@1 original_glcm_JointEntropy"
    assert len(found.columns) == 6


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["r8dg"], ["Imc1"]),
        (["bit", "glcm"], ["Imc1", "JointEntropy"]),
        (["information"], ["Imc1"]),
        (["disorder glcm"], ["JointEntropy"]),
    ],
)
def test_every_part_of_the_dictionary_is_searched(dictionary: Snapshot, words: list[str], expected: list[str]) -> None:
    """Codes, units, families and definitions are searched, and all words must be there."""
    assert [each.name for each in found_features(dictionary, words)] == expected


def test_an_image_type_narrows_the_columns(dictionary: Snapshot) -> None:
    """A wavelet band among the words leaves only its columns."""
    (found,) = found_features(dictionary, ["wavelet-LLH", "imc1"])
    assert found.columns == ["one@1 wavelet-LLH_glcm_Imc1", "one@2 wavelet-LLH_glcm_Imc1"]


def test_a_misspelt_word_is_answered_with_one_that_is_there(dictionary: Snapshot) -> None:
    """The hint is a search that finds something."""
    with pytest.raises(NotFoundError) as caught:
        found_features(dictionary, ["entrpy"])
    assert caught.value.hint == "radzoo features search entropy"


def test_a_set_is_described_from_its_definition_and_its_rows(shared_store: Store) -> None:
    """Grey levels are taken over extractions, failures are counted with their reason."""
    with snapshot_connection(Snapshot(shared_store)) as connection:
        found = described_feature_set(connection, "two-features@1")
    assert found.image_types == ["original", "wavelet-LLH"]
    assert [(row["image_type"], row["masks"], row["fewest"], row["most"]) for row in found.grey_levels] == [
        ("wavelet-LLH", 6, 41, 41),
        ("original", 6, 60, 60),
    ]
    assert [(row["reason"], row["masks"]) for row in found.failures] == [("one grey level", 1)]
    assert [row["phase"] for row in found.coverage] == ["AP", "PVP"]


def test_a_set_without_rows_has_no_grey_levels(filled: Store) -> None:
    """A set that nothing has been computed of is described all the same."""
    with commit_to(filled, "another set") as commit:
        put_features(commit, "other@1")
    with snapshot_connection(Snapshot(filled)) as connection:
        found = described_feature_set(connection, "other@1")
        column = described_column(connection, "other@1", COLUMNS[0])
    assert (found.grey_levels, found.coverage, column.distribution) == ([], [], [])


def test_a_columns_distribution_is_that_of_its_values(shared_store: Store) -> None:
    """Per phase: the means 0, 2, 4 and 1, 3, 5 with their quantiles; a NULL is counted and not averaged."""
    with snapshot_connection(Snapshot(shared_store)) as connection:
        mean = described_column(connection, "two-features@1", COLUMNS[0])
        idm = described_column(connection, "two-features@1", COLUMNS[1])
    for row, values in zip(mean.distribution, ([0, 2, 4], [1, 3, 5]), strict=True):
        assert (row["masks"], row["nulls"]) == (3, 0)
        names = ("minimum", "q05", "q25", "median", "q75", "q95", "maximum")
        assert [row[name] for name in names] == pytest.approx(
            list(np.quantile(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]))
        )
    assert [(row["masks"], row["nulls"]) for row in idm.distribution] == [(3, 0), (3, 1)]
    assert [(row["kind"], row["icc"]) for row in mean.stability] == [("intra", 0.95)]
    assert idm.stability == []


def test_an_unknown_column_is_answered_with_the_nearest(shared_store: Store) -> None:
    """The hint names columns that are spelled like it."""
    with (
        snapshot_connection(Snapshot(shared_store)) as connection,
        pytest.raises(NotFoundError, match="no column") as caught,
    ):
        described_column(connection, "two-features@1", "wavelet-LLH_glcm_Idmn")
    assert COLUMNS[1] in str(caught.value.hint)


def test_two_sets_are_compared_column_by_column(filled: Store) -> None:
    """Settings, columns and values: what changed, what is new, how far the shared columns lie apart."""
    snapshot = Snapshot(filled)
    row = snapshot.row("feature_sets", feature_set="two-features@1")
    del row["added_commit"]
    old = '{"settings":{"bin_width":5,"sigma":[3,5],"same":true},"libraries":{"numpy":"1"},"columns":["a"]}'
    new = '{"settings":{"bin_width":10,"sigma":[3],"same":true},"libraries":{"numpy":"2"},"columns":["b"]}'
    second = (COLUMNS[0], "original_glcm_Extra")
    records = []
    for number, key in enumerate(MASK_KEYS):
        values = {second[0]: number * 1.05, second[1]: 1.0}
        records.append(replace(record_of(key), extraction_id=f"second {number}", values=values))
    with commit_to(filled, "second version") as commit:
        put_features(commit, "two-features@2", second)
        put_segment(filled, commit, records, "two-features@2", second)
        commit.put(
            "feature_sets",
            [row | {"definition": old}, row | {"feature_set": "two-features@2", "version": 2, "definition": new}],
        )
    with snapshot_connection(Snapshot(filled)) as connection:
        found = feature_set_difference(connection, "two-features@1", "two-features@2")
    assert {(r["kind"], r["key"]): (r["before"], r["after"]) for r in found.changes} == {
        ("setting", "bin_width"): ("5", "10"),
        ("setting", "sigma[1]"): ("5", None),
        ("library", "numpy"): ('"1"', '"2"'),
    }
    assert (found.columns_added, found.columns_removed) == (["original_glcm_Extra"], [COLUMNS[1]])
    assert (found.shared_columns, found.masks) == (1, 6)
    assert {name: count for name, count in found.classes.items() if count} == {"up to 10 %": 1}
    (column,) = found.columns
    # 5 % more, over the larger of the two; the first mask's mean is 0 in both.
    assert column.largest == pytest.approx(0.05 / 1.05)
