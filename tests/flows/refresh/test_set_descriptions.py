"""What is told of a feature set: departures that follow its settings, kept up to date, and images that do not fit."""

from __future__ import annotations

import json

import pytest

from schemas.features.ibsi_departures import departures
from schemas.features.radiomics_settings import RadiomicsSettings
from store.commits.commit import commit_to

SETTINGS = """[define.quick.radiomics]
families = ["shape", "firstorder"]
bin_width = 25
"""
MEANT_FOR_CT = f'[define.quick]\nmodality = "CT"\n\n{SETTINGS}'
WARNING = "quick is meant for CT, and phase AP is declared MR, phase DP is declared MR: take mr@1, or declare"


def with_settings(study, more):
    """Ask for the study's set with more settings, and compute it."""
    study.edit("bin_width = 25", f"bin_width = 25\n{more}")
    study.ingest()
    study.refresh_without_prefect()
    return json.loads(study.sql("select deviations from feature_sets order by version desc limit 1")[0]["deviations"])


def test_the_store_lists_what_the_settings_bring(small_study):
    """A set of a store departs from IBSI in what its own settings do, each feature where it is touched."""
    first = with_settings(small_study, "voxel_array_shift = 10")
    assert "voxel-array-shift" in first
    assert "whole-image-normalisation" not in first
    flagged = {
        row["name"]: row["deviation"]
        for row in small_study.sql("select name, deviation from features where not ibsi_compliant")
    }
    assert "that constant is added" in flagged["Energy"]
    assert set(flagged) == {
        *("Energy", "RootMeanSquared", "TotalEnergy", "Kurtosis"),
        *("LeastAxisLength", "MinorAxisLength", "MajorAxisLength"),
        *(f"Maximum2DDiameter{each}" for each in ("Slice", "Row", "Column")),
    }
    small_study.edit("voxel_array_shift = 10", "")
    second = with_settings(small_study, "normalize = true")
    settings = RadiomicsSettings(families=("shape", "firstorder"), bin_width=25, normalize=True)
    assert second == departures(settings)
    assert "whole-image-normalisation" in second
    assert "voxel-array-shift" not in second


def test_a_refresh_brings_what_an_older_release_told_up_to_date(small_study, capsys):
    """The next refresh writes the list and the dictionary in one commit, computes nothing, and does so once."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    query = "select feature_set, deviations, definition_sha256 from feature_sets"
    right, values = small_study.sql(query), small_study.sql("from quick order by all")
    words = small_study.sql("from features order by feature")
    with commit_to(small_study.store, "as an older release left it") as commit:
        for table, change in (
            ("feature_sets", {"deviations": '{"grid-aligned-at-corner": "."}'}),
            ("features", {"deviation": "other", "ibsi_compliant": 0}),
        ):
            rows = small_study.snapshot.rows(table)
            commit.put(table, [row | change for row in rows])
    assert small_study.sql(query) != right

    _, out, _ = small_study.ask(capsys, "refresh", "--check")
    assert "to be computed 0" in out
    assert small_study.sql(query) != right
    code, out, err = small_study.ask(capsys, "refresh")
    assert (code, "computed 0, reused 0, failed 0, unchanged 8" in out) == (0, True)
    assert "quick@1: the store's dictionary and list of departures from IBSI are brought up to date" in err
    assert small_study.sql(query) == right
    assert small_study.sql("from features order by feature") == words
    assert small_study.sql("from quick order by all") == values
    commits = small_study.sql("from commits")
    code, _, err = small_study.ask(capsys, "refresh")
    assert (code, "brought up to date" in err) == (0, False)
    assert small_study.sql("from commits") == commits


@pytest.mark.parametrize("verb", ["ingest", "refresh"])
def test_a_set_that_does_not_fit_the_images_is_warned_of(small_study, capsys, verb):
    """Ingest and refresh say so in one line on stderr, each time, and do their work."""
    small_study.edit(SETTINGS, MEANT_FOR_CT)
    code, out, err = small_study.ask(capsys, "ingest", small_study.file)
    assert (code, "commit 1" in out) == (0, True)
    if verb == "refresh":
        small_study.refresh_without_prefect()
        code, out, err = small_study.ask(capsys, "refresh", "--json")
        assert (code, json.loads(out)[0]["unchanged"]) == (0, 8)
    lines = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert len(lines) == 1
    assert WARNING in lines[0]


def test_a_set_is_described_with_what_it_is_meant_for(small_study, capsys):
    """The description has the modality, the aggregation and the warning; a column says how it is prepared."""
    small_study.edit(SETTINGS, MEANT_FOR_CT.replace('"firstorder"', '"firstorder", "glcm"') + "normalize = true\n")
    small_study.ingest()
    small_study.refresh_without_prefect()
    _, out, _ = small_study.ask(capsys, "features", "describe", "quick")
    flat = [" ".join(line.split()) for line in out.splitlines()]
    assert "meant for CT" in flat
    assert "aggregation glcm ITBB" in flat
    assert any(line.startswith(f"warning: study small: {WARNING}") for line in flat)
    _, out, _ = small_study.ask(capsys, "features", "describe", "quick", "--json")
    found = json.loads(out)
    assert (found["modalities"], len(found["warnings"])) == (["CT"], 1)
    assert found["row"]["feature_set"] == "quick@1"

    _, out, _ = small_study.ask(capsys, "features", "describe", "quick", "original_firstorder_Mean")
    assert "Q4LE, calculated as in IBSI" in out
    assert "whole-image-normalisation" in out
    _, out, _ = small_study.ask(capsys, "features", "describe", "quick", "original_firstorder_Skewness")
    assert "KE2A, follows IBSI" in out
    _, out, _ = small_study.ask(capsys, "features", "describe", "quick", "original_firstorder_Entropy", "--json")
    assert json.loads(out)["preparation"] == [
        "whole-image-normalisation",
        "bin-edges-from-zero",
        "fixed-width-on-arbitrary-units",
    ]


def test_a_study_keeps_a_set_of_its_own_that_has_a_younger_built_in_name(small_study):
    """A study may define a set called ct: it was its own before radzoo had one. The older names stay taken."""
    small_study.edit('feature_sets = ["quick"]', 'feature_sets = ["ct"]')
    small_study.edit("[define.quick.radiomics]", "[define.ct.radiomics]")
    small_study.ingest()
    assert small_study.refresh_without_prefect().feature_set == "ct@1"
    assert small_study.sql("select count(*) as columns from features") == [{"columns": 32}]
