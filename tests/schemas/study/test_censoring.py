"""How a study file says that models are weighed for the censored; what was said before stays on record as it was."""

from __future__ import annotations

import pytest

from schemas.errors import ContractError
from schemas.study.file import Study
from schemas.study.text import parsed_study

TIMES = 'kind = "time_to_event"\nname = "o"\nevent = "e"\ntime = "t"\nunit = "mo"\nhorizon = 24\n'
BINARY = 'kind = "binary"\nname = "o"\ncolumn = "o"\n'


def study(outcome: str = TIMES, models: str = "[models.cr]\n") -> Study:
    """Return a study of one variable with an outcome and models."""
    start = '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "p.csv"\n[clinical.variables]\nage = { unit = "a" }\n'
    return parsed_study(f"{start}[outcome]\n{outcome}\n{models}", "study.toml")


def test_complete_cases_are_the_default_and_leave_no_mark() -> None:
    """A study that says nothing of it is on record as by a release that knew nothing of it."""
    plain = study()
    assert not plain.weighs_the_censored("cr")
    assert "censoring" not in plain.model_dump_json()
    assert study(TIMES + 'censoring = "complete-cases"\n').model_dump_json() == plain.model_dump_json()
    weighed = study(TIMES + 'censoring = "weights"\n')
    assert weighed.model_dump(mode="json")["outcome"]["censoring"] == "weights"
    assert Study.model_validate_json(weighed.model_dump_json()) == weighed


def test_a_model_may_say_otherwise_than_the_outcome() -> None:
    """A model that the file does not name goes with the outcome, a variant with its base, unless it says so itself."""
    models = (
        '[models.cr]\n[models.radiomics_lr]\ncensoring = "complete-cases"\n'
        '[models.a]\nbase = "radiomics_lr"\n[models.b]\nbase = "radiomics_lr"\ncensoring = "weights"\n'
    )
    weighed = study(TIMES + 'censoring = "weights"\n', models)
    again = Study.model_validate_json(weighed.model_dump_json())
    for each in (weighed, again):
        assert {name: each.weighs_the_censored(name) for name in ("cr", "radiomics_lr", "a", "b", "rcr")} == {
            "cr": True,
            "radiomics_lr": False,
            "a": False,
            "b": True,
            "rcr": True,
        }
    assert study(TIMES, '[models.cr]\ncensoring = "weights"\n').weighs_the_censored("cr")


def test_weights_need_times() -> None:
    """A binary outcome has nobody who is censored: the key is refused with its line, there and of a model."""
    with pytest.raises(ContractError, match="censoring"):
        study(BINARY + 'censoring = "weights"\n')
    with pytest.raises(ContractError, match="'cr' weighs for the censored, and the outcome has no times") as caught:
        study(BINARY, '[models.cr]\ncensoring = "weights"\n')
    assert "study.toml:14:" in str(caught.value)
    assert not study(BINARY, '[models.cr]\ncensoring = "complete-cases"\n').weighs_the_censored("cr")
    with pytest.raises(ContractError, match="censoring"):
        study(TIMES + 'censoring = "ipcw"\n')
