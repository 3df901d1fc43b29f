"""The views that analysts count on: columns, comments, and rows on empty and filled stores."""

from __future__ import annotations

import math
import re
import struct

import pytest
from builders.store import MASK_KEYS, key_of, put_features, put_segment, record_of
from sqlalchemy import select
from strategies import AWKWARD_COLUMNS, AWKWARD_FLOATS

from schemas.errors import ContractError, NotFoundError
from schemas.keys import RESERVED_VIEWS, MaskKey
from store.analyst.query import answer, snapshot_connection
from store.analyst.view_parts import fixed_views, quoted_text
from store.catalogue.connection import read_transaction
from store.catalogue.tables import VERSIONED
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.segments import write_segment
from store.rows.staging import ExtractionRecord

DOCUMENTED = {view.name: view for view in fixed_views()}
KEY = ("patient", "exam", "phase", "lesion", "reader", "reading")

# What the design promises (section 7); views may have more columns, but for the two that are given exactly.
PROMISED = {
    "studies": ("study",),
    "patients": ("patient", "study"),
    "exams": ("patient", "exam"),
    "scans": ("patient", "exam", "phase"),
    "masks": KEY,
    "clinical": ("patient", "variable", "value", "unit", "observed_at", "recorded_at"),
    "labels": ("study", "patient", "label"),
    "feature_sets": ("feature_set", "name", "version"),
    "features": ("feature_set", "name", "family", "image_type", "feature", "ibsi_id", "unit", "definition"),
    "radiomics_long": ("feature_set", *KEY, "feature", "value"),
    "embeddings": ("feature_set", "patient", "embedding"),
    "stability": ("study", "feature_set", "phase", "feature", "kind", "icc"),
    "failures": ("stage", "study", *KEY, "feature_set", "feature", "reason"),
    "splits": ("study", "split", "patient", "cohort"),
    "datasets": ("dataset_id", "study", "split", "commit_id", "sha256"),
    "models": ("study", "model", "version", "dataset_id"),
    "predictions": ("model", "patient", "cohort", "fold", "probability", "label"),
    "effects": ("study", "model", "version", "step", "factor", "odds_ratio", "lower", "upper", "p", "method"),
    "attention": (
        *("study", "model", "version", "patient", "phase", "energy_inside", "energy_margin"),
        *("insertion_auc", "deletion_auc"),
    ),
    "event_rates": ("study", "split", "cohort", "censored", "complete_case_rate", "rate", "lower", "upper"),
    "exclusions": ("study", "patient", "position", "criterion"),
    "expectations": ("study", "expectation", "policy", "status", "broken_rows", "detail", "question", "since_commit"),
    "flow": ("study", "position", "criterion", "kind", "before", "excluded", "left"),
    "acquisitions": ("patient", "exam", "phase", "manufacturer", "field_strength_t", "seconds_after_contrast"),
    "findings": ("study", "patient", "variable", "reader", "value", "level", "unit"),
    "agreement": (
        *("study", "variable", "reader_a", "reader_b", "weighting", "patients", "agreement"),
        *("kappa", "standard_error", "lower", "upper"),
    ),
    "performance": ("study", "suite", "model", "cohort", "figure", "value", "lower", "upper", "reason"),
    "optimism": (
        *("study", "model", "version", "figure", "n", "events", "apparent", "optimism", "corrected"),
        *("left_out", "monte_carlo_error", "resamples", "with_figure", "unfit", "drawn_again", "reason"),
    ),
    "weighted_performance": (
        *("study", "suite", "model", "cohort", "n", "events", "censored_before_horizon", "lowest_g"),
        *("auc", "auc_lo", "auc_hi", "complete_case_auc", "brier", "complete_case_brier", "reason"),
    ),
    "subgroups": ("study", "suite", "model", "cohort", "variable", "level", "n", "events", "auc", "auc_lo", "auc_hi"),
    "table_one": ("study", "split", "cohort", "variable", "level", "count_events", "mean_events", "test", "p"),
    "quality": (*KEY, "lesion_voxels", "volume_mm3", "spacing_mm", "components", "flags"),
    "runs": ("run_id", "flow", "status"),
    "commits": ("commit_id", "author", "message", "run_id"),
    "cohort": ("study", "patient", "label", "outcome", "reference_on", "first_exam_on", "cohorts"),
    "duplicates": ("content", "sha256", "across", "patient", "exam", "phase"),
    "dictionary": ("feature", "family", "ibsi_code", "unit", "definition"),
    "commit_changes": ("commit_id", "table_name", "added", "changed", "removed"),
    "radiomics_primary": ("feature_set", *KEY, "feature", "value"),
    "coverage": ("study", "feature_set", "phase", "patients", "masks", "extractions", "missing", "failed"),
    "lineage": (
        *("study", "model", "version", "dataset_id", "commit_id", "feature_set"),
        *("phases", "patients", "images", "segments"),
    ),
}
EXACT = {
    "leaderboard": (
        *(
            "study",
            "suite",
            "model",
            "cohort",
            "n",
            "events",
            "auc",
            "auc_lo",
            "auc_hi",
            "auc_delong_lo",
            "auc_delong_hi",
        ),
        *("threshold", "accuracy", "sensitivity", "sensitivity_lo", "sensitivity_hi"),
        *("specificity", "specificity_lo", "specificity_hi", "ppv", "npv", "brier"),
        *("calibration_slope", "calibration_intercept", "is_stale"),
    ),
    "comparisons": ("study", "suite", "cohort", "model_a", "model_b", "kind", "statistic", "p", "p_holm"),
}
FIXED = sorted(RESERVED_VIEWS)


