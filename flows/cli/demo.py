"""The verb ``demo``."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from flows.cli.figures.text import leaderboard_text
from flows.cli.outcome import CommandResult, Context, Workers
from flows.cli.refresh import failure_lines, refresh_text

if TYPE_CHECKING:
    from flows.demo.run import DemoReport

__all__ = ["demo", "shell_command"]

_FOLDER = Path("demo")


def demo(
    *,
    patients: int = 165,
    full: bool = False,
    format: Literal["nifti", "dicom"] = "nifti",  # noqa: A002  (the option's name)
    workers: Workers = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Run the example study from end to end: phantoms, features, models, report.

    The clinical counts are those of the published cohort; the patients that make them up and all images are synthetic.
    Everything goes to the folder demo; --store names another place for the store. It takes about ten minutes on two
    cores; a second run computes nothing.

    Parameters
    ----------
    patients
        How many of the 165 patients; fewer are quicker and no longer have the published counts.
    full
        Draw the phantoms in true size instead of half of it, and train the networks on 256 x 256 pixels for 200
        epochs, as in the study: hours without a GPU, where features alone take four to eight times longer.
    format
        Of images and masks: as DICOM each phase is a series and each mask a segmentation, with a structure set beside
        it. Features are the same to a millionth.
    workers
        Processes; as many as there are cores where not given.

    Examples
    --------
    radzoo demo
    radzoo demo --patients 48
    radzoo demo --patients 48 --format dicom
    """
    # Imported here: --help needs no library of learning.
    from flows.demo.run import demonstration

    store = context.store if context.store_was_named else _FOLDER / "store"
    found = demonstration(_FOLDER, store, patients=patients, full=full, format=format, workers=workers)
    return CommandResult(_text(found), found, 5 if failure_lines(found.refreshed) else 0)


def _text(found: DemoReport) -> str:
    def shown(path: Path) -> str:
        return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)

    store = shown(found.analyst_file.parent)
    question = "select model, cohort, auc from leaderboard"
    return "\n".join(
        [
            "",
            *(refresh_text(each) for each in found.refreshed),
            *failure_lines(found.refreshed),
            "",
            leaderboard_text(found.benched),
            "",
            *_out_of_fold(found),
            f"report          {shown(found.report)}",
            f"analyst.duckdb  {shown(found.analyst_file)}",
            f"study file      {shown(found.study_file)}",
            f'next            {shell_command()} --store {store} sql "{question}"',
        ]
    )


def _out_of_fold(found: DemoReport) -> list[str]:
    if found.cross_validated is None:
        return []
    lead = "Those that read tables, on all patients of the study, each judged by fits that had not seen it:"
    return [lead, leaderboard_text(found.cross_validated), ""]


def shell_command() -> str:
    """Return how this shell finds radzoo: by its name, as Python's module, or by the path it was called by."""
    if shutil.which("radzoo"):
        return "radzoo"
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{os.path.relpath(sys.executable)} -m {called.parent.name}"
    return os.path.relpath(called)
