"""What a refresh takes besides the engine: of many tiny lesions, and of many masks of which none has changed.

    python tests/benchmarks/refresh/overhead.py [tiny] [unchanged] [--lesions 3000] [--masks 100000] [--folder DIR]

The masks that have not changed are rows of the catalogue alone, but for one that has images.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from flows.engine.pool import worker_pool
from flows.extract.batch import unchanged_image, unchanged_mask
from flows.extract.planned import PlannedExtraction
from flows.extract.prepared import prepared_scan
from flows.extract.process_state import keep_freed_memory
from flows.extract.radiomics import extract, use_single_thread
from flows.imaging.grid_tolerance import set_tolerance
from flows.imaging.grids import grid_of
from flows.imaging.volumes import ReadingFolders
from flows.refresh.feature_sets import bound_feature_sets
from flows.refresh.plan import refresh_plan
from flows.scans.rows import mask_row
from schemas.keys import extraction_id, sha256_of_json
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store

STUDY = """feature_sets = ["hcc-cemri@1"]
[study]
id = "overhead"
title = "What a refresh takes besides the engine"
[cohort]
table = "patients.csv"
[outcome]
kind = "binary"
name = "outcome"
column = "outcome"
[phases.AP]
modality = "MR"
image = "images/{patient}_image.nii.gz"
mask = "images/{patient}_mask.nii.gz"
"""
SAMPLE = 200


def ingested(folder: Path, patients: int, study: str = STUDY) -> Path:
    """Write so many patients with images of 16 voxels an axis and lesions of 216, ingest them, return the store."""
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    lesion = np.zeros((16, 16, 16), np.uint8)
    lesion[5:11, 5:11, 5:11] = 1
    for number in range(patients):
        image = (random.normal(size=lesion.shape) * 80 + 300).astype(np.int16)
        for array, name in ((image, "image"), (lesion, "mask")):
            file = folder / "images" / f"P{number:06}_{name}.nii.gz"
            sitk.WriteImage(sitk.GetImageFromArray(array), str(file))
    rows = [f"P{number:06},{number % 2}" for number in range(patients)]
    (folder / "patients.csv").write_text("\n".join(["patient,outcome", *rows]) + "\n")
    (folder / "study.toml").write_text(study)
    store = folder / "store"
    radzoo(store, "ingest", str(folder / "study.toml"))
    return store


def radzoo(store: Path, *arguments: str) -> tuple[float, float, float, str]:
    """Run a verb; return its seconds, those of all its processes on a core, its own process's MB, its words."""
    command = [sys.executable, "-m", "radzoo", "--store", str(store), *arguments]
    with tempfile.TemporaryFile("w+") as words:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=words, stderr=subprocess.STDOUT, cwd=store.parent)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        words.seek(0)
        said = words.read()
    assert process.returncode == 0, said
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said


def tiny(folder: Path, lesions: int) -> None:
    """Compare a refresh of tiny lesions with what reading and the engine take of them."""
    store = ingested(folder, lesions)
    home = Store(store)
    snapshot = Snapshot(home)
    (bound,) = bound_feature_sets(stored_study(snapshot, None), snapshot)
    sample = refresh_plan(snapshot, "overhead", bound).missing[:SAMPLE]
    home.engine.dispose()
    settings = bound.definition.settings
    for workers in (1, 2):
        trial = folder / f"store-{workers}"
        subprocess.run(["cp", "-r", str(store), str(trial)], check=True)
        # Machines waver by more than what is looked for: what the engine takes is measured on both sides.
        into_memory(folder / "images")
        before = milliseconds_at_once(workers, sample, settings)
        seconds, processor, megabytes, _ = radzoo(trial, "refresh", "--workers", str(workers))
        into_memory(folder / "images")
        after = milliseconds_at_once(workers, sample, settings)
        reading, engine = (sum(each) / 2 for each in zip(before, after, strict=True))
        rest = seconds / lesions * 1000 - (reading + engine) / workers
        of_processor = processor / lesions * 1000 - reading - engine
        print(
            f"{workers} workers: {seconds:.1f} s; of an extraction reading {reading:.1f} ms, engine {engine:.1f} ms, "
            f"all else {rest:.1f} ms; {processor:.0f} s of processor time, {of_processor:.1f} ms of all else; "
            f"its own process {megabytes:.0f} MB",
            flush=True,
        )


def into_memory(images: Path) -> None:
    """Read files once: some systems give back the memory of what nobody has read for a minute."""
    for file in images.iterdir():
        file.read_bytes()


def milliseconds_at_once(workers: int, sample: list[PlannedExtraction], settings) -> tuple[float, float]:
    """Return `engine_milliseconds` of as many processes at once as a refresh has, in its processes' state."""
    with worker_pool(workers, use_single_thread) as pool:
        measured = [pool.submit(engine_milliseconds, sample, settings) for _ in range(workers)]
        reading, engine = np.mean([each.result() for each in measured], axis=0)
    return float(reading), float(engine)


