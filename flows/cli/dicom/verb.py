"""The verb ``dicom``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, Workers, counted
from store.faults import disk_faults
from store.home import Store

if TYPE_CHECKING:
    from flows.dicom_out.run import DicomReport

__all__ = ["dicom"]

_WITH_FAILURES = 5


def dicom(
    folder: Path,
    *,
    study: str | None = None,
    patient: tuple[str, ...] = (),
    feature_set: tuple[str, ...] = (),
    with_images: bool = False,
    workers: Workers = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Write a study's masks and features as DICOM: a segmentation and structured reports of each mask.

    Of each mask a SEG with one segment, and of each of its extractions of radiomics an SR by TID 1500 with a
    measurement a feature. They belong to the examination of the image: its study, series and instances are referred to
    by their UIDs. PatientID is the store's pseudonym; name, birth date and all else of the source headers stay behind.
    The same store gives the same files with the same UIDs. The store stays as it is; a mask that cannot be written is
    named, with exit code 5.

    Parameters
    ----------
    folder
        Where the files go: new or empty. It appears when all is written.
    study
        The study's id; may be left out where the store has one study.
    patient
        Only this patient; may be given several times.
    feature_set
        Only this feature set, as name@version; may be given several times. All radiomics of the study where not given.
    with_images
        Write images that are no DICOM (NIfTI, NRRD, ...) as derived MR or CT series too, so that there is something to
        refer to. Without it their masks are refused.
    workers
        Processes that read and write; as many as there are cores where not given.

    Examples
    --------
    radzoo dicom results --study my-study
    radzoo dicom results --study my-study --patient P001 --with-images
    """
    # Imported here: --help needs no library of DICOM.
    from flows.dicom_out.run import write_dicom

    with disk_faults(folder):
        found = write_dicom(
            Store(context.store),
            folder,
            study,
            patients=patient,
            feature_sets=feature_set,
            with_images=with_images,
            workers=workers,
        )
    return CommandResult(_text(found), found, _WITH_FAILURES if found.failures else 0)


def _text(found: DicomReport) -> str:
    files = [counted(found.segmentations, "segmentation"), counted(found.reports, "structured report")]
    if found.images:
        files.append(counted(found.images, "image"))
    lines = [f"{found.study}: {', '.join(files)} in {found.folder}"]
    if found.without_features:
        lines.append(
            f"{counted(found.without_features, 'segmentation')} without a report: "
            f"radzoo refresh --study {found.study} computes what is missing"
        )
    return "\n".join([*lines, *(f"failed: {name}: {reason}" for name, reason in found.failures.items())])
