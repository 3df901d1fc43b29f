"""Random histories of a store against a model in plain Python: every commit answers for ever what it held."""

from __future__ import annotations

import shutil
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from schemas.errors import NotFoundError
from schemas.keys import MaskKey, extraction_id, sha256_of_json
from store.address import StoreAddress, write_address
from store.analyst.query import answer
from store.catalogue.tables import KEYS
from store.commits.commit import Commit, commit_to
from store.commits.writer import append_features
from store.compaction.compact import compact_feature_set
from store.erasure.erase import erase_patient
from store.history.runs import record_run
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.staging import ExtractionRecord
from store.verification.verify import store_verification

Row = dict[str, Any]
State = dict[str, dict[tuple, Row]]
"""By table and key, the live rows, each with the commit it is live since."""

FEATURE_SET, COLUMNS = "told@1", ("a", "b_y")
PATIENTS, VARIABLES, DRAWINGS = ("p1", "p2", "p3"), ("afp", "sex"), (1, 2, 3)

clinical = st.fixed_dictionaries(
    {
        "patient": st.sampled_from(PATIENTS),
        "variable": st.sampled_from(VARIABLES),
        "observed_at": st.sampled_from(("", "2020-01-02")),
        "value": st.sampled_from((None, 0.0, 0.1, 1e308)),
    }
)
exams = st.fixed_dictionaries(
    {
        "patient": st.sampled_from(PATIENTS),
        "exam": st.sampled_from(("first", "second")),
        "acquired_on": st.sampled_from((None, "2020-01-01", "2021-01-01")),
    }
)
rows = st.tuples(st.just("clinical"), st.lists(clinical, max_size=4)) | st.tuples(
    st.just("exams"), st.lists(exams, max_size=4)
)
drawings = st.tuples(st.sampled_from(PATIENTS), st.sampled_from(DRAWINGS))
"""A patient's mask, and which time it was drawn: another time is another content under the same key."""
masks_drawn = st.lists(drawings, min_size=1, max_size=3, unique_by=lambda drawing: drawing[0])
operations = st.lists(
    st.tuples(st.just("put"), rows)
    | st.tuples(st.just("remove"), rows)
    | st.tuples(st.just("replace"), st.tuples(rows, st.sampled_from(PATIENTS)))
    | st.tuples(st.just("extract"), masks_drawn),
    min_size=1,
    max_size=3,
)

QUESTION = """
with c as (select patient, variable, observed_at, value, added_commit from catalogue.clinical),
    e as (select patient, exam, acquired_on, added_commit from catalogue.exams),
    m as (select patient, mask_sha256, added_commit from catalogue.masks),
    f as (select feature_set, extractions, since_commit from feature_sets)
select (select list(c) from c) as c, (select list(e) from e) as e, (select list(m) from m) as m,
    (select list(f) from f) as f
"""
WIDE = "select patient, extraction_id, a, b_y from told order by all"


class BrokenOffError(Exception):
    """What a commit that is to fail is ended with."""


def record_of(patient: str, drawing: int) -> ExtractionRecord:
    """Return the finished extraction of a mask as it was drawn this time."""
    image, mask = sha256_of_json(patient), sha256_of_json([patient, drawing])
    values = {"a": drawing + 0.1, "b_y": None if drawing == 2 else -0.0}
    details = {"grey_levels": {"original": drawing}, "zero_fraction": {"original": 0.0}}
    key = MaskKey(patient, "first", "AP", "1", "R1", 1)
    return ExtractionRecord(extraction_id(image, mask, "0" * 64), key, image, mask, values, details=details)


