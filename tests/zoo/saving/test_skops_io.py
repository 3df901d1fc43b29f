"""Tests of how skops is loaded."""

import subprocess
import sys

import pytest

TRAINED = """
import sys
from zoo.saving.skops_io import load_skops_small, skops_io
{first}
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils import all_estimators
fitted = LogisticRegression().fit(np.arange(8.0)[:, None], np.arange(8) > 3)
dumped = skops_io().dumps(fitted)
print(len(skops_io().get_untrusted_types(data=dumped)), "torch" in sys.modules, len(all_estimators()) > 100)
again = skops_io().loads(dumped, trusted=["sklearn.linear_model._logistic.LogisticRegression"])
assert (again.coef_ == fitted.coef_).all()
"""


@pytest.mark.parametrize(
    ("first", "said"),
    [("load_skops_small()", "1 False True"), ("", "0 True True")],
    ids=["a program of the project's own", "another program"],
)
def test_skops_is_small_in_a_program_of_our_own_alone(first: str, said: str) -> None:
    """There it trusts no estimator unasked and loads no PyTorch; to others skops and scikit-learn stay as they are."""
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", TRAINED.format(first=first)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == said
