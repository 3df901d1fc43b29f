"""Refresh: what is computed, reused, failed and unchanged; rows that survive an interrupt; Prefect only for work."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import duckdb
import numpy as np
import pytest
from radiomics.featureextractor import RadiomicsFeatureExtractor

from flows.cli.main import exit_code
from flows.refresh.run import refresh
from schemas.errors import ContractError
from schemas.features.radiomics_settings import HCC_CEMRI
from store.catalogue.connection import write_transaction
from store.catalogue.tables import VERSIONED

pytestmark = pytest.mark.usefixtures("_server_address")


@pytest.fixture
def _server_address(monkeypatch):
    """Keep PREFECT_API_URL of the outer world away from tests that must not need a server."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def counts(report):
    """Return a report's four counts."""
    return {name: getattr(report, name) for name in ("computed", "reused", "failed", "unchanged")}


def one_voxel_mask(study, patient):
    """Write a mask that ingest accepts and from which no feature can be extracted."""
    mask = study.mask(patient, label=0)
    mask[5, 5, 4] = 1
    study.write_mask(patient, mask=mask)


def refresh_by_command(study, *options):
    """Run the verb in this process and return its exit code."""
    return exit_code(["--store", str(study.store_root), "refresh", "--workers", "1", *options])


def test_a_first_refresh_computes_and_a_second_one_does_nothing(small_study, prefect_server):
    """Every mask is computed once; the second refresh computes none, makes no commit and no run."""
    small_study.ingest()
    first = small_study.refresh()
    assert counts(first) == {"computed": 8, "reused": 0, "failed": 0, "unchanged": 0}
    assert first.commit_id == 2
    second = small_study.refresh()
    assert counts(second) == {"computed": 0, "reused": 0, "failed": 0, "unchanged": 8}
    assert second.commit_id is None
    assert small_study.sql("select flow, status from runs") == [
        {"flow": "ingest", "status": "done"},
        {"flow": "refresh", "status": "done"},
    ]
    (summary,) = small_study.sql("select summary from runs where flow = 'refresh'")
    assert json.loads(summary["summary"]) == counts(first)


def test_failures_are_rows_and_known_ones_are_not_tried_again(small_study, prefect_server, capsys):
    """A changed image and a one-voxel mask fail, with reasons; only a new ingest or --retry-failed tries again."""
    one_voxel_mask(small_study, "P2")
    small_study.ingest()
    small_study.write_image("P1", seed=3)
    assert refresh_by_command(small_study) == 5
    assert "computed 6, reused 0, failed 2, unchanged 0" in capsys.readouterr().out
    reasons = {row["patient"]: row["reason"] for row in small_study.sql("from failures")}
    assert reasons["P1"] == (
        "image images/P1_AP.nii.gz: differs from what was ingested: "
        "run radzoo ingest again, with --read-again where that finds nothing new"
    )
    assert reasons["P2"].startswith("the mask cannot be used on the working grid")
    assert set(reasons) == {"P1", "P2"}

    assert refresh_by_command(small_study) == 5
    assert "computed 0, reused 0, failed 2, unchanged 6" in capsys.readouterr().out
    assert len(small_study.sql("from commits")) == 2
    assert refresh_by_command(small_study, "--check") == 0
    assert refresh_by_command(small_study, "--check", "--retry-failed") == 5

    small_study.ingest()
    assert counts(small_study.refresh()) == {"computed": 1, "reused": 0, "failed": 1, "unchanged": 6}
    assert [row["patient"] for row in small_study.sql("from failures")] == ["P2"]
    assert small_study.sql("select count(*) n from quick where patient = 'P1'") == [{"n": 2}]


def test_what_an_interrupted_run_finished_is_not_computed_again(small_study, prefect_server, capsys):
    """Staged rows are taken over as they are, and only the rest is computed."""
    small_study.ingest()
    small_study.stage(patients=["P1", "P3"])
    (folder,) = small_study.store.staging.iterdir()
    marked = next(iter(folder.glob("*.json")))
    record = json.loads(marked.read_text())
    # A value that no computation gives shows whether the row was taken or computed again.
    record["values"]["original_firstorder_Mean"] = -12345.0
    marked.write_text(json.dumps(record))
    report = small_study.refresh()
    assert counts(report) == {"computed": 4, "reused": 4, "failed": 0, "unchanged": 0}
    assert "4 extractions of an interrupted run are taken over" in capsys.readouterr().err
    found = small_study.sql("select patient from quick where original_firstorder_Mean = -12345")
    assert found == [{"patient": record["key"][0]}]
    assert list(folder.glob("*.json")) == []


