"""The mask by intraclass correlation: what is kept, by estimate or lower bound, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from schemas.errors import ContractError
from zoo.evaluation.agreement import icc_agreement
from zoo.selection.agreement import IccSelector

ICC = {"AP__a": (0.95, 0.85), "AP__b": (0.90, 0.91), "AP__c": (0.89, 0.80), "AP__d": (np.nan, np.nan)}
TABLE = pl.DataFrame({name: [1.0, 2.0, 3.0] for name in [*ICC, "AP__e"]})


@parametrize_with_checks([IccSelector(), IccSelector({f"x{column}": (1.0, 1.0) for column in range(50)})])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    """The selector passes every check that scikit-learn has for a transformer, with a mapping and without."""
    check(estimator)


@pytest.mark.parametrize(("bound", "kept"), [("estimate", ["AP__a", "AP__b"]), ("lower", ["AP__b"])])
def test_columns_at_or_above_the_minimum_are_kept(bound: Any, kept: list[str]) -> None:
    """The minimum itself passes; a column without an ICC, or of which nothing is known, does not."""
    selector = IccSelector(ICC, minimum=0.9, bound=bound).fit(TABLE)
    assert selector.get_feature_names_out().tolist() == kept


def test_the_bounds_of_real_readings_select() -> None:
    """Of a feature that two readers measure alike and one that they do not, the first is kept, by its bound too."""
    random = np.random.default_rng(0)
    truth = random.normal(size=(30, 1, 2))
    ratings = truth + random.normal(size=(30, 2, 2)) * [0.05, 1.5]
    found = icc_agreement(ratings)
    icc = {name: (found.value[i], found.lower[i]) for i, name in enumerate(("AP__same", "AP__other"))}
    table = pl.DataFrame({name: random.normal(size=9) for name in icc})
    assert IccSelector(icc, bound="lower").fit(table).get_feature_names_out().tolist() == ["AP__same"]


def test_nothing_agrees() -> None:
    """When no column passes there is nothing to train on, and it is said instead of keeping one."""
    with pytest.raises(ContractError, match=r"ICC of 0\.99 or more"):
        IccSelector(ICC, minimum=0.99).fit(TABLE)


@pytest.mark.parametrize(("parameters", "named"), [({"minimum": 1.5}, "minimum"), ({"bound": "upper"}, "bound")])
def test_parameters_without_meaning(parameters: Any, named: str) -> None:
    """A parameter without meaning is refused by name."""
    with pytest.raises(ValueError, match=named):
        IccSelector(ICC, **parameters).fit(TABLE)