def rows(store, query: str, as_of: int | None = None) -> list[dict]:
    """Return the answer to a query as mappings."""
    return answer(Snapshot(store, as_of), query).to_pylist()


def columns_of_views(store) -> dict[str, list[str]]:
    """Return every view's columns in order."""
    found: dict[str, list[str]] = {}
    query = (
        "select table_name, column_name from duckdb_columns() where schema_name = 'main' and not internal "
        "order by column_index"
    )
    with snapshot_connection(Snapshot(store)) as connection:
        for view, column in connection.sql(query).fetchall():
            found.setdefault(view, []).append(column)
    return found


@pytest.fixture(scope="module")
def columns(shared_store) -> dict[str, list[str]]:
    """Return the columns of the filled store's views."""
    return columns_of_views(shared_store)


@pytest.fixture(scope="module")
def columns_before(tmp_path_factory) -> dict[str, list[str]]:
    """Return the columns of an empty store's views."""
    return columns_of_views(Store(tmp_path_factory.mktemp("empty"), create=True))


def test_the_fixed_views_are_those_reserved(store):
    """The views of an empty store are the ones whose names no feature set may take, and those of the design."""
    views = [row["view_name"] for row in rows(store, "select view_name from duckdb_views() where not internal")]
    assert sorted(views) == FIXED
    assert {*PROMISED, *EXACT} <= RESERVED_VIEWS


@pytest.mark.parametrize("view", DOCUMENTED)
def test_only_columns_that_exist_are_documented(columns, view):
    """Each column that a view's file describes is one of the view, and every view says what it holds."""
    assert DOCUMENTED[view].description.endswith(".")
    assert set(DOCUMENTED[view].columns) <= set(columns[view])
    assert all(DOCUMENTED[view].columns.values())


def test_descriptions_arrive_as_comments(shared_store):
    """What the files describe is what a client is shown, view by view and column by column."""
    found = rows(shared_store, "select view_name, comment from duckdb_views() where not internal")
    comments = {row["view_name"]: row["comment"] for row in found}
    assert {name: comments[name] for name in DOCUMENTED} == {
        name: view.description for name, view in DOCUMENTED.items()
    }
    assert all(comments.values())
    described = rows(
        shared_store, "select table_name, column_name, comment from duckdb_columns() where comment is not null"
    )
    of_columns = {(row["table_name"], row["column_name"]): row["comment"] for row in described}
    for name, view in DOCUMENTED.items():
        for column, text in view.columns.items():
            assert of_columns[name, column] == text


@pytest.mark.parametrize("view", PROMISED)
def test_promised_columns(columns, columns_before, view):
    """A view has the promised columns, the same on an empty store as on a filled one."""
    assert set(PROMISED[view]) <= set(columns[view])
    assert columns_before[view] == columns[view]


