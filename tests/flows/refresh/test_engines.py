"""A refresh by either engine leaves the same rows, and says which one calculated."""

import pytest
from builders.study import SmallStudy


def refreshed(root, engine):
    """Return a small study, ingested and refreshed by an engine."""
    study = SmallStudy.below(root)
    study.ingest()
    assert study.refresh(engine=engine).computed == 8
    return study


def test_either_engine_leaves_the_same_rows(tmp_path, prefect_server):
    """Values agree to nine digits, extractions have the same ids, and the run names the engine."""
    fast, reference = (refreshed(tmp_path / engine, engine) for engine in ("fast", "pyradiomics"))
    rows = [study.sql("from quick_v1 order by all") for study in (fast, reference)]
    assert [row.keys() for row in rows[0]] == [row.keys() for row in rows[1]]
    for own, other in zip(*rows, strict=True):
        assert own["extraction_id"] == other["extraction_id"]
        numbers = [{name: value for name, value in row.items() if isinstance(value, float)} for row in (own, other)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-9)
    for study, engine in ((fast, "fast"), (reference, "pyradiomics")):
        (run,) = study.sql("select parameters from runs where flow = 'refresh'")
        assert f'"engine":"{engine}"' in run["parameters"]
