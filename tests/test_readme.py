"""What README and docs say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.cli.verbs import ALL_VERBS, GROUPS, VERBS
from schemas.study.file import Study
from schemas.study.text import parsed_study
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ALL_VERBS)
def test_every_verb_stands_in_the_readme_with_its_own_words(name: str) -> None:
    """The README's list of verbs has each verb and its summary, no other and no older one."""
    assert f"| `radzoo {name}` | {ALL_VERBS[name].summary} |" in README


def test_the_readme_names_no_verb_that_does_not_exist() -> None:
    """Every ``radzoo VERB`` in a console block is a verb of the command line."""
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
    named = set(re.findall(r"radzoo (?:--store \S+ )?([a-z]+)", blocks))
    assert named
    assert named <= {*VERBS, *GROUPS}


def test_the_readmes_questions_can_be_asked(tmp_path: Path) -> None:
    """Every SQL question in the README is one that a store answers, here an empty one."""
    snapshot = Snapshot(Store(tmp_path / "store", create=True))
    questions = re.findall(r'sql "([^"]+)"', README)
    assert questions
    for question in questions:
        assert answer(snapshot, question).column_names


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "docs/architecture.md",
        "docs/guide.md",
        "docs/expectations.md",
        "docs/monitoring.md",
        "docs/python.md",
        "docs/store.md",
        "docs/study-file.md",
        "docs/adr/README.md",
    ],
)
def test_links_lead_to_files_that_exist(file: str) -> None:
    """A relative link of the documentation is not broken."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert ((ROOT / file).parent / target).exists(), target


def test_the_page_on_the_study_file_names_every_key() -> None:
    """Each key that a study file may have stands in docs/study-file.md."""
    page = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")
    schema = Study.model_json_schema()
    keys = {name for each in schema["$defs"].values() for name in each.get("properties", {})}
    settings = set(schema["$defs"]["RadiomicsSettings"]["properties"])  # documented where they are defined
    missing = sorted(key for key in keys - settings if f"`{key}`" not in page and f"`{key} =" not in page)
    assert missing == []


def test_the_pages_examples_are_parts_of_a_study_file() -> None:
    """The examples of docs/study-file.md parse: an own feature set, a DICOM phase, variants, cases, privacy."""
    page = (ROOT / "docs" / "study-file.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    table, own_set, standardised, variant, dicom, cases, privacy, weights = (
        next(each for each in examples if part in each)
        for part in (
            "encoding =",
            "[define.quick]",
            "[define.mr-standard",
            "[models.lr_portal]",
            "series =",
            "[lesions]",
            "[privacy]",
            "censoring =",
        )
    )
    header, cohort = '[study]\nid = "s"\ntitle = "t"\n', '[cohort]\ntable = "p.csv"\n'
    rest = f'{header}{cohort}[phases.PVP]\nimage = "i"\nmask = "m"\n'
    assert parsed_study(header + cases, "study.toml").lesions.use == "largest"
    written = parsed_study(f'{table}{header}[imported.f]\ntable = "f"\n', "study.toml").cohort
    assert (written.encoding, written.dates, written.patient) == ("cp1252", "DD.MM.YYYY", ("site", "id"))
    assert parsed_study(own_set + rest, "study.toml").feature_sets == ("quick",)
    radiomics = parsed_study(rest + standardised, "study.toml").define["mr-standard"].radiomics
    assert radiomics.landmarks_of("PVP").values == (0.0, 41.3, 100.0)
    assert parsed_study(rest + privacy, "study.toml").privacy.dates == "shift"
    study = parsed_study(rest + weights, "study.toml")
    assert [study.weighs_the_censored(model) for model in ("radiomics_lr", "lr_complete")] == [True, False]
    phase = parsed_study(rest + dicom, "study.toml").phases["AP"]
    assert (phase.series.description, phase.segment) == ("*arterial*", "Lesion")
    settings = parsed_study(variant + rest, "study.toml").settings_of("lr_portal")
    assert (settings.phases, settings.correction) == (("PVP",), "benjamini-hochberg")