@pytest.mark.parametrize("view", EXACT)
def test_exact_columns(columns, columns_before, view):
    """The leaderboard and the comparisons have exactly the promised columns, in their order."""
    assert tuple(columns[view]) == tuple(columns_before[view]) == EXACT[view]


def test_every_view_is_empty_on_an_empty_store(store):
    """All views can be asked before anything is ingested."""
    sizes = rows(store, " union all ".join(f"select '{view}' as v, count(*) as n from {view}" for view in FIXED))
    assert {row["v"]: row["n"] for row in sizes} == dict.fromkeys(FIXED, 0)


def test_every_view_shows_the_filled_store(shared_store):
    """On the small study each view has the rows that were written."""
    expected = dict.fromkeys(FIXED, 1) | {
        **dict.fromkeys(("patients", "exams", "labels", "splits", "commits", "runs"), 3),
        **dict.fromkeys(("scans", "masks", "study_masks", "quality"), 6),
        **dict.fromkeys(("clinical", "clinical_at_reference"), 2),
        "features": 2,
        "coverage": 2,
        **dict.fromkeys(("radiomics_long", "radiomics_primary"), 12),
        "cohort": 3,
        "dictionary": 2,
        "duplicates": 6,
        "commit_changes": len(rows(shared_store, "from catalogue.commit_changes")),
        "embeddings": 0,
        "agreement": 0,
        "event_rates": 0,
        "erasures": 0,
        "optimism": 0,
        "performance": 17,
        "region_arrays": 0,
        "regions": 0,
        "weighted_performance": 0,
    }
    sizes = rows(shared_store, " union all ".join(f"select '{view}' as v, count(*) as n from {view}" for view in FIXED))
    assert {row["v"]: row["n"] for row in sizes} == expected


def test_counts_of_a_study(shared_store):
    """A study shows its patients, those with a label, and those with label 1."""
    (row,) = rows(shared_store, "select study, patients, labelled, events, since_commit from studies")
    assert row == {"study": "er", "patients": 3, "labelled": 2, "events": 1, "since_commit": 1}


def test_a_study_without_patients_has_none(store):
    """Counts of a study that has no labels are 0 and unknown, never those of another study."""
    with commit_to(store, "two studies") as commit:
        commit.put("studies", [{"study": "a"}, {"study": "b"}])
        commit.put("study_patients", [{"study": "b", "patient": "p"}])
        commit.put("labels", [{"study": "b", "patient": "p", "label": 1}])
    found = rows(store, "select study, patients, labelled, events from studies order by study")
    assert [tuple(row.values()) for row in found] == [("a", 0, 0, None), ("b", 1, 1, 1)]


def test_flags_are_true_or_false(shared_store):
    """What the catalogue keeps as 0 and 1 is shown as false and true."""
    assert [row["is_primary"] for row in rows(shared_store, "from study_masks")] == [True] * 6
    assert [row["ibsi_compliant"] for row in rows(shared_store, "from features")] == [True, False]


def test_labels_carry_their_outcome(shared_store):
    """A label stands beside the event and time it came from."""
    (row,) = rows(shared_store, "from labels where patient = 'p1'")
    assert (row["event"], row["time"], row["time_unit"], row["label"]) == (1, 20.0, "mo", 1)


def test_the_wide_view(shared_store, columns):
    """A feature set has one row per mask, keys first, then its columns as the dictionary orders them."""
    expected = [
        *KEY,
        "extraction_id",
        "grey_levels",
        "zero_fraction",
        "original_firstorder_Mean",
        "wavelet-LLH_glcm_Idm",
    ]
    assert columns["two_features_v1"] == columns["two_features_primary"] == expected
    # Pinned datasets ask a version for all of its columns but a few: it gets no further one.
    assert columns["two_features"] == [*KEY, "is_primary", *expected[len(KEY) :]]
    found = rows(
        shared_store,
        'select patient, phase, original_firstorder_Mean, "wavelet-LLH_glcm_Idm" from two_features order by all',
    )
    assert [tuple(row.values()) for row in found] == [
        ("p1", "AP", 0.0, 0.25),
        ("p1", "PVP", 1.0, 0.25),
        ("p2", "AP", 2.0, 0.25),
        ("p2", "PVP", 3.0, 0.25),
        ("p3", "AP", 4.0, 0.25),
        ("p3", "PVP", 5.0, None),
    ]
    (levels,) = rows(shared_store, 'select distinct grey_levels."wavelet-LLH" as n from two_features')
    assert levels == {"n": 41}


