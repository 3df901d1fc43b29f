"""Riley's sample size against its authors' own examples."""

from __future__ import annotations

import pytest

from schemas.errors import ContractError
from zoo.logistic.sample_size import largest_cox_snell, needed_patients


def test_the_example_of_the_authors_software() -> None:
    """Riley's pmsampsize: 24 parameters, prevalence .174, R-squared .288 need 623, 662 and 221 patients."""
    found = needed_patients(24, 0.174, 0.288)
    assert (found.shrinkage, found.optimism, found.prevalence, found.patients) == (623, 662, 221, 662)


def test_the_example_of_the_guide() -> None:
    """BMJ 2020;368:m441, pre-eclampsia: 30 parameters, prevalence .05, R-squared .05 need 5,249 patients."""
    assert largest_cox_snell(0.05) == pytest.approx(0.33, abs=0.005)
    assert needed_patients(30, 0.05, 0.05).patients == 5249


def test_where_nothing_is_known_15_percent_is_explained() -> None:
    """The default is Nagelkerke's R-squared of .15."""
    assert needed_patients(10, 0.5) == needed_patients(10, 0.5, 0.15 * largest_cox_snell(0.5))
    assert largest_cox_snell(0.5) == pytest.approx(0.75)


@pytest.mark.parametrize(("parameters", "prevalence", "cox_snell"), [(0, 0.5, None), (3, 1.0, None), (3, 0.05, 0.4)])
def test_what_cannot_be_is_refused(parameters: int, prevalence: float, cox_snell: float | None) -> None:
    """No parameter, one label, and more explained than there is."""
    with pytest.raises(ContractError):
        needed_patients(parameters, prevalence, cox_snell)