def test_an_interrupt_keeps_what_was_finished(small_study, prefect_server):
    """Ctrl-C leaves with 130 and no commit; the next refresh takes the finished rows over."""
    small_study.edit('families = ["shape", "firstorder"]', 'wavelet = "coif1"\nlog_sigma_mm = [2.0, 3.0]')
    small_study.ingest()
    running = subprocess.Popen(
        [Path(sys.executable).with_name("radzoo"), "--store", small_study.store_root, "refresh", "--workers", "1"],
        env=os.environ | {"PREFECT_API_URL": prefect_server},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A process group of its own, which a terminal's Ctrl-C reaches as a whole.
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 120
        while not list(small_study.store.staging.glob("*/*.json")):
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=120)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == 130
    assert out == ""
    assert "interrupted: what was finished is kept" in err.splitlines()[-1]
    assert "Traceback" not in err
    plan = small_study.plan()
    assert len(plan.staged) + len(plan.missing) == 8
    assert plan.staged
    assert plan.missing
    assert small_study.sql("select status from runs where flow = 'refresh'") == [{"status": "interrupted"}]
    assert small_study.sql("select count(*) n from commits") == [{"n": 1}]
    small_study.stage()
    assert counts(small_study.refresh()) == {"computed": 0, "reused": 8, "failed": 0, "unchanged": 0}


def test_what_a_power_cut_left_of_a_record_is_computed_again(small_study):
    """Nothing waits until a staged record is on the disk: where a name is left with less, its values are computed."""
    small_study.ingest()
    small_study.stage()
    files = sorted(small_study.store.staging.glob("*/*.json"))
    records = [json.loads(file.read_bytes()) for file in files]
    means = {each["extraction_id"]: each["values"]["original_firstorder_Mean"] for each in records}
    cut = files[0].read_bytes()[:500]
    for file, left in zip(files, (b"", bytes(300), cut, b"{}", b'{"extraction_id": "another"}'), strict=False):
        file.write_bytes(left)
    plan = small_study.plan()
    assert (len(plan.staged), len(plan.missing)) == (3, 5)
    assert counts(small_study.refresh()) == {"computed": 5, "reused": 3, "failed": 0, "unchanged": 0}
    found = small_study.sql("select extraction_id, original_firstorder_Mean from quick")
    assert {row["extraction_id"]: row["original_firstorder_Mean"] for row in found} == means
    assert not list(small_study.store.staging.glob("*/*.json"))


