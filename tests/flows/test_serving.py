"""Schedules: which deployments a study gets, and that a scheduled run does what the verbs do."""

import pytest

from flows.serving import bench_study, deployments, refresh_study
from schemas.errors import UnfinishedError, UsageError


def scheduled(study, **crons):
    """Return a study's deployments."""
    wanted = {"refresh_cron": None, "bench_cron": None} | crons
    return deployments(study.file, "small", study.store_root, **wanted)


def test_each_schedule_is_a_deployment_of_one_run_at_a_time(small_study):
    """Refresh and bench are deployed by module path, with absolute paths, one run at a time (one writer)."""
    both = scheduled(small_study, refresh_cron="0 3 * * *", bench_cron="30 4 * * 1")
    assert [(each.flow_name, each.name) for each in both] == [("refresh-study", "small"), ("bench-study", "small")]
    assert [each.schedules[0].schedule.cron for each in both] == ["0 3 * * *", "30 4 * * 1"]
    for each in both:
        assert each.parameters == {
            "study_file": str(small_study.file.resolve()),
            "store": str(small_study.store_root.resolve()),
        }
        assert each.concurrency_limit == 1
    assert [each.entrypoint for each in both] == ["flows.serving.refresh_study", "flows.serving.bench_study"]


def test_only_what_is_asked_for_is_scheduled(small_study):
    """One cron text gives one deployment, none gives none."""
    assert [each.flow_name for each in scheduled(small_study, bench_cron="0 4 * * *")] == ["bench-study"]
    assert scheduled(small_study) == []


@pytest.mark.parametrize("cron", ["every day", "61 3 * * *", "0 3 * *", ""])
def test_a_text_that_is_no_cron_is_a_fault_of_usage(small_study, cron):
    """A wrong cron text is refused with the option that it was given to."""
    with pytest.raises(UsageError, match=f"--refresh '{cron}' is no cron text".replace("*", r"\*")) as error:
        scheduled(small_study, refresh_cron=cron)
    assert "0 3 * * *" in error.value.hint


def test_a_scheduled_refresh_ingests_computes_and_fails_when_rows_failed(small_study, prefect_server):
    """A scheduled run takes over what changed since the last one, and is marked failed when a row failed."""
    small_study.edit('families = ["shape", "firstorder"]', 'families = ["shape"]')
    small_study.ingest()
    small_study.stage()
    arguments = {"study_file": str(small_study.file), "store": str(small_study.store_root)}
    assert refresh_study(**arguments) == {"computed": 0, "reused": 8, "failed": 0, "unchanged": 0}
    small_study.mask_file("P1").unlink()
    with pytest.raises(UnfinishedError, match="1 rows failed") as error:
        refresh_study(**arguments)
    assert error.value.hint == f"radzoo --store {small_study.store_root} sql 'from failures' tells why"
    assert small_study.sql("select patient from failures") == [{"patient": "P1"}]
    # Left alone, the failure is told again: a schedule does not forget it.
    with pytest.raises(UnfinishedError):
        refresh_study(**arguments)


def test_a_scheduled_bench_judges_the_studys_models(tmp_path, clinical_study, prefect_server):
    """A scheduled bench trains what is missing and judges; a second one finds every figure there already."""
    file, store = clinical_study(tmp_path)
    arguments = {"study_file": str(file), "store": str(store)}
    first = bench_study(**arguments)
    assert first["models"] == 1
    assert first["commit"] is not None
    assert bench_study(**arguments) == {"models": 1, "commit": None}