def test_the_long_view_is_the_wide_one_turned(shared_store):
    """Every value of the wide view, NULL too, is one row of the long one."""
    long = rows(
        shared_store, "select patient, phase, feature, value from radiomics_long where feature_set = 'two-features@1'"
    )
    wide = rows(shared_store, "from two_features_v1")
    assert {(row["patient"], row["phase"], row["feature"]): row["value"] for row in long} == {
        (row["patient"], row["phase"], name): row[name]
        for row in wide
        for name in ("original_firstorder_Mean", "wavelet-LLH_glcm_Idm")
    }


def test_comments_of_a_wide_view(shared_store):
    """A feature's comment gives its unit, its IBSI code or that it has none, and what it measures."""
    query = "select column_name, comment from duckdb_columns() where table_name = '{}'"
    for view, beginning in (("two_features_v1", ""), ("two_features", "newest version: ")):
        found = {row["column_name"]: row["comment"] for row in rows(shared_store, query.format(view))}
        assert found["original_firstorder_Mean"] == "[1], IBSI Q4LE: what original_firstorder_Mean measures"
        assert found["wavelet-LLH_glcm_Idm"] == "[1], not in IBSI: what wavelet-LLH_glcm_Idm measures"
        assert all(found.values())
        (about,) = rows(shared_store, f"select comment from duckdb_views() where view_name = '{view}'")
        assert about["comment"] == f"two-features@1: {beginning}the reader's choice"


def test_a_set_without_extractions_has_its_columns(store):
    """A feature set that nothing was computed for yet has an empty view with the same columns."""
    with commit_to(store, "declare") as commit:
        put_features(commit)
    assert rows(store, "from two_features_v1") == rows(store, "from radiomics_long") == []
    assert columns_of_views(store)["two_features"][-2:] == ["original_firstorder_Mean", "wavelet-LLH_glcm_Idm"]


def test_the_newest_version_is_the_highest_number(store):
    """The view without a number shows version 10, not version 9, whichever was written last."""
    with commit_to(store, "versions") as commit:
        for version in (10, 9):
            put_features(commit, f"two-features@{version}", (f"original_firstorder_V{version}",))
    found = columns_of_views(store)
    assert found["two_features"][-1] == "original_firstorder_V10"
    assert found["two_features_v9"][-1] == "original_firstorder_V9"


def test_a_set_named_like_a_word_of_sql(store):
    """A feature set called select has a view that can be asked in quotes, and harms no other."""
    with commit_to(store, "odd name") as commit:
        put_features(commit, "select@1")
    assert rows(store, 'from "select"') == rows(store, "from select_v1") == rows(store, "from masks") == []


def test_awkward_columns_and_numbers_pass_through_the_views(store):
    """Any column name can be asked in quotes, and every number comes out with the bits it was written with."""
    values = dict(zip(AWKWARD_COLUMNS, AWKWARD_FLOATS, strict=False))
    key = key_of("p")
    known = record_of(key)
    record = ExtractionRecord(
        known.extraction_id, key, known.image_sha256, known.mask_sha256, values, details=known.details
    )
    with commit_to(store, "awkward") as commit:
        put_features(commit, "awkward@1", AWKWARD_COLUMNS)
        put_segment(store, commit, [record], "awkward@1", AWKWARD_COLUMNS)
    (row,) = rows(store, "from awkward")
    for column, value in values.items():
        assert struct.pack("<d", row[column]) == struct.pack("<d", value)
        (one,) = rows(store, f'select "{column}" as v from awkward_v1')
        assert one["v"] == value
    assert {row["feature"] for row in rows(store, "from radiomics_long")} == set(AWKWARD_COLUMNS)
    assert math.copysign(1, row["Mixed-CASE_name_y"]) == -1