def test_a_second_study_reuses_every_row_under_its_own_keys(small_study):
    """A study with the same images under other pseudonyms and phase names computes nothing and sees its own keys."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    other = small_study.another()
    for old in small_study.patients:
        for folder in ("images", "masks"):
            for file in (other.folder / folder).glob(f"{old}_*"):
                phase = file.name.removeprefix(f"{old}_").replace("DP", "late").replace("AP", "early")
                source = small_study.folder / folder / file.name
                file.with_name(f"X{old[1:]}_{phase}").write_bytes(source.read_bytes())
                file.unlink()
    for file in (other.file, other.folder / "patients.csv"):
        text = file.read_text().replace("AP", "early").replace("DP", "late")
        file.write_text(text.replace("\nP", "\nX"))
    assert other.ingest().failures == ()
    report = refresh(other.store, "second")[0]
    assert counts(report) == {"computed": 0, "reused": 8, "failed": 0, "unchanged": 0}
    assert len(other.snapshot.rows("extractions")) == 8
    rows = other.sql(
        "select patient, phase, original_firstorder_Mean m, original_shape_MeshVolume v from quick order by all"
    )
    assert [(row["patient"], row["phase"]) for row in rows] == [
        *((patient, phase) for patient in small_study.patients for phase in ("AP", "DP")),
        *((f"X{n}", phase) for n in range(1, 5) for phase in ("early", "late")),
    ]
    assert [(r["m"], r["v"]) for r in rows[:8]] == [(r["m"], r["v"]) for r in rows[8:]]
    assert counts(refresh(other.store, "second")[0]) == {"computed": 0, "reused": 0, "failed": 0, "unchanged": 8}


def study_with_two_voxels(study):
    """Ask for co-occurrences, and give P1 a lesion of two voxels that are not neighbours and so have none."""
    study.edit('families = ["shape", "firstorder"]', 'families = ["glcm", "firstorder"]')
    mask = study.mask("P1", label=0)
    mask[2, 2, 2] = mask[8, 7, 5] = 1
    study.write_mask("P1", mask=mask)


def test_a_feature_without_a_value_is_null_with_its_reason_for_every_study(small_study):
    """A row with a feature that cannot be computed stays whole; a study that reuses the row is told the reason too."""
    study_with_two_voxels(small_study)
    small_study.ingest()
    report = small_study.refresh_without_prefect()
    assert report.failed == 0
    missing = small_study.sql(
        "select feature, value is null as is_null from radiomics_long join failures using (patient, phase, feature) "
        "where stage = 'refresh' and study = 'small' order by feature"
    )
    # pyradiomics 3.0.1 gives nan for all 24 features of a co-occurrence matrix without entries, and for the mean
    # deviation of the voxels between two percentiles where there are none.
    assert all(row["is_null"] for row in missing)
    assert len([row for row in missing if "_glcm_" in row["feature"]]) == 24
    assert [row["feature"] for row in missing if "_glcm_" not in row["feature"]] == [
        "original_firstorder_RobustMeanAbsoluteDeviation"
    ]
    (nulls,) = small_study.sql("select count(*) n from radiomics_long where value is null")
    assert nulls["n"] == len(missing)

    other = small_study.another()
    study_with_two_voxels(other)
    other.edit('table = "patients.csv"', 'table = "patients.csv"\nprefix = "B-"')
    other.ingest()
    assert counts(refresh(other.store, "second")[0])["reused"] == 8
    reasons = "select patient, feature, reason from failures where study = '{}' order by all"
    told = [(row["feature"], row["reason"]) for row in other.sql(reasons.format("second"))]
    assert told == [(row["feature"], row["reason"]) for row in other.sql(reasons.format("small"))]
    assert {row["patient"] for row in other.sql(reasons.format("second"))} == {"B-P1"}


def test_two_refreshes_at_once_leave_every_row_once(small_study):
    """Two runs that planned the same rows commit them once: the wide view has one row a mask."""
    small_study.ingest()
    small_study.stage()
    code = (
        "import sys; from pathlib import Path; from flows.refresh.run import refresh; from store.home import Store\n"
        "store = Store(Path(sys.argv[1])); print('ready', flush=True)\n"
        "print(*(report.reused for report in refresh(store, workers=1)))"
    )
    command = [sys.executable, "-c", code, str(small_study.store_root)]
    # Both plan while a third writer holds the store, and write when it lets go.
    with write_transaction(small_study.store.engine):
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        assert [each.stdout.readline() for each in running] == ["ready\n"] * 2
        time.sleep(3)
        assert [each.poll() for each in running] == [None, None]
    assert [each.communicate(timeout=120)[0] for each in running] == ["8\n", "8\n"]
    assert [each.returncode for each in running] == [0, 0]
    assert small_study.sql("select count(*) n, count(distinct (patient, phase)) k from quick") == [{"n": 8, "k": 8}]
    assert sum(segment["rows"] for segment in small_study.snapshot.rows("segments")) == 8


def test_a_changed_definition_leaves_the_old_rows_readable(small_study):
    """Another bin width is version 2: both versions answer, and the view without a number shows the newest."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    entropy = "select patient, phase, original_firstorder_Entropy e from {} order by all"
    before = small_study.sql(entropy.format("quick_v1"))
    small_study.edit("bin_width = 25", "bin_width = 5")
    small_study.ingest()
    assert small_study.refresh_without_prefect().feature_set == "quick@2"
    assert small_study.sql(entropy.format("quick_v1")) == before
    after = small_study.sql(entropy.format("quick_v2"))
    assert small_study.sql(entropy.format("quick")) == after
    assert all(new["e"] > old["e"] for old, new in zip(before, after, strict=True))


def test_a_version_bound_to_another_definition_leaves_with_four(small_study, capsys):
    """A study that pins quick@1 and changes its parameters is refused by the verb, and nothing is written."""
    small_study.edit('["quick"]', '["quick@1"]')
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.edit("bin_width = 25", "bin_width = 5")
    small_study.ingest()
    commits = small_study.sql("from commits")
    capsys.readouterr()
    assert refresh_by_command(small_study) == 4
    assert "'quick@1' of this store was made by another definition" in capsys.readouterr().err
    assert small_study.sql("from commits") == commits
    with pytest.raises(ContractError):
        small_study.refresh(dry_run=True)


