"""Failures are counted once: what refresh prints, exit code 5, the table of failures, coverage and the report agree."""

import json

from flows.cli.main import exit_code
from flows.refresh.failure_counts import failure_counts


def test_all_that_speak_of_failures_give_the_same_numbers(small_study, prefect_server, monkeypatch, capsys):
    """A refused mask and one that fails in two feature sets are three failures, not four, in print, SQL and report."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    small_study.edit('["quick"]', '["quick", "second"]')
    small_study.edit('families = ["shape", "firstorder"]', 'families = ["firstorder"]')
    text = small_study.file.read_text()
    small_study.file.write_text(text + '\n[define.second.radiomics]\nfamilies = ["shape"]\nbin_width = 25\n')
    one_voxel = small_study.mask("P2", label=0)
    one_voxel[5, 5, 4] = 1
    small_study.write_mask("P2", mask=one_voxel)
    small_study.mask_file("P1").unlink()
    small_study.ingest()
    capsys.readouterr()

    store = ["--store", str(small_study.store_root)]
    assert exit_code([*store, "refresh", "--workers", "1"]) == 5
    first, second, total, hint = capsys.readouterr().out.splitlines()
    assert "quick@1 (18 features): computed 6, reused 0, failed 1, unchanged 0" in first
    assert "second@1 (14 features): computed 6, reused 0, failed 1, unchanged 0" in second
    assert total == "small: 3 failures: 1 refused at ingest, 2 failed in extraction"
    question = hint.split('"')[1]
    assert len(small_study.sql(question)) == 3
    assert small_study.sql("select count(*) n from failures") == [{"n": 3}]

    # With nothing to do the numbers stay, and JSON has them.
    assert exit_code([*store, "--json", "refresh"]) == 5
    reports = json.loads(capsys.readouterr().out)
    assert [(each["failed"], each["refused"], each["single_values"]) for each in reports] == [(1, 1, 0), (1, 1, 0)]
    counts = failure_counts(small_study.snapshot, "small")
    assert (counts.refused, counts.failed.total(), counts.single_values.total()) == (1, 2, 0)
    covered = small_study.sql("from coverage where phase = 'AP' order by feature_set")
    assert [(each["failed"], each["refused"]) for each in covered] == [(1, 1), (1, 1)]
    assert exit_code([*store, "features", "coverage"]) == 0
    page = small_study.folder / "report.html"
    assert exit_code([*store, "report", "--out", str(page)]) == 0
    capsys.readouterr()
    assert "3 failures: 1 refused at ingest, 2 failed in extraction" in page.read_text()


def test_a_study_without_failures_has_no_line_of_them(ready_study, capsys):
    """Where all is there, refresh ends with 0 and says what comes next."""
    assert exit_code(["--store", str(ready_study.store_root), "refresh"]) == 0
    counts, step = capsys.readouterr().out.splitlines()
    assert counts.endswith("failed 0, unchanged 8")
    assert step == f"next: radzoo --store {ready_study.store_root} bench --study small"
