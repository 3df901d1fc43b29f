"""Schedules: which deployments a study gets, what a scheduled run writes, and how it ends whatever happens."""

import json
import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
import SimpleITK as sitk
from builders.cohorts import tried_study, write_published_study

from flows.engine.workflow import get_client
from flows.serve.scheduled_run import WorkDone, log_file, run_on_schedule
from flows.serve.schedules import scheduled_flows, study_flow
from flows.serve.time_zone import local_time_zone, named_time_zone
from flows.serve.verbs import SERVED_VERBS
from flows.serve.work import ServedStudy
from schemas.errors import StoreBusyError, UsageError
from store.commits.commit import commit_to

UTC = ZoneInfo("UTC")


def scheduled(study, **crons):
    """Return the flows of a study's schedules."""
    served = ServedStudy(study.file, "small", study.store_root, "Europe/Berlin")
    return scheduled_flows(served, crons)


def shown(key):
    """Return the rows that Prefect shows as the newest artifact of a key."""
    with get_client(sync_client=True) as client:
        answer = client.request("GET", "/artifacts/{key}/latest", path_params={"key": key})
    return json.loads(answer.json()["data"])


def lines(text):
    """Return the lines of a text, without the seconds that a run took."""
    return [re.sub(r"; \d+ s$", "", line) for line in text.splitlines()]


def test_each_schedule_is_a_flow_without_parameters(small_study):
    """Refresh and bench are flows that take no parameter, each with its cron text in the study's time zone."""
    both = scheduled(small_study, refresh="0 3 * * *", bench="30 4 * * 1")
    assert [each.deployment for each in both] == ["refresh-study/small", "bench-study/small"]
    assert [each.schedule.cron for each in both] == ["0 3 * * *", "30 4 * * 1"]
    for each in both:
        assert each.flow.parameters.properties == {}
        assert each.schedule.timezone == "Europe/Berlin"
        assert str(small_study.store_root.resolve()) in each.description


def test_a_run_that_is_given_another_study_file_or_store_does_not_begin(small_study, prefect_server):
    """Whatever parameters a run is given, the flow refuses them: what it works on is its own."""
    (each,) = scheduled(small_study, refresh="0 3 * * *")
    with pytest.raises(TypeError):
        each.flow(study_file="/elsewhere/study.toml", store="/elsewhere/store")
    assert not small_study.store_root.exists()


def test_only_what_is_asked_for_is_scheduled(small_study):
    """One cron text gives one deployment, none gives none, and by-hand one without a schedule."""
    assert [each.flow.name for each in scheduled(small_study, bench="0 4 * * *")] == ["bench-study"]
    assert scheduled(small_study) == []
    every = scheduled(small_study, **dict.fromkeys(SERVED_VERBS, "by-hand"))
    assert [each.deployment for each in every] == [f"{verb}-study/small" for verb in SERVED_VERBS]
    assert {each.schedule for each in every} == {None}


@pytest.mark.parametrize("cron", ["every day", "61 3 * * *", "0 3 * *", "0 3 * * * *", "@daily", ""])
def test_a_text_that_is_no_cron_is_a_fault_of_usage(small_study, cron):
    """A wrong cron text is refused with the option that it was given to."""
    with pytest.raises(UsageError, match=f"--refresh '{cron}' is no cron text".replace("*", r"\*")) as error:
        scheduled(small_study, refresh=cron)
    assert "0 3 * * *" in error.value.hint


def test_the_time_zone_is_the_machines_own_or_the_one_that_is_named(monkeypatch):
    """A zone goes by its IANA name; one that does not exist, or a machine that names none, is a fault of usage."""
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert local_time_zone() == "Asia/Tokyo"
    assert named_time_zone(None).key == "Asia/Tokyo"
    assert named_time_zone("Europe/Berlin").key == "Europe/Berlin"
    for wrong in ("Europe/Nowhere", "../etc/passwd", "CET-1CEST,M3.5.0"):
        with pytest.raises(UsageError, match="is no time zone") as error:
            named_time_zone(wrong)
        assert "--timezone Europe/Berlin" in error.value.hint