class Histories(RuleBasedStateMachine):
    """A store and its model, changed side by side."""

    def __init__(self, address: StoreAddress | None = None) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        if address is not None:
            write_address(Path(self.folder) / "store", address)
        self.store = Store(Path(self.folder) / "store", create=True)
        empty: State = {name: {} for name in ("clinical", "exams", "masks", "extractions", "feature_sets")}
        self.history: list[State] = [empty]

    def teardown(self) -> None:
        """Ask every commit in SQL, then throw the store away."""
        try:
            self.every_commit_answers_in_sql()
            # Its rows name no patients or scans; what files hold is what compaction and erasure write.
            checks = {check.name: check.findings for check in store_verification(self.store).checks}
            assert (checks["segments"], checks["extractions"]) == ((), ())
        finally:
            self.store.engine.dispose()
            shutil.rmtree(self.folder)

    @rule(wanted=operations)
    def commit(self, wanted) -> None:
        """Land a commit of several operations, or none where they change nothing."""
        state, number = deepcopy(self.history[-1]), len(self.history)
        with commit_to(self.store, "told") as commit:
            changed = [self.carried_out(commit, state, number, operation) for operation in wanted]
        assert commit.landed_id == (number if any(changed) else None)
        if any(changed):
            self.history.append(state)

    @rule(drawn=masks_drawn)
    def extraction(self, drawn) -> None:
        """Land a commit of extractions alone, so that histories have several segments."""
        state, number = deepcopy(self.history[-1]), len(self.history)
        with commit_to(self.store, "extracted") as commit:
            changed = self.carried_out(commit, state, number, ("extract", drawn))
        assert commit.landed_id == (number if changed else None)
        if changed:
            self.history.append(state)

    @rule(wanted=operations, error=st.sampled_from((BrokenOffError, KeyboardInterrupt)))
    def broken_commit(self, wanted, error) -> None:
        """Break a commit off after its operations: nothing of it stays."""
        state = deepcopy(self.history[-1])
        try:
            with commit_to(self.store, "breaks off") as commit:
                for operation in wanted:
                    self.carried_out(commit, state, len(self.history), operation)
                raise error
        except error:
            pass

    @rule(target_rows=st.sampled_from((2, 100)))
    def compact(self, target_rows) -> None:
        """Merge small segments: nothing that the model knows of changes."""
        with record_run(self.store, "compact", None, {}) as run:
            compact_feature_set(self.store, FEATURE_SET, target_rows=target_rows, run=run)

    @rule(patient=st.sampled_from(PATIENTS))
    def erase(self, patient) -> None:
        """Take a patient out of the store: no commit, however old, knows of the patient."""
        own = {record_of(patient, drawing).extraction_id for drawing in DRAWINGS}
        held = any(
            row.get("patient") == patient or row.get("extraction_id") in own
            for state in self.history
            for live in state.values()
            for row in live.values()
        )
        try:
            erase_patient(self.store, patient)
        except NotFoundError:
            assert not held
        for state in self.history:
            for table, live in state.items():
                state[table] = {
                    key: row
                    for key, row in live.items()
                    if row.get("patient") != patient and row.get("extraction_id") not in own
                }

    @rule()
    def opened_again(self) -> None:
        """Open the store as the next process does."""
        self.store.engine.dispose()
        self.store = Store(self.store.root)

    def carried_out(self, commit: Commit, state: State, number: int, operation) -> bool:
        """Carry one operation out on store and model, and return whether it changed the model."""
        kind, what = operation
        if kind == "put":
            return self.put(commit, state, number, *what)
        if kind == "remove":
            table, given = what
            keys = {tuple(row[name] for name in KEYS[table]) for row in given} & state[table].keys()
            assert commit.remove(table, given).removed == len(keys)
            for key in keys:
                del state[table][key]
            return bool(keys)
        if kind == "replace":
            (table, given), patient = what
            return self.put(commit, state, number, table, [r for r in given if r["patient"] == patient], patient)
        return self.extract(commit, state, number, [record_of(*each) for each in what])

    def put(self, commit: Commit, state: State, number: int, table: str, given: list[Row], scope=None) -> bool:
        """Write rows, all that the patient of the scope has where one is given."""
        live, new = state[table], {tuple(row[name] for name in KEYS[table]): row for row in given}
        ended = [key for key, row in live.items() if scope and row["patient"] == scope and key not in new]
        fresh = {k: r for k, r in new.items() if k not in live or live[k] != {**r, "since": live[k]["since"]}}
        changes = commit.put(table, given, replacing={"patient": scope} if scope else None)
        added = len(fresh.keys() - live.keys())
        expected = (added, len(fresh) - added, len(ended), len(new) - len(fresh))
        assert (changes.added, changes.changed, changes.removed, changes.unchanged) == expected
        for key in ended:
            del live[key]
        live |= {key: {**row, "since": number} for key, row in fresh.items()}
        return changes.any

    def extract(self, commit: Commit, state: State, number: int, records: list[ExtractionRecord]) -> bool:
        """Commit the masks as they are drawn now, and one segment of the extractions that the store lacks."""
        named = {"feature_set": FEATURE_SET, "name": "told", "version": 1, "kind": "radiomics"}
        features = [{"feature_set": FEATURE_SET, "position": at, "feature": name} for at, name in enumerate(COLUMNS)]
        commit.put("features", features)
        changed = self.put(commit, state, number, "feature_sets", [named])
        masks = [{**r.key._asdict(), "image_sha256": r.image_sha256, "mask_sha256": r.mask_sha256} for r in records]
        changed |= self.put(commit, state, number, "masks", masks)
        there = {identity for _, identity in state["extractions"]}
        if new := [record for record in records if record.extraction_id not in there]:
            assert append_features(commit, self.store, FEATURE_SET, COLUMNS, records).rows == len(new)
            for r in new:
                row = {"extraction_id": r.extraction_id, "image_sha256": r.image_sha256, "mask_sha256": r.mask_sha256}
                # Where a row lies is layout: the model does not know of it.
                state["extractions"][FEATURE_SET, r.extraction_id] = {
                    "feature_set": FEATURE_SET,
                    **row,
                    "since": number,
                }
        return changed or bool(new)

    @invariant()
    def every_commit_has_its_rows(self) -> None:
        """As of each commit, all tables hold what the model held then."""
        assert Snapshot(self.store).commit_id == len(self.history) - 1
        for number, state in enumerate(self.history):
            snapshot = Snapshot(self.store, number)
            for table, live in state.items():
                found = {}
                for row in snapshot.rows(table):
                    key = tuple(row[name] for name in KEYS[table])
                    assert key not in found
                    found[key] = {name: row[name] for name in live.get(key, ()) if name != "since"}
                    found[key]["since"] = row["added_commit"]
                assert found == live

    def every_commit_answers_in_sql(self) -> None:
        """As of each commit, SQL answers what the model held then, wide rows of features included."""
        for number, state in enumerate(self.history):
            snapshot = Snapshot(self.store, number)
            (found,) = answer(snapshot, QUESTION).to_pylist()
            asked = [sorted(map(sort_key, (tuple(row.values()) for row in rows or []))) for rows in found.values()]
            sets = [{**row, "extractions": len(state["extractions"])} for row in state["feature_sets"].values()]
            expected = [
                selected(state["clinical"].values(), "patient", "variable", "observed_at", "value", "since"),
                selected(state["exams"].values(), "patient", "exam", "acquired_on", "since"),
                selected(state["masks"].values(), "patient", "mask_sha256", "since"),
                selected(sets, "feature_set", "extractions", "since"),
            ]
            assert asked == expected
            if sets:
                assert [tuple(row.values()) for row in answer(snapshot, WIDE).to_pylist()] == wide(state)


def sort_key(row: tuple) -> tuple:
    """Return a row in a form that sorts where values are missing."""
    return tuple((value is not None, value) for value in row)


def selected(live, *names: str) -> list[tuple]:
    """Return some columns of a model's rows, sorted."""
    return sorted(sort_key(tuple(row[name] for name in names)) for row in live)


def wide(state: State) -> list[tuple]:
    """Return the rows of the wide view: the extraction of each mask as it was last drawn."""
    found = []
    for patient in PATIENTS:
        for drawing in DRAWINGS:
            record = record_of(patient, drawing)
            live = {row["mask_sha256"] for row in state["masks"].values()}
            if record.mask_sha256 in live and (FEATURE_SET, record.extraction_id) in state["extractions"]:
                found.append((patient, record.extraction_id, record.values["a"], record.values["b_y"]))
    return sorted(found)


Histories.TestCase.settings = settings(max_examples=6, stateful_step_count=12, deadline=None)
TestHistories = Histories.TestCase


def test_histories_in_postgresql(new_address):
    """What holds for SQLite holds for PostgreSQL."""
    few = settings(max_examples=2, stateful_step_count=10, deadline=None)
    run_state_machine_as_test(lambda: Histories(new_address("postgresql-local", with_tables=True)), settings=few)
