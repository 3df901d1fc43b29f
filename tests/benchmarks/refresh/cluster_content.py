"""Whole studies on real clusters, with their catalogue in PostgreSQL and their data in a bucket.

    PYTHONPATH=tests python tests/benchmarks/refresh/cluster_content.py [--studies demo] [--clusters ray] [--data DIR]

The demonstration's study, and the soft-tissue sarcomas of the IBSI where their folder is given or lies where the tests
look, are refreshed by this machine's processes, and then by a real Dask scheduler with two workers and by a real Ray
cluster: undisturbed; with a worker killed by SIGKILL in the middle; and with the whole verb killed in the middle and
repeated from another folder, as another machine would. Each store is new, its servers are real processes. What is
compared is a hash of the sorted rows that a refresh commits and of all values of all segments.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
from clusters.dask_processes import running_dask
from clusters.ray_processes import running_ray
from clusters.runs import children, extracting
from pyarrow.fs import S3FileSystem
from servers import postgresql_binaries, running_postgresql, running_s3
from sqlalchemy import create_engine, make_url, text

from flows.demo.files import demo_study
from store.address import StoreAddress, stored_address, write_address
from store.history.snapshot import Snapshot
from store.home import Store

DATA = Path(os.environ.get("RADZOO_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
TABLES = ("feature_sets", "features", "extractions", "study_extractions", "failures")
PHASES = {"MR_T1": "MR", "PET": "PET", "CTcrop": "CT"}
SARCOMA = """feature_sets = ["hcc-cemri@1"]
[study]
id = "sarcoma"
title = "Soft-tissue sarcoma: lung metastasis"
[cohort]
table = "{data}/outcome.csv"
[outcome]
kind = "binary"
name = "lung_metastasis"
column = "lung_metastasis"
"""
PHASE = """[phases.{phase}]
image = "{data}/nifti/{{patient}}/{phase}_image.nii.gz"
mask = "{data}/nifti/{{patient}}/{phase}_mask.nii.gz"
modality = "{modality}"
"""


class Servers(NamedTuple):
    """Where new stores' catalogues and data go."""

    postgresql: str
    s3: str

    def address(self) -> StoreAddress:
        """Return the address of a store that is not there yet."""
        name = f"t{uuid.uuid4().hex}"
        engine = create_engine(
            make_url(self.postgresql).set(drivername="postgresql+pg8000"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(f"create database {name}"))
        engine.dispose()
        base, _, options = self.s3.partition("?")
        return StoreAddress(f"{self.postgresql.rpartition('/')[0]}/{name}", f"{base}/{name}?{options}")


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Give a PostgreSQL server and an S3 server that end with the block."""
    binaries = postgresql_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    with running_postgresql(binaries) as url, running_s3() as s3:
        os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        options = {"endpoint_override": s3, "scheme": "http", "region": "us-east-1"}
        S3FileSystem(allow_bucket_creation=True, **options).create_dir("radzoo")
        yield Servers(url, f"s3://radzoo?{urlencode(options)}")


def radzoo(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a verb in a process group of its own."""
    entry = "from flows.cli.main import main; main()"
    log = root.with_name(f"{root.name}.log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-c", entry, "--store", str(root), *arguments], stdout=log, stderr=log, start_new_session=True
    )


def done(root: Path, *arguments: str) -> None:
    """Run a verb to its end."""
    if code := radzoo(root, *arguments).wait():
        raise SystemExit(f"radzoo {' '.join(arguments)} ended with {code}: see {root}.log")


def content(root: Path) -> tuple[str, int]:
    """Return a hash of what a store's refresh has committed, whatever segments it lies in, and how many extractions."""
    with closing(Store(root)) as store:
        snapshot = Snapshot(store)
        digest = hashlib.sha256()
        for table in TABLES:
            rows = [{k: v for k, v in row.items() if k != "segment_id"} for row in snapshot.rows(table)]
            digest.update(json.dumps(sorted(json.dumps(row, sort_keys=True) for row in rows)).encode())
        for row in sorted(snapshot.rows("feature_sets"), key=lambda each: each["feature_set"]):
            files = [
                store.segments.local(each["path"], sha256=each["sha256"])
                for each in snapshot.rows("segments", feature_set=row["feature_set"])
            ]
            if files:
                every = pa.concat_tables([pq.read_table(file) for file in files]).sort_by("extraction_id")
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, every.schema.remove_metadata()) as writer:
                    writer.write_table(every.replace_schema_metadata(None).combine_chunks())
                digest.update(sink.getvalue())
        return digest.hexdigest(), len(snapshot.rows("extractions"))


