"""Feast's own part of `store_scale.py`: runs in Feast's virtual environment and prints what it measured as JSON."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

REPEATS = 3


def main() -> None:
    """Register the features of a Parquet file and read all of them at a reference time."""
    source = Path(sys.argv[1])
    names = [name for name in pq.read_schema(source).names if name not in ("series", "acquired_at")]
    with tempfile.TemporaryDirectory() as folder:
        config = RepoConfig(
            project="bench",
            provider="local",
            registry=str(Path(folder) / "registry.db"),
            offline_store={"type": "duckdb"},
            online_store={"type": "sqlite", "path": str(Path(folder) / "online.db")},
            entity_key_serialization_version=3,
        )
        store = FeatureStore(config=config)
        series = Entity(name="series", join_keys=["series"], value_type=ValueType.STRING)
        view = FeatureView(
            name="radiomics",
            entities=[series],
            ttl=timedelta(days=4000),
            schema=[Field(name=name, dtype=Float64) for name in names],
            source=FileSource(path=str(source), timestamp_field="acquired_at"),
        )
        store.apply([series, view])
        asked = pq.read_table(source, columns=["series"]).to_pandas()
        asked["event_timestamp"] = pd.Timestamp(datetime(2023, 1, 1, tzinfo=UTC))
        features = [f"radiomics:{name}" for name in names]
        taken, rows = [], 0
        for _ in range(REPEATS + 1):
            started = time.perf_counter()
            rows = store.get_historical_features(entity_df=asked, features=features).to_arrow().num_rows
            taken.append(time.perf_counter() - started)
    found = {"seconds": statistics.median(taken[1:]), "rows": rows, "repeats": REPEATS}
    print(json.dumps(found | {"feast": f"Feast {version('feast')}"}))


if __name__ == "__main__":
    main()
