"""What a cluster costs beside this machine's processes: tiny extractions by both, and the memory of who hands them out.

    PYTHONPATH=tests OMP_NUM_THREADS=1 python tests/benchmarks/refresh/runners.py [--extractions 20000] [--local 2000]

A hundred images of 12 x 10 x 8 voxels with a lesion each are written. They are asked for again and again under other
ids, one extraction a patient: the least work that a runner hands out, so that what it takes itself shows. A real Dask
scheduler and two workers of one thread, processes of their own, do all of them; two processes of this machine some,
and a loop in this one a few, which is what the work itself takes. The resident memory of this process and of the
scheduler is read once a second, and told at the first tenth of the work and at each quarter.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from builders.batches import computed_batch
from clusters.dask_processes import running_dask

from flows.engine.runners.address import runner_of
from flows.engine.runners.cluster import Cluster, pieces_at_once
from flows.engine.runners.opened import opened_cluster
from flows.extract.planned import PlannedExtraction
from flows.imaging.volumes import image_sha256, mask_sha256
from flows.refresh.feature_sets import BoundFeatureSet
from flows.refresh.flow import extract_batches
from flows.refresh.kinds.radiomics import RadiomicsKind
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.keys import MaskKey

IMAGES = 100
WORKERS = 2
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)


def written_inputs(folder: Path) -> list[dict[str, object]]:
    """Return the files and hashes of tiny images and masks, written below a folder."""
    draw = np.random.default_rng(7)
    found = []
    for number in range(IMAGES):
        image = sitk.GetImageFromArray(draw.normal(500, 80, (8, 10, 12)).astype(np.float32))
        lesion = np.zeros((8, 10, 12), np.uint8)
        lesion[2:6, 3:8, 3 : 7 + number % 4] = 1
        mask = sitk.GetImageFromArray(lesion)
        files = [folder / f"{number}.nii", folder / f"{number}_mask.nii"]
        for volume, file in zip((image, mask), files, strict=True):
            sitk.WriteImage(volume, str(file))
        read = [sitk.ReadImage(str(file)) for file in files]
        found.append(
            {
                "image_source": str(files[0]),
                "mask_source": str(files[1]),
                "mask_label": 1,
                "image_sha256": image_sha256(read[0]),
                "mask_sha256": mask_sha256(read[1]),
                "volume_mm3": float(lesion.sum()),
            }
        )
    return found


def planned_batches(inputs: list[dict[str, object]], count: int) -> list[list[PlannedExtraction]]:
    """Return so many batches of one extraction each, with ids of their own."""
    return [
        [
            PlannedExtraction(
                key=MaskKey(f"P{number}", "baseline", "AP", "L1", "reader", 1),
                extraction_id=hashlib.sha256(str(number).encode()).hexdigest(),
                **inputs[number % len(inputs)],
            )
        ]
        for number in range(count)
    ]


def resident_mib(process: int) -> float:
    """Return a process's resident memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def processor_s(process: int) -> float:
    """Return the seconds of a processor that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


class Watched:
    """Counts extractions that end, and keeps the memory of processes by how many had ended."""

    def __init__(self, processes: dict[str, int]) -> None:
        self.done = 0
        self.seen: list[tuple[int, dict[str, float]]] = []
        self._processes = processes
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def advance(self, steps: int = 1, work: float | None = None) -> None:
        """Count."""
        with self._lock:
            self.done += steps

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()

    def _look(self) -> None:
        while not self._is_over.wait(1):
            self.seen.append((self.done, {name: resident_mib(each) for name, each in self._processes.items()}))


def told(name: str, watched: Watched, count: int, seconds: float) -> None:
    """Print what a runner took."""
    print(f"{name}: {count} extractions in {seconds:.0f} s, {seconds / count * 1000:.1f} ms each", flush=True)
    for share in SHARES:
        memory = next((memory for done, memory in watched.seen if done >= share * count), None)
        if memory is not None:
            shown = ", ".join(f"{who} {mib:.0f} MiB" for who, mib in memory.items())
            print(f"  at {share:.0%}: {shown}", flush=True)


def main() -> None:
    """Extract by each runner and print what it took."""
    options = argparse.ArgumentParser()
    options.add_argument("--extractions", type=int, default=20_000)
    options.add_argument("--local", type=int, default=2_000)
    options.add_argument("--loop", type=int, default=500)
    asked = options.parse_args()
    settings = RadiomicsSettings(families=("shape", "firstorder"), bin_width=25)
    definition = RadiomicsKind().definition(settings)
    bound = BoundFeatureSet("tiny", 1, "", definition, definition.sha256)

    def extracted(count: int, staging: Path, watched: Watched, workers: int, cluster: Cluster | None) -> float:
        began = time.monotonic()
        batches = planned_batches(inputs, count)
        receipts = extract_batches(
            bound, batches, staging, workers=workers, engine="fast", advance=watched.advance, cluster=cluster
        )
        seconds = time.monotonic() - began
        watched.stop()
        if failed := [each.failure for each in receipts if each.failure]:
            raise RuntimeError(f"{len(failed)} failed, the first: {failed[0]}")
        if (there := len(list(staging.glob("*.json")))) != count:
            raise RuntimeError(f"{there} staged, not {count}")
        return seconds

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        inputs = written_inputs(folder)
        loop: Callable[[], object] = lambda: [  # noqa: E731
            computed_batch(each, settings, folder / "loop") for each in planned_batches(inputs, asked.loop)
        ]
        loop()
        began = time.process_time()
        loop()
        print(f"the work itself: {(time.process_time() - began) / asked.loop * 1000:.1f} ms of a processor each")
        this = os.getpid()
        if asked.local:
            watched = Watched({"this process": this})
            seconds = extracted(asked.local, folder / "local", watched, WORKERS, None)
            told(f"local, {WORKERS} processes", watched, asked.local, seconds)
        with running_dask(folder, WORKERS) as dask, opened_cluster(runner_of(dask.runner)) as cluster:
            assert cluster is not None
            while cluster.slots() < WORKERS:
                time.sleep(0.1)
            taken = {each: processor_s(each) for each in (this, dask.scheduler.pid)}
            watched = Watched({"driver": this, "scheduler": dask.scheduler.pid})
            at_once = pieces_at_once(cluster, None)
            seconds = extracted(asked.extractions, folder / "dask", watched, at_once, cluster)
            told(f"dask, {WORKERS} workers, {at_once} at once", watched, asked.extractions, seconds)
            each = {pid: (processor_s(pid) - before) / asked.extractions * 1000 for pid, before in taken.items()}
            print(f"  of a processor, each: driver {each[this]:.1f} ms, scheduler {each[dask.scheduler.pid]:.1f} ms")


if __name__ == "__main__":
    main()