def engine_milliseconds(sample: list[PlannedExtraction], settings) -> tuple[float, float]:
    """Return what an extraction takes on average for reading, and for computing."""
    keep_freed_memory()
    folders = ReadingFolders()
    read = [_read(each, settings, folders) for each in sample[:3]]
    for image, mask in read:
        extract(image, mask, settings, prepared=prepared_scan(image, settings), engine="fast")
    reading = engine = 0.0
    # In turn, as a refresh does: read one after another, files take less.
    for each in sample:
        began = time.perf_counter()
        image, mask = _read(each, settings, folders)
        between = time.perf_counter()
        extract(image, mask, settings, prepared=prepared_scan(image, settings), engine="fast")
        ended = time.perf_counter()
        reading, engine = reading + between - began, engine + ended - between
    return reading / len(sample) * 1000, engine / len(sample) * 1000


def _read(planned: PlannedExtraction, settings, folders: ReadingFolders) -> tuple[sitk.Image, sitk.Image]:
    image = unchanged_image(planned, folders)
    return image, unchanged_mask(planned, image, set_tolerance(settings), folders)


def unchanged(folder: Path, masks: int) -> None:
    """Time a refresh that finds nothing to do, then one that finds one changed mask."""
    root = ingested(folder, 1)
    radzoo(root, "refresh")
    store = Store(root)
    add_rows(store, masks - 1)
    radzoo(root, "refresh")
    for _ in range(3):
        _, processor, megabytes, words = radzoo(root, "refresh")
        print(f"{masks:,} masks, nothing to do: {processor:.2f} s of processor time, {megabytes:.0f} MB", flush=True)
    assert not computed(words), words
    change_one(store, folder)
    _, processor, megabytes, words = radzoo(root, "refresh")
    print(f"one of them changed: {computed(words)} computed, {processor:.2f} s, {megabytes:.0f} MB")


def computed(words: str) -> int:
    """Return how many extractions a refresh says that it computed."""
    (found,) = re.findall(r"computed ([\d,]+)", words)
    return int(found.replace(",", ""))


def add_rows(store: Store, number: int) -> None:
    """Commit what ingest and refresh write of so many masks; the values are those of the one that is there."""
    snapshot = Snapshot(store)
    (row,), (scan,) = snapshot.rows("masks"), snapshot.rows("scans")
    (extraction,) = snapshot.rows("extractions")
    (bound,) = bound_feature_sets(stored_study(snapshot, None), snapshot)
    drop = {"added_commit"}
    row, scan, extraction = ({k: v for k, v in each.items() if k not in drop} for each in (row, scan, extraction))
    own = {"study": "overhead"}
    for start in range(0, number, 10_000):
        rows = {name: [] for name in ("patients", "study_patients", "exams", "scans", "masks", "study_masks")}
        rows |= {"extractions": [], "study_extractions": []}
        for each in range(start, min(start + 10_000, number)):
            patient = {"patient": f"R{each:07}"}
            content = {"image_sha256": sha256_of_json(["image", each]), "mask_sha256": sha256_of_json(["mask", each])}
            mask = row | patient | content
            identity = {"extraction_id": extraction_id(*content.values(), bound.definition_sha256)}
            rows["patients"].append(patient)
            rows["study_patients"].append(own | patient)
            rows["exams"].append(patient | {"exam": row["exam"], "acquired_on": None})
            rows["scans"].append(scan | patient | {"image_sha256": content["image_sha256"]})
            rows["masks"].append(mask)
            key = {name: mask[name] for name in ("patient", "exam", "phase", "lesion", "reader", "reading")}
            rows["study_masks"].append(own | key | {"is_primary": 1})
            rows["extractions"].append(extraction | content | identity)
            rows["study_extractions"].append(own | identity | {"feature_set": bound.feature_set})
        with commit_to(store, "more masks") as commit:
            for name, those in rows.items():
                commit.put(name, those)


def change_one(store: Store, folder: Path) -> None:
    """Draw the one mask that has a file in another way, as an ingest would find it."""
    snapshot = Snapshot(store)
    row = snapshot.row("masks", patient="P000000")
    lesion = np.zeros((16, 16, 16), np.uint8)
    lesion[4:11, 5:11, 5:11] = 1
    file = folder / "images" / "P000000_mask.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(lesion), str(file))
    labels = sitk.ReadImage(str(file))
    image = sitk.ReadImage(str(file).replace("mask", "image"))
    with commit_to(store, "another mask") as commit:
        commit.put(
            "masks", [{k: v for k, v in row.items() if k != "added_commit"} | mask_row(grid_of(image), labels, 1, 0.01)]
        )


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts: dict[str, Callable[[Path, int], None]] = {"tiny": tiny, "unchanged": unchanged}
    parser.add_argument("parts", nargs="*", metavar="part", help="tiny, unchanged; both where none is given")
    parser.add_argument("--lesions", type=int, default=3_000)
    parser.add_argument("--masks", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the stores are made; a temporary folder where not given")
    asked = parser.parse_args()
    sizes = {"tiny": asked.lesions, "unchanged": asked.masks}
    if unknown := set(asked.parts) - parts.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in asked.parts or parts:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            parts[name](Path(folder) / name, sizes[name])


if __name__ == "__main__":
    main()