def test_segments_add_up(filled):
    """A second segment adds its rows to the view; as of the commit before they are not there."""
    key = key_of("p4")
    with commit_to(filled, "one more") as commit:
        put_segment(filled, commit, [record_of(key, mean=9.0)])
    assert len(rows(filled, "from two_features")) == 7
    assert len(rows(filled, "from two_features", as_of=3)) == 6
    assert len(rows(filled, "from two_features", as_of=2)) == 6
    with pytest.raises(NotFoundError, match="two_features does not exist"):
        rows(filled, "from two_features", as_of=1)


def test_an_extraction_that_two_runs_computed_counts_once(filled):
    """Where two refreshes at once both wrote an extraction, the one that the catalogue names is shown, once."""
    key = key_of("p1")
    extra = key_of("p4")
    with commit_to(filled, "again") as commit:
        put_segment(filled, commit, [record_of(each, mean=0.0) for each in (key, extra)])
    assert len(rows(filled, "from two_features")) == 7
    assert len(rows(filled, "from two_features where patient = 'p1' and phase = 'AP'")) == 1
    assert len(rows(filled, "from radiomics_long")) == 14


def test_one_content_under_two_keys_is_two_rows(filled):
    """The same image and mask under another reading is shown under both, though it was computed once."""
    key = key_of("p1")
    (mask,) = Snapshot(filled).rows("masks", patient="p1", phase="AP")
    del mask["added_commit"]
    with commit_to(filled, "second reading") as commit:
        commit.put("masks", [mask | {"reading": 2}])
    found = rows(
        filled, "select reading, extraction_id from two_features where patient = 'p1' and phase = 'AP' order by 1"
    )
    assert [row["reading"] for row in found] == [1, 2]
    assert {row["extraction_id"] for row in found} == {record_of(key).extraction_id}


def test_a_mask_that_changed_has_no_features_until_they_are_computed(filled):
    """Values belong to contents: a redrawn mask does not show those of the old one, which its own commit still does."""
    (mask,) = Snapshot(filled).rows("masks", patient="p1", phase="AP")
    del mask["added_commit"]
    with commit_to(filled, "redrawn") as commit:
        commit.put("masks", [mask | {"mask_sha256": "f" * 64}])
    assert len(rows(filled, "from two_features where patient = 'p1'")) == 1
    assert len(rows(filled, "from two_features where patient = 'p1'", as_of=3)) == 2


def test_a_missing_segment_is_told(filled):
    """Where a segment was deleted by hand its set's views say which file is missing, exit code 4; others answer."""
    (segment,) = Snapshot(filled).rows("segments")
    (filled.segments.local_root / segment["path"]).unlink()
    for query in ("from two_features", "select count(*) from radiomics_long", "show all tables"):
        with pytest.raises(ContractError, match=segment["segment_id"]) as caught:
            rows(filled, query)
        assert caught.value.exit_code == 4
    for query in ("from masks", "select 1", "show tables", "from features", "from feature_sets"):
        assert rows(filled, query)


def test_every_documented_view_reads_only_the_catalogue():
    """No fixed view names a file."""
    for view in DOCUMENTED.values():
        assert "catalogue." in view.query
        assert "read_" not in view.query


def test_quoted_text():
    """A quote inside a text is doubled."""
    assert quoted_text("it's") == "'it''s'"


def test_the_small_study_has_a_row_in_every_table(shared_store):
    """The study that these tests fill leaves out only what no test here asks for."""
    with read_transaction(shared_store.engine) as connection:
        empty = {name for name, table in VERSIONED.items() if not connection.execute(select(table)).first()}
    assert empty == set()


def test_every_column_of_every_view_is_described(shared_store):
    """No column of any view is without a comment: what a client shows needs no manual."""
    bare = rows(
        shared_store,
        "select table_name, column_name from duckdb_columns() where schema_name = 'main' and not internal "
        "and coalesce(comment, '') = ''",
    )
    assert bare == []


