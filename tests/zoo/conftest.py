"""Stores whose features and clinical values a test decides, written without images."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from builders.written_cohorts import cohort_with_gaps, cohort_with_signal
from builders.written_store import WrittenStore


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say in one line where a test failed that is expected to: for more, all of scikit-learn's checks are parsed."""
    style = item.config.option.tbstyle
    if item.get_closest_marker("xfail"):
        item.config.option.tbstyle = "line"
    try:
        return (yield)
    finally:
        item.config.option.tbstyle = style


@pytest.fixture
def written_store(tmp_path: Path) -> WrittenStore:
    """Return an empty store with a study of clinical and radiomics models."""
    return WrittenStore(tmp_path / "store")


@pytest.fixture(scope="session")
def pristine_cohort(tmp_path_factory: pytest.TempPathFactory) -> WrittenStore:
    """Return a store of 90 patients, 60 of them in training, whose values carry a signal; tests only read it."""
    return cohort_with_signal(tmp_path_factory.mktemp("cohort") / "store")


@pytest.fixture
def cohort_of_90(pristine_cohort: WrittenStore, tmp_path: Path) -> WrittenStore:
    """Return a copy of the store of 90 patients, to be changed."""
    return pristine_cohort.copied(tmp_path)


@pytest.fixture(scope="session")
def tables_of_12(tmp_path_factory: pytest.TempPathFactory) -> WrittenStore:
    """Return a store of 12 patients and a study whose models read every kind of table; tests only read it."""
    return cohort_with_gaps(tmp_path_factory.mktemp("tables") / "store")
