"""A store that machines share, with a study of tiny lesions, and the state in which its refresh ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builders.study import SmallStudy
from killing import end_state, ingested

from store.address import write_address
from store.home import Store

ROOT = Path(__file__).parents[3]


@pytest.fixture
def shared_store(tmp_path: Path, new_address: Callable[..., object]) -> Path:
    """Return the folder of a store on PostgreSQL and S3 into which a study of tiny lesions is ingested."""
    write_address(tmp_path / "store", new_address("postgresql-s3", with_tables=True))
    # In a process of its own, which leaves no connection open here.
    code = f"from pathlib import Path; from killing import ingested; ingested(Path({str(tmp_path)!r}))"
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, check=True)
    return tmp_path / "store"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the state in which a refresh of the same study in one process ends."""
    folder = tmp_path_factory.mktemp("undisturbed")
    SmallStudy(folder / "study", ingested(folder), "killed").refresh_without_prefect()
    return end_state(Store(folder / "store"))