def test_dates_and_times_have_their_types(shared_store):
    """What is a date is a DATE and what is a time a TIMESTAMP, in every view, and nothing of them is text."""
    found = rows(
        shared_store,
        "select column_name, data_type, list(table_name) as views from duckdb_columns() where schema_name = 'main' "
        "and not internal and (column_name like '%\\_at' escape '\\' or column_name like '%\\_on' escape '\\') "
        "group by all",
    )
    kinds = {row["column_name"]: row["data_type"] for row in found}
    assert len(found) == len(kinds)
    assert {name for name, kind in kinds.items() if kind == "DATE"} == {
        *("acquired_on", "observed_at", "reference_on", "first_exam_on", "last_exam_on")
    }
    assert {name for name, kind in kinds.items() if kind == "TIMESTAMP"} == {
        *("committed_at", "erased_at", "ended_at", "opened_at", "recorded_at", "started_at", "tagged_at", "trained_at")
    }
    (row,) = rows(shared_store, "select acquired_on - date '2020-01-01' as days from exams where patient = 'p1'")
    assert row == {"days": 30}
    (row,) = rows(shared_store, "select count(*) n from commits where abs(epoch(committed_at) - epoch(now())) < 3600")
    assert row == {"n": 3}
    (row,) = rows(shared_store, "select observed_at from clinical where variable = 'sex'")
    assert row == {"observed_at": None}


def test_primary_rows_are_told_and_stand_alone(filled):
    """A repeated reading is in the wide and the long view and says that no model reads it."""
    again = MASK_KEYS[0]._replace(reading=2)
    unused = MASK_KEYS[0]._replace(patient="p9")
    with commit_to(filled, "a second reading") as commit:
        put_segment(filled, commit, [record_of(again), record_of(unused)])
        commit.put("study_masks", [{"study": "er", "is_primary": 0} | again._asdict()])
    found = rows(filled, "select patient, reading, is_primary from two_features where phase = 'AP' order by all")
    assert [tuple(row.values()) for row in found] == [
        *(("p1", 1, True), ("p1", 2, False), ("p2", 1, True), ("p3", 1, True), ("p9", 1, False))
    ]
    sizes = {
        view: rows(filled, f"select count(*) as n from {view}")[0]["n"]
        for view in ("two_features_v1", "two_features_primary", "radiomics_long", "radiomics_primary")
    }
    assert list(sizes.values()) == [8, 6, 16, 12]
    (row,) = rows(filled, "select count(*) filter (is_primary) as p from radiomics_long")
    assert row == {"p": 12}


def test_views_keep_to_what_clients_of_duckdb_1_3_read():
    """The published file is asked by any client: 1.3 has no if(), and groups arrows of JSON from the right."""
    text = "\n".join(view.query for view in fixed_views())
    assert not re.findall(r"\bif\(.*", text)
    assert not re.findall(r".*->\s*'[^']*'\s*->.*", text)
    assert not re.findall(r".*[^(]\b[a-z_.]+(?:::json)? ->> '[^']*' (?:=|<>|in\b).*", text)


def test_an_imported_row_is_what_models_read(store):
    """Of a table from elsewhere every row is primary; one that has a column is_primary keeps that."""
    for name, columns in (("table-a", ("x",)), ("table-b", ("is_primary",))):
        with commit_to(store, "imported") as commit:
            put_imported(store, commit, name, columns)
    assert rows(store, "select is_primary, x from table_a") == [{"is_primary": True, "x": 7.0}]
    assert rows(store, "select x from table_a_primary") == [{"x": 7.0}]
    assert rows(store, "select is_primary from table_b") == [{"is_primary": 7.0}]
    assert rows(store, "select is_primary from table_b_primary") == [{"is_primary": 7.0}]


def put_imported(store, commit, name, columns):
    """Write an imported set of one row."""
    key = MaskKey("p1", "baseline", "", "", "", 1)
    record = ExtractionRecord("e" * 64, key, "i" * 64, "", dict.fromkeys(columns, 7.0))
    reference = f"{name}@1"
    told = {"version": 1, "kind": "imported", "features": len(columns), "description": "a table", "definition": "{}"}
    commit.put("feature_sets", [{"feature_set": reference, "name": name, **told}])
    commit.put("features", [{"feature_set": reference, "position": n, "feature": c} for n, c in enumerate(columns)])
    segment = write_segment(store.segments, reference, columns, [record])
    commit.put("segments", [vars(segment)])
    row = {"feature_set": reference, "extraction_id": "e" * 64, "image_sha256": "i" * 64, "mask_sha256": ""}
    commit.put("extractions", [row | {"segment_id": segment.segment_id}])