def test_a_scheduled_refresh_tells_known_failures_from_new_ones(small_study, prefect_server, capsys):
    """Rows that fail leave a run complete: its state and its line say how many failed before and how many are new."""
    small_study.edit('families = ["shape", "firstorder"]', 'families = ["shape"]')
    small_study.ingest()
    small_study.stage()
    capsys.readouterr()
    refresh = study_flow("refresh", ServedStudy(small_study.file, "small", small_study.store_root, "Europe/Berlin"))

    def run():
        state = refresh(return_state=True)
        (line,) = lines(capsys.readouterr().err)
        date, message = re.fullmatch(r"(\S+ \S+ CES?T) refresh small: (.*)", line).groups()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d CES?T", date)
        assert state.message == message
        return state.name, message, state.is_completed()

    counts = "computed 0, reused 8, failed 0, unchanged 0; commit 2"
    assert run() == ("Completed", counts, True)
    (row,) = shown("small-refresh")
    assert row == {"ending": "complete", "computed": 0, "reused": 8, "unchanged": 0, "failed": 0, "new_failures": 0}
    assert sum(each["masks"] for each in shown("small-quality")) == sum(
        len(each["flags"]) for each in small_study.sql("select flags from quality")
    )
    small_study.mask_file("P1").unlink()
    counts = "computed 0, reused 0, failed 1 (new), unchanged 7; commit 3"
    assert run() == ("Completed with new failures", counts, True)
    counts = "computed 0, reused 0, failed 1 (known), unchanged 7; no commit"
    assert run() == ("Completed with known failures", counts, True)
    small_study.mask_file("P2").unlink()
    name, message, _ = run()
    assert name == "Completed with new failures"
    assert "failed 2 (1 known, 1 new)" in message
    assert len(small_study.sql("from failures")) == 2
    # The line goes to the log too, behind what the verbs wrote.
    log = log_file(small_study.store_root, "refresh", "small").read_text()
    assert log.count("reading small: 4 of 4 patients") == 4
    assert message in log


def test_a_run_that_cannot_do_its_work_is_broken_and_raises_nothing(small_study, prefect_server, capsys):
    """A fault of the study file is a failed state and one line with the cause; so is a folder that is gone."""
    small_study.ingest()
    refresh = study_flow("refresh", ServedStudy(small_study.file, "small", small_study.store_root, "UTC"))

    def run():
        capsys.readouterr()
        state = refresh(return_state=True)
        (line,) = lines(capsys.readouterr().err)
        assert (state.name, state.is_failed()) == ("Broken", True)
        assert "UTC refresh small: broken: " in line
        return line

    small_study.edit('unit = "[IU]/mL"', 'unit = "IU"')
    assert f"broken: {small_study.file}:{small_study.line_of('unit')}: clinical.variables.afp.unit" in run()
    small_study.edit('unit = "IU"', 'unit = "[IU]/mL"')
    for phase in ("AP", "DP"):
        small_study.mask_file("P1", phase).unlink()
    assert "2 of 8 masks (25%): P1 AP R1.1, P1 DP R1.1" in run()
    assert len(small_study.snapshot.rows("study_masks")) == 8
    assert "Traceback" in log_file(small_study.store_root, "refresh", "small").read_text()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StoreBusyError("another writer holds the store", hint="wait"), "another writer holds the store; next: wait"),
        (OSError(28, "No space left on device", "/data/x"), "/data/x: no space left on device; next: free some space"),
        (KeyError("a\nbug"), "this is a fault of radzoo: KeyError: "),
    ],
)
def test_a_broken_run_is_one_line_whatever_was_raised(tmp_path, capfd, error, cause):
    """No exception leaves a run, and its line holds the cause and the next step."""

    def work():
        raise error

    outcome = run_on_schedule("refresh", "small", tmp_path / "store", UTC, work)
    (line,) = capfd.readouterr().err.splitlines()
    assert line == outcome.line
    assert (outcome.ending, outcome.counts) == ("broken", {})
    assert f" UTC refresh small: broken: {cause}" in line


def test_a_run_needs_no_log_and_a_full_log_is_put_aside(tmp_path, capfd):
    """Where no log can be written the run goes on; one of more than a megabyte starts again."""
    (tmp_path / "file").write_text("")
    outcome = run_on_schedule("bench", "small", tmp_path / "file" / "store", UTC, lambda: WorkDone("small", ()))
    assert outcome.ending == "complete"
    log = log_file(tmp_path / "store", "bench", "small")
    log.parent.mkdir(parents=True)
    log.write_text("x" * 1_000_001)
    outcome = run_on_schedule("bench", "small", tmp_path / "store", UTC, lambda: WorkDone("small", ()))
    assert (outcome.ending, outcome.message) == ("complete", "failed 0; no commit")
    assert log.read_text().splitlines()[-1] == outcome.line
    assert log.with_suffix(".log.1").stat().st_size == 1_000_001
    assert len(capfd.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), RuntimeError("Query interrupted")])
