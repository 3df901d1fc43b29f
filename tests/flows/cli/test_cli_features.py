"""``radzoo features``: what it prints, its JSON, its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from builders.command_line import radzoo_run
from builders.study import SmallStudy

READINGS = """
[[readings]]
reader = "A"
reading = 1

[[readings]]
reader = "A"
reading = 2

[[readings]]
reader = "B"
reading = 1
"""


@pytest.fixture
def asked(capsys):
    """Return a function that runs a verb on a study's store and gives exit code, stdout and stderr."""

    def run(study, *arguments):
        return study.ask(capsys, "features", *arguments)

    return run


@pytest.fixture
def data(asked):
    """Return a function that gives the exit code and the parsed --json answer."""

    def run(study, *arguments):
        code, out, err = asked(study, *arguments, "--json")
        return code, json.loads(out or err)

    return run


@pytest.fixture(scope="module")
def reread_study(tmp_path_factory):
    """Return a refreshed study whose six training patients were drawn three times, and whose set has two versions."""
    root = tmp_path_factory.mktemp("reread")
    names = [f"P{number}" for number in range(1, 9)]
    study = SmallStudy.below(root, "reread", names)
    lines = ["patient,recurrence,cohort,afp,sex"]
    for number, name in enumerate(names):
        lines.append(f"{name},{number % 2},{'training' if number < 6 else 'validation'},1,male")
    (study.folder / "patients.csv").write_text("\n".join(lines) + "\n")
    text = study.file.read_text()
    for phase in study.phases:
        text = text.replace(
            f"masks/{{patient}}_{phase}.nii.gz", f"masks/{{patient}}_{phase}_{{reader}}{{reading}}.nii.gz"
        )
        for name in names:
            file = study.mask_file(name, phase)
            for reading, grow in (("A1", 0), ("A2", 0), ("B1", 2)):
                study.write_mask(name, phase, mask=study.mask(name, phase, grow=grow))
                file.rename(file.with_name(f"{name}_{phase}_{reading}.nii.gz"))
    study.file.write_text(text.replace("[clinical.variables.afp]", READINGS + "\n[clinical.variables.afp]"))
    study.ingest()
    study.refresh_without_prefect()
    return study


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory):
    """Return a study whose feature set was computed with two bin widths."""
    root = tmp_path_factory.mktemp("versions")
    study = SmallStudy.below(root)
    study.ingest()
    study.refresh_without_prefect()
    study.edit("bin_width = 25", "bin_width = 10")
    study.ingest()
    study.refresh_without_prefect()
    return study


def test_the_list_names_sets_studies_and_definitions(ready_study, asked, data):
    """One line per version, with kind, counts, the study that uses it and the start of the definition's hash."""
    code, out, _ = asked(ready_study, "list")
    (row,) = data(ready_study, "list")[1]
    header, _, line = out.splitlines()
    assert code == 0
    assert header.split("  ")[0] == "feature set"
    assert line.split()[:5] == ["quick@1", "radiomics", "32", "8", "small"]
    assert row["definition_sha256"][:12] in line
    assert row["studies"] == ["small"]


def test_a_search_groups_and_all_lists(two_versions, asked, data):
    """A feature of two versions is one line; --all gives each of its columns a line."""
    code, out, _ = asked(two_versions, "search", "entropy")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[:3] for line in lines[2:3]] == [["firstorder", "Entropy", "TLU2"]]
    assert lines[-1] == "1 feature, 2 columns; --all lists every column"
    _, out, _ = asked(two_versions, "search", "entropy", "--all")
    assert [line.split()[:2] for line in out.splitlines()[2:4]] == [
        ["quick@1", "original_firstorder_Entropy"],
        ["quick@2", "original_firstorder_Entropy"],
    ]
    code, found = data(two_versions, "search", "tlu2")
    assert [(each["name"], each["unit"], each["image_types"]) for each in found] == [("Entropy", "bit", ["original"])]


