"""Looking at a study: a page with every case, slices to scroll through, and contact sheets as pictures."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from flows.commits.erased_meanwhile import carry_out
from flows.engine.progress import progress_bar
from flows.imaging.opened_files import system_words
from flows.imaging.sources import file_of_source
from flows.imaging.volumes import ReadingFolders
from flows.look.case import shown_scan
from flows.look.cases import SLICES, Look, cases_of, looks_at, of_phase, sheet_case
from flows.look.pictures import write_sheet
from flows.pages.page import page_text, write_page
from flows.pages.questions import Questions
from flows.privacy.places import folder_of_study, located_masks, refuse_unplaced
from flows.privacy.reasons import plain_reason
from flows.remote.copies import held_copies
from flows.scans.reader import file_limits, limit_words, temporary_folder
from schemas.errors import ContractError, NotFoundError, UsageError
from schemas.keys import MaskKey
from schemas.study.file import Study
from store.analyst.query import snapshot_connection
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.limits.process import LimitedProcess, LimitedProcessError

__all__ = ["Look", "LookReport", "look"]

_ROWS_A_SHEET = 6
_PAGE = "index.html"
_MARK = ".radzoo-look"
"""The file by which a folder is known to be replaceable."""


@dataclass(frozen=True)
class LookReport:
    """What was written, and what deserves a second look."""

    study: str
    page: Path
    sheets: tuple[Path, ...]
    scans: int
    flags: dict[str, tuple[str, ...]]
    """Of each mask that has any, by case and phase, as the view ``quality`` has them."""
    flag_counts: dict[str, int]
    """How many masks have each flag, the most frequent first."""
    unmeasured: int
    """Masks without flags, for a release read them that measured none."""
    further_lesions: int
    """Stored lesions of the images that are shown, which models do not read."""
    failures: dict[str, str]
    """Why a mask is not shown, by case and phase."""


def look(
    store: Store,
    study: str | None,
    *,
    patients: Sequence[str] = (),
    out: Path | None = None,
    workers: int | None = None,
) -> LookReport:
    """Write a page and contact sheets of a study's images and masks, and return what there was.

    Shown is the reading that models use, on the slices as they were acquired. The folder is replaced.

    Parameters
    ----------
    store : Store
        The store.
    study : str or None
        The study's id; None where the store has one study.
    patients : sequence of str
        Only these; all where empty.
    out : Path, optional
        The folder; ``report/look/STUDY`` below the store's folder where absent.
    workers : int, optional
        Child processes that read images; as many as there are cores where absent.

    Raises
    ------
    NotFoundError
        When there is no such study or patient, or the study has no masks.
    UsageError
        When the folder has other files.
    """
    return carry_out(store, lambda _: _look(store, study, patients, out, workers), only_reads=True)


def _look(
    store: Store, study: str | None, patients: Sequence[str], out: Path | None, workers: int | None
) -> LookReport:
    snapshot = Snapshot(store)
    stored = stored_study(snapshot, study)
    folder = (out or store.root / "report" / "look" / stored.id).resolve()
    _refuse_foreign(folder)
    masks = located_masks(snapshot, stored.id)
    if unknown := sorted(set(patients) - {each.key.patient for each in masks if each.is_primary}):
        raise NotFoundError(
            f"study '{stored.id}' has no mask of patient '{unknown[0]}'", hint="radzoo sql 'from masks'"
        )
    looks = looks_at(masks, patients)
    if not looks:
        raise NotFoundError(
            f"study '{stored.id}' has no images and masks to look at",
            hint="radzoo sql 'from failures' says what was wrong with them, if it was there",
        )
    refuse_unplaced(
        store, stored.id, [file for each in looks for file in (each.mask.image_source, each.mask.mask_source)]
    )
    _make_anew(folder)
    _look_at_all(stored, folder_of_study(snapshot, stored.id), looks, folder, workers or os.cpu_count() or 1)
    _add_flags(snapshot, stored.id, looks)
    phases = [name for name in stored.phases if any(each.mask.key.phase == name for each in looks)]
    cases = cases_of(looks)
    sheets = []
    for start in range(0, len(cases), _ROWS_A_SHEET):
        some = dict(list(cases.items())[start : start + _ROWS_A_SHEET])
        file = folder / f"sheet-{start // _ROWS_A_SHEET + 1:03}.png"
        title = f"{stored.id}: cases {start + 1} to {start + len(some)} of {len(cases)}. Not for clinical use"
        write_sheet(file, phases, [sheet_case(title_of, phases, found) for title_of, found in some.items()], title)
        sheets.append(file)
    page = write_page(folder / _PAGE, page_text("look", _contents(stored, phases, cases, snapshot.commit_id)))
    return LookReport(
        stored.id,
        page,
        tuple(sheets),
        sum(each.scan is not None for each in looks),
        {each.name: each.flags for each in looks if each.flags},
        _flag_counts(looks),
        sum(each.flags is None for each in looks),
        sum(each.further_lesions for each in looks),
        {each.name: each.fault for each in looks if each.fault},
    )


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds anything but what a former call wrote."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is no folder", hint="--out names a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise UsageError(f"'{folder}' has other files, and would be replaced", hint="--out names a folder of its own")


def _make_anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        (folder / SLICES).mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"'{folder}' cannot be made: {system_words(error)}", hint="--out names a folder that you may write"
        ) from error
    # First of all, so that a call that is interrupted leaves a folder that the next one may replace.
    (folder / _MARK).write_text("radzoo look replaces this folder\n", encoding="utf-8")


def _look_at_all(study: Study, place: Path | None, looks: Sequence[Look], folder: Path, workers: int) -> None:
    readers: SimpleQueue[LimitedProcess] = SimpleQueue()
    with ExitStack() as open_, progress_bar(f"looking at {study.id}", len(looks), "scans") as advance:
        temporary = open_.enter_context(temporary_folder())
        limits = file_limits(() if temporary is None else (temporary,))
        for _ in range(min(workers, len(looks))):
            child = LimitedProcess(limits, trusted=("flows.imaging", "flows.look", "flows.scans"), by_fork=True)
            readers.put(open_.enter_context(child))

        def one(each: Look) -> None:
            mask = each.mask
            with held_copies((mask.image_source, mask.mask_source)) as copies:
                reader = readers.get()
                try:
                    each.take(reader.call(shown_scan, mask, ReadingFolders(place, temporary, copies=copies)), folder)
                except LimitedProcessError as error:
                    each.fault = limit_words(error)
                except ContractError as error:
                    files = [file_of_source(source) for source in (mask.image_source, mask.mask_source)]
                    each.fault = error.message if study.privacy is None else plain_reason(error.message, files)
                finally:
                    readers.put(reader)
            advance()

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, looks))


def _add_flags(snapshot: Snapshot, study: str, looks: Sequence[Look]) -> None:
    """Take over what the store flags: one definition, whoever asks."""
    with snapshot_connection(snapshot, {"quality", "study_masks"}) as connection:
        rows = Questions(connection, "look", study=study).ask("flags").rows
    found = {MaskKey.of(row): row for row in rows}
    for each in looks:
        if each.scan is not None:
            row = found[each.mask.key]
            each.flags = None if row["flags"] is None else tuple(row["flags"])
            each.volume_ratio = row["volume_ratio"]


def _flag_counts(looks: Sequence[Look]) -> dict[str, int]:
    return dict(Counter(flag for each in looks for flag in each.flags or ()).most_common())


def _contents(stored: Study, phases: Sequence[str], cases: dict[str, list[Look]], commit_id: int) -> dict[str, Any]:
    shown = [
        {"title": title, "scans": [(phase, of_phase(found, phase)) for phase in phases]}
        for title, found in cases.items()
    ]
    looks = [each for found in cases.values() for each in found]
    return {
        "study": stored,
        "cases": shown,
        "flag_counts": _flag_counts(looks),
        "unmeasured": sum(each.flags is None for each in looks),
        "commit_id": commit_id,
    }