def test_an_interrupted_run_says_so(tmp_path, capfd, raised):
    """Ctrl-C ends a run, which says that it was interrupted; also where DuckDB makes an error of it."""

    def work():
        raise raised

    with pytest.raises(KeyboardInterrupt):
        run_on_schedule("refresh", "small", tmp_path, UTC, work)
    assert capfd.readouterr().err.endswith("UTC refresh small: interrupted; what was finished is kept\n")


def test_a_scheduled_bench_judges_the_studys_models(tmp_path, tiny_images, prefect_server, capsys):
    """A scheduled bench trains what is missing and judges; a second one finds every figure there already."""
    file, store = write_published_study(tmp_path, tiny_images)
    report = tmp_path / "pages" / "hcc.html"
    bench = study_flow("bench", ServedStudy(file, "hcc", store, "UTC", report=report))
    first = bench(return_state=True)
    assert first.message.startswith("models 1, trained 1, computed ")
    assert "; commit " in first.message
    assert first.is_completed()
    assert "<html" in report.read_text()
    (training, *_) = [row for row in shown("hcc-early-recurrence-leaderboard") if row["cohort"] == "training"]
    assert training["model"] == "cr"
    assert 0.5 < training["auc"] < 1
    again = bench(return_state=True)
    assert again.message.startswith("models 1, trained 0, computed 0, ")
    assert again.message.endswith("; no commit")
    served = ServedStudy(file, "hcc-early-recurrence", store, "UTC", report=report)
    assert study_flow("train", served)(return_state=True).message == "models 1, trained 0, failed 0; no commit"
    (row,) = shown("hcc-early-recurrence-models")
    assert row == {"model": "cr", "version": 1, "did": "unchanged", "patients": row["patients"]}
    page = report.read_bytes()
    report.unlink()
    assert study_flow("report", served)(return_state=True).message == "wrote hcc.html; no commit"
    assert report.read_bytes() == page
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_a_model_that_cannot_be_trained_is_a_failure_that_is_new_once(small_study, prefect_server):
    """A scheduled training reads the store as it is, and tells what it could not fit as a refresh tells its rows."""
    with small_study.file.open("a") as file:
        file.write('\n[[models.cr.factors]]\nvariable = "sex"\nequals = "male"\n')
    small_study.ingest()
    train = study_flow("train", ServedStudy(small_study.file, "small", small_study.store_root, "UTC"))
    first, second = train(return_state=True), train(return_state=True)
    assert (first.name, second.name) == ("Completed with new failures", "Completed with known failures")
    assert first.message == "models 1, trained 0, failed 1 (new); commit 2"
    assert second.message == "models 1, trained 0, failed 1 (known); no commit"
    assert [(each["did"], each["version"]) for each in shown("small-models")] == [("cannot be fitted", None)]


def test_a_scheduled_ingest_computes_nothing(small_study, prefect_server):
    """It reads the study's files, and says what became of its rows."""
    ingest = study_flow("ingest", ServedStudy(small_study.file, "small", small_study.store_root, "UTC"))
    first, second = ingest(return_state=True), ingest(return_state=True)
    assert re.fullmatch(r"added [1-9]\d*, changed 0, removed 0, failed 0; commit 1", first.message)
    assert second.message == "added 0, changed 0, removed 0, failed 0; no commit"
    assert small_study.snapshot.rows("extractions") == []
    small_study.mask_file("P1").unlink()
    assert ingest(return_state=True).name == "Completed with new failures"


def test_a_scheduled_question_about_expectations_tells_what_does_not_hold(small_study, prefect_server, tmp_path):
    """It is asked of the last ingest; who is to hear of it gets the names, and the SQL stays in the store."""
    told = tmp_path / "told"
    with small_study.file.open("a") as file:
        file.write(
            '\n[expectations.many]\ncount = "sex"\nat_least = 400\n[expectations.few]\ncount = "sex"\nat_least = 1\n'
        )
    small_study.ingest()
    served = ServedStudy(small_study.file, "small", small_study.store_root, "UTC", f"cat > {told}")
    state = study_flow("expect", served)(return_state=True)
    assert (state.name, state.is_completed()) == ("Completed with unmet expectations", True)
    assert state.message == "held 1, unmet 1; not held: many; no commit"
    assert "expect small: held 1, unmet 1; not held: many" in told.read_text()
    rows = {row["expectation"]: row["status"] for row in shown("small-expectations")}
    assert rows == {"many": "broken", "few": "held"}