def test_a_set_is_described(ready_study, asked, data):
    """Settings, libraries, families, deviations, grey levels with their flags, coverage, failures."""
    code, out, _ = asked(ready_study, "describe", "quick")
    assert code == 0
    flat = [" ".join(line.split()) for line in out.splitlines()]
    for line in ("kind radiomics", "bin_width 25.0", "firstorder 18 1 16", "studies small", "no failure"):
        assert line in flat, line
    code, found = data(ready_study, "describe", "quick@1")
    (levels,) = found["grey_levels"]
    (stored,) = ready_study.sql(
        "select min(l) as fewest, median(l) as median, max(l) as most "
        "from (select grey_levels.original as l from quick)"
    )
    assert {name: levels[name] for name in stored} == stored
    assert set(found["libraries"]) == {"PyWavelets", "SimpleITK", "pyradiomics"}
    assert sum(row["extractions"] for row in found["coverage"]) == 8
    assert found["deviations"]


def test_a_column_is_described(ready_study, asked, data):
    """Unit, IBSI code, definition and the quantiles of its values by phase are those of SQL."""
    column = "original_firstorder_Mean"
    code, out, _ = asked(ready_study, "describe", "quick@1", column)
    assert code == 0
    assert f"quick@1 {column}" in out
    assert "Q4LE, follows IBSI" in out
    _, found = data(ready_study, "describe", "quick@1", column)
    stored = ready_study.sql(f"select phase, median({column}) as m from quick group by phase order by phase")
    assert [(row["phase"], row["median"]) for row in found["distribution"]] == [
        (row["phase"], pytest.approx(row["m"])) for row in stored
    ]
    assert "radzoo features stability quick@1 computes it" in out


UNKNOWN = {
    "set": (["describe", "quik"], "did you mean quick@1"),
    "version": (["describe", "quick@9"], "did you mean quick@1"),
    "column": (["describe", "quick", "original_firstorder_Meen"], "original_firstorder_Mean"),
    "word": (["search", "entrpy"], " features search entropy"),
    "compared": (["diff", "quick@1", "quik@2"], "quick@1"),
    "study": (["coverage", "--study", "large"], "small"),
    "stability": (["stability", "quik"], "did you mean quick@1"),
    "readings": (["stability", "quick"], "[[readings]]"),
}


