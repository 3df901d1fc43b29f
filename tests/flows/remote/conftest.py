"""A small study whose images and masks lie in a bucket of a real S3-compatible server."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from buckets.study import Bucket, move_to_bucket
from builders.study import SmallStudy


@pytest.fixture
def bucket(s3_server: str) -> Bucket:
    """Return a folder of a bucket that no other test knows."""
    place, _, options = s3_server.partition("?")
    return Bucket(f"{place}/{uuid.uuid4().hex}?{options}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of this machine's copies, of this test alone."""
    monkeypatch.setenv("RADZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def remote_study(tmp_path: Path, bucket: Bucket, cache: Path) -> SmallStudy:
    """Return a small study, not ingested, whose images and masks lie in the bucket and nowhere else."""
    study = SmallStudy(tmp_path / "remote", tmp_path / "remote-store").write()
    move_to_bucket(study, bucket)
    return study
