"""Tests of how skops is loaded."""

import subprocess
import sys

from zoo.saving.skops_io import skops_io

PROGRAM = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from zoo.saving.skops_io import load_skops_small, skops_io
load_skops_small()
at_once = threading.Barrier(4)
with ThreadPoolExecutor(4) as threads:
    found = set(threads.map(lambda _: at_once.wait() and None or skops_io(), range(4)))
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils import all_estimators
fitted = LogisticRegression().fit(np.arange(8.0)[:, None], np.arange(8) > 3)
dumped = skops_io().dumps(fitted)
untrusted = skops_io().get_untrusted_types(data=dumped)
again = skops_io().loads(dumped, trusted=untrusted)
assert (again.coef_ == fitted.coef_).all()
is_torch_loaded = "torch" in sys.modules
print(len(found), untrusted, is_torch_loaded, len(all_estimators()) > 100)
"""


def test_a_program_of_our_own_loads_skops_small() -> None:
    """It trusts no estimator unasked and loads no PyTorch; scikit-learn stays as it is, though threads load at once."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 ['sklearn.linear_model._logistic.LogisticRegression'] False True"


def test_to_others_skops_stays_as_it_is() -> None:
    """A process that is no program of the project's own, such as this one, trusts scikit-learn's estimators."""
    from sklearn.linear_model import LogisticRegression

    assert skops_io().get_untrusted_types(data=skops_io().dumps(LogisticRegression())) == []