@pytest.mark.parametrize(("arguments", "hint"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_there_leaves_with_three_and_the_nearest(ready_study, asked, arguments, hint):
    """An unknown set, column, word or study leaves with 3, prints no data and names what is near."""
    code, out, err = asked(ready_study, *arguments)
    assert (code, out) == (3, "")
    assert hint in err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments", [["search"], ["describe"], ["diff", "quick"], ["stability", "quick", "--minimum", "2"]]
)
def test_a_slip_leaves_with_two(ready_study, asked, arguments):
    """A missing word or set, and an ICC that cannot be, are faults of usage."""
    code, out, err = asked(ready_study, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


def test_a_difference_shows_settings_and_values(two_versions, asked, data):
    """Another bin width moves the entropy of every mask and leaves shape and mean as they were."""
    code, out, _ = asked(two_versions, "diff", "quick@1", "quick@2")
    assert code == 0
    flat = [" ".join(line.split()) for line in out.splitlines()]
    assert "setting bin_width 25.0 10.0" in flat
    assert "32 shared columns on 8 masks with a row in both" in flat
    _, found = data(two_versions, "diff", "quick@1", "quick")
    assert found["changes"] == [{"kind": "setting", "key": "bin_width", "before": "25.0", "after": "10.0"}]
    largest = {row["feature"]: row["largest"] for row in found["columns"]}
    assert [name for name, value in largest.items() if value > 0] == [
        "original_firstorder_Uniformity",
        "original_firstorder_Entropy",
    ]
    (stored,) = two_versions.sql(
        "select max(abs(b.original_firstorder_Entropy - a.original_firstorder_Entropy) / "
        "greatest(a.original_firstorder_Entropy, b.original_firstorder_Entropy)) as largest "
        "from quick_v1 a join quick_v2 b using (patient, phase)"
    )
    assert largest["original_firstorder_Entropy"] == pytest.approx(stored["largest"])
    assert found["classes"]["equal"] == 30


def test_coverage_counts_missing_failed_and_refused(small_study, asked, data):
    """A mask that is not there and rows not yet computed are told apart, and the exit code is 0 all the same."""
    small_study.mask_file("P1", "DP").unlink()
    small_study.ingest()
    code, out, _ = asked(small_study, "coverage")
    assert code == 0
    assert "file is missing" in out
    assert (
        out.splitlines()[-1] == f"7 extractions not computed yet; next: radzoo --store {small_study.store_root} refresh"
    )
    _, found = data(small_study, "coverage", "--study", "small")
    counts = [(row["phase"], row["masks"], row["extractions"], row["missing"], row["refused"]) for row in found["rows"]]
    assert counts == [("AP", 4, 0, 4, 0), ("DP", 3, 0, 3, 1)]
    small_study.refresh_without_prefect()
    code, out, _ = asked(small_study, "coverage")
    assert (code, "not computed yet" in out) == (0, False)


def test_stability_is_computed_once_and_read_again(reread_study, asked, data):
    """Two equal readings agree fully, a second reader who draws more does not; the second call writes nothing."""
    _, found = data(reread_study, "stability", "quick", "--minimum", "0.95")
    assert (found["computed_now"], found["columns"]) == (True, 64)
    commits = reread_study.snapshot.commit_id
    code, again = data(reread_study, "stability", "quick@1", "--study", "reread", "--minimum", "0.95")
    assert (code, again["computed_now"], reread_study.snapshot.commit_id) == (0, False, commits)
    assert again["families"] == found["families"]
    shown = {(each["phase"], each["family"], each["kind"]): each for each in found["families"]}
    firstorder = shown["AP", "firstorder", "intra"]
    assert (firstorder["patients"], firstorder["features"], firstorder["passing"]) == (6, 18, 18)
    # Every patient's mask is one and the same box: shape does not vary, and has no ICC.
    shape = shown["AP", "shape", "intra"]
    assert (shape["features"], shape["undefined"], shape["passing"]) == (14, 14, 0)
    stored = reread_study.sql(
        "select phase, feature, min(icc) >= 0.95 and count(icc) = 2 as stable from stability group by all"
    )
    assert found["stable_columns"] == sum(bool(row["stable"]) for row in stored)


def test_stability_of_one_kind_and_every_feature(reread_study, asked):
    """--kind leaves the other comparison out, --all lists the bounds of every feature."""
    code, out, _ = asked(reread_study, "stability", "quick", "--kind", "intra", "--all")
    assert code == 0
    assert " inter " not in out
    assert sum("original_firstorder_Mean " in line for line in out.splitlines()) == 2
    assert out.splitlines()[-1] == "36 of 64 columns have an ICC of at least 0.9: intra"


def test_stability_by_the_lower_bound(reread_study, asked, data):
    """With --bound lower the interval's lower end has to reach the minimum: never more columns than by the ICC."""
    _, by_estimate = data(reread_study, "stability", "quick")
    code, by_bound = data(reread_study, "stability", "quick", "--bound", "lower")
    assert (code, by_bound["bound"]) == (0, "lower")
    stored = reread_study.sql(
        "select phase, feature, min(lower) >= 0.9 and count(lower) = 2 as stable from stability group by all"
    )
    assert by_bound["stable_columns"] == sum(bool(row["stable"]) for row in stored) < by_estimate["stable_columns"]
    _, out, _ = asked(reread_study, "stability", "quick", "--bound", "lower")
    assert f"{by_bound['stable_columns']} of 64 columns have a lower bound of the ICC of at least 0.9" in out


def test_an_empty_store_says_what_to_do(tmp_path):
    """Without a store the verbs leave with 3, as all do."""
    done = radzoo_run("--store", str(tmp_path / "none"), "features", "list")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no radzoo store here" in done.stderr


def test_features_load_no_image_reader_and_no_prefect(ready_study):
    """Looking at features needs neither the workflow engine nor the image libraries."""
    code = (
        "import sys; from flows.cli.main import exit_code\n"
        f"exit_code(['--store', {str(ready_study.store_root)!r}, 'features', 'list'])\n"
        "print([name for name in ('prefect', 'SimpleITK', 'radiomics', 'sklearn') if name in sys.modules], "
        "file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