def staged(root: Path) -> int:
    """Return how many extractions a run has finished and not committed."""
    return len(list(root.glob("staging/*/*.json")))


def wait_until_half(running: subprocess.Popen[bytes], root: Path, number: int) -> None:
    """Wait until a run has finished so many extractions."""
    while running.poll() is None and staged(root) < number:
        time.sleep(0.02)
    if running.poll() is not None:
        said = root.with_name(f"{root.name}.log").read_text()
        raise SystemExit(f"the run ended with {running.returncode} before it could be disturbed:\n{said[-2000:]}")


def measured(name: str, study: Path, folder: Path, servers: Servers, clusters: Collection[str]) -> bool:
    """Print a study's rows of the table; return whether all contents are the same."""
    local = folder / "local"
    done(local, "ingest", str(study))
    began = time.perf_counter()
    done(local, "refresh")
    wanted, extractions = content(local)
    print(f"| {name}, {extractions} extractions | this machine's processes | {time.perf_counter() - began:.0f} s | |")
    are_same = True

    def told(what: str, root: Path, began: float) -> None:
        nonlocal are_same
        found, _ = content(root)
        are_same &= found == wanted
        took = time.perf_counter() - began
        print(f"| | {what} | {took:.0f} s | {'the same' if found == wanted else 'ANOTHER'} |", flush=True)

    def new(place: str) -> Path:
        root = folder / place
        write_address(root, servers.address())
        done(root, "ingest", str(study))
        return root

    def disturbed(kind: str, runner: str, kill_worker: Callable[[], None]) -> None:
        root = new(f"{kind}-undisturbed")
        began = time.perf_counter()
        done(root, "refresh", "--runner", runner)
        told(f"{kind}, undisturbed", root, began)

        root = new(f"{kind}-worker")
        began = time.perf_counter()
        running = radzoo(root, "refresh", "--runner", runner)
        wait_until_half(running, root, extractions // 6)
        kill_worker()
        if running.wait():
            raise SystemExit(f"the refresh ended with {running.returncode}: see {root}.log")
        told(f"{kind}, a worker killed", root, began)

        root = new(f"{kind}-driver")
        began = time.perf_counter()
        running = radzoo(root, "refresh", "--runner", runner)
        wait_until_half(running, root, extractions // 6)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        other = folder / f"{kind}-other"
        write_address(other, stored_address(root))
        done(other, "refresh", "--runner", runner)
        told(f"{kind}, the verb killed, repeated from another folder", other, began)

    if "dask" in clusters:
        place = folder / "dask"
        place.mkdir()
        with running_dask(place) as dask:

            def kill_dask_worker() -> None:
                victim = dask.start_worker()
                while not children(victim.pid):
                    time.sleep(0.05)
                victim.kill()

            disturbed("Dask", dask.runner, kill_dask_worker)
    if "ray" in clusters:
        with running_ray() as ray:
            disturbed("Ray", ray.runner, lambda: os.kill(extracting(ray.head)[0], signal.SIGKILL))
    return are_same


def sarcoma_study(folder: Path, data: Path) -> Path:
    """Write the study file of the sarcomas and return it."""
    folder.mkdir(parents=True)
    phases = "".join(PHASE.format(phase=phase, data=data, modality=kind) for phase, kind in PHASES.items())
    file = folder / "study.toml"
    file.write_text(SARCOMA.format(data=data) + phases)
    return file


def main() -> None:
    """Measure the studies that are asked for; the exit status is 1 where a content is another one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", nargs="+", default=["sarcoma", "demo"], choices=["demo", "sarcoma"])
    parser.add_argument("--clusters", nargs="+", default=["dask", "ray"], choices=["dask", "ray"])
    parser.add_argument("--patients", type=int, default=165, help="of the demonstration")
    parser.add_argument("--data", type=Path, default=DATA / "sts_cohort", help="the folder of the sarcomas")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    are_same = True
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="radzoo-clusters-")))
        print("| study | who extracts | from its start to the end | content |\n|---|---|---|---|", flush=True)
        for name in asked.studies:
            place = folder / name
            if name == "demo":
                study = demo_study(place / "study", patients=asked.patients)
            else:
                study = sarcoma_study(place / "study", asked.data)
            are_same &= measured(name, study, place, servers, asked.clusters)
    sys.exit(0 if are_same else 1)


if __name__ == "__main__":
    main()