def test_a_name_that_a_view_has_now_is_no_obstacle(store):
    """Feature sets of an older release that are called as a view is have their versions, and the store opens."""
    with commit_to(store, "old names") as commit:
        for name in ("cohort", "dictionary", "a", "a-primary"):
            put_imported(store, commit, name, ("x",))
    for view in ("cohort_v1", "dictionary_v1", "a", "a_primary", "a_primary_v1", "a_primary_primary"):
        assert rows(store, f"select x from {view}") == [{"x": 7.0}]
    assert rows(store, "from cohort") == []


def test_a_study_has_its_cohort_as_a_table(filled):
    """Split, outcome and clinical variables of each patient are typed columns; names that are taken get another."""
    with commit_to(filled, "awkward names") as commit:
        commit.put("splits", [{"study": "er", "split": "Label", "kind": "column", "sha256": "6" * 64, "patients": 1}])
        commit.put("split_members", [{"study": "er", "split": "Label", "patient": "p1", "cohort": "training"}])
        for name, kind, unit in (("sex", "category", None), ("label", "number", "1"), ("it's", "number", "1")):
            commit.put("variables", [{"study": "er", "variable": name, "kind": kind, "unit": unit}])
        commit.put("clinical", [{"patient": "p2", "variable": "label", "observed_at": "", "value": 3.0}])
        commit.put("studies", [{"study": "er-2", "title": "another", "definition": "{}"}])
    found = rows(filled, 'select patient, split_main, "split_Label", afp, sex, clinical_label, "it\'s" from cohort_er')
    assert [tuple(row.values()) for row in found] == [
        ("p1", "training", "training", 412.0, "male", None, None),
        ("p2", "training", None, None, None, 3.0, None),
        ("p3", "validation", None, None, None, None, None),
    ]
    types = {row["column_name"]: row["column_type"] for row in rows(filled, "describe cohort_er")}
    assert (types["afp"], types["sex"], types["first_exam_on"]) == ("DOUBLE", "VARCHAR", "DATE")
    (general,) = rows(filled, "select cohorts['main'] as c, lesions, scans from cohort where patient = 'p3'")
    assert general == {"c": "validation", "lesions": 1, "scans": 2}
    assert rows(filled, "from cohort_er_2") == []


def test_one_content_at_two_places_is_seen(filled):
    """A mask under two patients, and one in two phases, are told apart by how far their places lie."""
    masks = rows(filled, "from catalogue.masks")
    by_key = {(row["patient"], row["phase"]): row for row in masks}
    with commit_to(filled, "copied files") as commit:
        commit.put("masks", [by_key["p2", "AP"] | {"mask_sha256": by_key["p1", "AP"]["mask_sha256"]}])
        commit.put("masks", [by_key["p3", "PVP"] | {"mask_sha256": by_key["p3", "AP"]["mask_sha256"]}])
    found = rows(filled, "select across, patient, phase from duplicates where content = 'mask' order by all")
    assert [tuple(row.values()) for row in found] == [
        *(("patients", "p1", "AP"), ("patients", "p2", "AP"), ("phases", "p3", "AP"), ("phases", "p3", "PVP"))
    ]


def test_what_commits_did_is_counted(filled):
    """Rows that came, were replaced and went are counted by commit and table, as of a commit no later ones."""
    with commit_to(filled, "a change") as commit:
        commit.put("clinical", [{"patient": "p1", "variable": "afp", "observed_at": "2020-01-02", "value": 9.0}])
        commit.put("patients", [{"patient": "p4"}])
        commit.remove("outcomes", [{"patient": "p3", "outcome": "er"}])
    query = "select table_name, added, changed, removed from commit_changes where commit_id = 4 order by 1"
    assert [tuple(row.values()) for row in rows(filled, query)] == [
        *(("clinical", 0, 1, 0), ("outcomes", 0, 0, 1), ("patients", 1, 0, 0))
    ]
    (row,) = rows(filled, "select max(commit_id) as n from commit_changes", as_of=2)
    assert row == {"n": 2}