def written_at(study):
    """Return when each file of a store was written, and the catalogue's rows: SQLite moves its own pages about."""
    files = {file: file.stat().st_mtime_ns for file in study.store_root.rglob("*") if ".sqlite" not in file.suffix}
    return files, [study.snapshot.rows(table) for table in VERSIONED], study.sql("from runs"), study.sql("from commits")


def test_check_tells_stale_from_current_and_a_dry_run_writes_nothing(small_study, capsys):
    """--check leaves with 5 while something is to be done and with 0 after it; neither it nor --dry-run writes."""
    small_study.ingest()
    before = written_at(small_study)
    assert refresh_by_command(small_study, "--check") == 5
    assert "to be computed 8, to be reused 0, failed 0, unchanged 0" in capsys.readouterr().out
    assert refresh_by_command(small_study, "--dry-run") == 0
    assert written_at(small_study) == before
    small_study.refresh_without_prefect()
    assert refresh_by_command(small_study, "--check") == 0


def test_nothing_to_compute_does_not_load_prefect(small_study):
    """A refresh that finds everything current, or staged by an earlier run, never imports Prefect."""
    small_study.ingest()
    small_study.stage()
    code = (
        "import sys; from pathlib import Path; from flows.refresh.run import refresh; from store.home import Store\n"
        f"for _ in range(2): print([r.unchanged for r in refresh(Store(Path({str(small_study.store_root)!r})))])\n"
        "print('prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[0]", "[8]", "False"]


def test_a_refresh_publishes_the_store_for_other_clients(small_study):
    """After a refresh analyst.duckdb answers in plain DuckDB what the store answers."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    query = "select patient, phase, original_firstorder_Mean from quick order by all"
    with duckdb.connect(str(small_study.store.analyst_file), read_only=True) as client:
        rows = client.sql(query).fetchall()
    assert rows == [tuple(row.values()) for row in small_study.sql(query)]
    assert len(rows) == 8


def test_only_the_feature_set_that_is_asked_for_is_planned(small_study):
    """--feature-set leaves the study's other sets as they are."""
    small_study.edit('["quick"]', '["quick", "hcc-cemri@1"]')
    small_study.ingest()
    reports = refresh(small_study.store, dry_run=True)
    assert [(r.feature_set, r.features, r.computed) for r in reports] == [("quick@1", 32, 8), ("hcc-cemri@1", 1037, 8)]
    (report,) = refresh(small_study.store, feature_set="quick", dry_run=True)
    assert report.feature_set == "quick@1"


def test_stored_values_are_those_of_pyradiomics(small_study):
    """All 1037 columns of hcc-cemri in the store equal RadiomicsFeatureExtractor on the same files (rtol 1e-9)."""
    small_study.edit('["quick"]', '["hcc-cemri@1"]')
    small_study.keep("P1")
    small_study.ingest()
    small_study.refresh_without_prefect()
    for phase in small_study.phases:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reference = RadiomicsFeatureExtractor(HCC_CEMRI.pyradiomics_parameters())
            image, mask = (str(file("P1", phase)) for file in (small_study.image_file, small_study.mask_file))
            expected = {name: float(value) for name, value in reference.execute(image, mask).items()}
        (row,) = small_study.sql(f"from hcc_cemri where phase = '{phase}'")
        stored = [np.nan if row[name] is None else row[name] for name in expected]
        assert len(stored) == 1037
        np.testing.assert_allclose(stored, list(expected.values()), rtol=1e-9, atol=1e-12)


def test_grey_levels_and_zero_share_are_kept_per_image_type(small_study):
    """Each row tells how many grey levels and how many zero voxels each filtered image had."""
    small_study.edit("bin_width = 25", 'bin_width = 25\nwavelet = "haar"')
    small_study.keep("P1")
    small_study.ingest()
    small_study.refresh_without_prefect()
    (row,) = small_study.sql("select grey_levels, zero_fraction from quick where phase = 'AP'")
    bands = {"original", *(f"wavelet-{band}" for band in ("LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL"))}
    assert set(row["grey_levels"]) == set(row["zero_fraction"]) == bands
    assert all(1 < levels < 100 for levels in row["grey_levels"].values())
