"""The patients that the statistics are checked on."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest


@pytest.fixture(scope="session")
def oracle(shared_data):
    """Return what R's pROC 1.18 and psych 2.2.9 printed."""
    return json.loads(shared_data("statistics_oracles/oracle.json").read_text())


@pytest.fixture(scope="session")
def asah(shared_data):
    """Return outcome and three markers of the 113 patients that come with pROC, by column name."""
    with shared_data("statistics_oracles/aSAH.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in ("y", "wfns", "s100b", "ndka")}