def test_a_scheduled_refresh_takes_a_patient_who_was_dropped(small_study, prefect_server, capsys, tmp_path):
    """What is complete is where the study's files are before they are read; a broken delivery is told as a failure."""
    inbox, told = small_study.folder / "inbox", tmp_path / "told"
    small_study.edit(
        "[cohort]",
        """[drop]
folder = "inbox"
into = "dropped"
quarantine = "refused"
quiet_minutes = 0.00001

[cohort]""",
    )
    (inbox / "P9").mkdir(parents=True)
    (inbox / "P9" / "note.txt").write_text("a file")
    run = study_flow("refresh", ServedStudy(small_study.file, "small", small_study.store_root, "UTC", f"cat > {told}"))
    first = run(return_state=True)
    assert (first.name, first.message.partition(",")[0]) == ("Completed", "taken 1")
    assert (small_study.folder / "dropped" / "P9" / "note.txt").exists()
    (inbox / "link").symlink_to(tmp_path)
    second = run(return_state=True)
    assert (second.name, second.message.partition(",")[0]) == ("Completed with new failures", "quarantined 1")
    assert "refresh small: quarantined 1" in told.read_text()


def test_a_scheduled_look_for_drift_says_what_it_compared(tmp_path, prefect_server, capsys):
    """Groups of which one alone has the outcome are drift, which state and hook are told; cohorts alike are none."""
    study, told = tried_study(tmp_path), tmp_path / "told"
    table = study.folder / "patients.csv"
    lines = [line.rsplit(",", 1)[0] for line in table.read_text().splitlines()]
    sexes = ["sex", *("male" if line.split(",")[1] == "1" else "female" for line in lines[1:])]
    table.write_text("".join(f"{line},{sex}\n" for line, sex in zip(lines, sexes, strict=True)))
    study.ingest()
    study.refresh_without_prefect()
    with commit_to(study.store, "a mask that could not be read long ago") as commit:
        mask = dict.fromkeys(("exam", "phase", "lesion", "reader", "feature_set", "feature"), "")
        failed = {"stage": "ingest", "study": "tried", "patient": "other", "reading": 0, "reason": "no file"}
        commit.put("failures", [mask | failed])
    served = ServedStudy(study.file, "tried", study.store_root, "UTC", f"cat >> {told}")
    cohorts = study_flow("monitor", served)(return_state=True)
    assert cohorts.name == "Completed"
    assert re.fullmatch(r"findings 0, tests \d; no commit", cohorts.message)
    assert not told.exists()
    assert [row["compared"] for row in shown("tried-drift")] == [
        f"{what}, validation (20 patients) against training (40 patients)" for what in ("features", "outcome")
    ]
    study.file.write_text(study.file.read_text() + '\n[monitor]\nby = ["cohort", "scanner", "sex"]\n')
    study.ingest()
    # No header of these images names a scanner: what the other groups show is told all the same.
    asked = study_flow("monitor", served)(return_state=True)
    rows = shown("tried-drift")
    assert (asked.name, {row["by"] for row in rows}) == ("Completed with drift", {"cohort", "scanner", "sex"})
    assert [row["found"] for row in rows if row["by"] == "scanner"] == ["not answered: no patient's scanner is known"]
    assert ", unanswered 1; drift: " in asked.message
    by_sex = study_flow("monitor", replace(served, monitor_by="sex"))(return_state=True)
    assert (by_sex.name, by_sex.is_completed()) == ("Completed with drift", True)
    assert re.search(r" UTC monitor tried: findings [1-9], tests \d; drift: .*the rate of label 1", told.read_text())
    assert any(row["drifts"] for row in shown("tried-drift"))


def test_a_scheduled_compaction_leaves_the_content_as_it_was(small_study, prefect_server, capsys):
    """What two refreshes wrote is merged into one file, the run says so, and every row is there as before."""
    rows = "from features order by all"
    small_study.ingest()
    small_study.refresh_without_prefect()
    mask = sitk.ReadImage(str(small_study.mask_file("P1")))
    sitk.WriteImage(sitk.BinaryDilate(mask, [1, 1, 0]), str(small_study.mask_file("P1")))
    small_study.ingest()
    small_study.refresh_without_prefect()
    before = small_study.sql(rows)
    compact = study_flow("compact", ServedStudy(small_study.file, "small", small_study.store_root, "UTC"))
    state = compact(return_state=True)
    assert state.is_completed()
    assert state.message == "merged 1, removed 0; no commit"
    assert small_study.sql(rows) == before
    assert len(before) > 0
