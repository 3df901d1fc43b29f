"""Where an image or a mask is read from: a file of one volume, or which part of a DICOM file or folder.

It lies on a file system that this machine sees, or in a bucket, of which who reads has a copy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import SimpleITK as sitk

from flows.imaging.formats.kinds import is_dicom_source
from flows.imaging.grids import Place, grid_of
from flows.imaging.image_files import source_path, source_stat
from flows.imaging.lesions import lesion_map
from flows.imaging.mask_resampling import resampled_labels
from flows.imaging.opened_files import shown_below
from flows.imaging.patient_axes import frame_of_reference
from flows.imaging.volumes import FetchedCopy, ReadingFolders, read_volume, refuse_not_finite
from schemas.cases.lesions import LesionPart
from schemas.errors import ContractError
from schemas.study.cohort import Phase
from schemas.study.dicom_parts import SeriesRule, StructureRule
from schemas.written.object_urls import is_url, shown_url

__all__ = [
    "RemoteFile",
    "Source",
    "file_of_source",
    "image_source",
    "mask_source",
    "place_of",
    "read_image",
    "read_labels",
    "shown_source",
    "stat_of_source",
    "stored_source",
    "urls_of_source",
]

_DICOM = "dicom:"
_LESIONS = "lesions:"
_RESAMPLED = "resampled:"


@dataclass(frozen=True)
class Source:
    """A file or folder, and what is chosen of it where it is DICOM."""

    file: Path
    """Of a remote one its copy, once it has one."""
    part: SeriesRule | StructureRule | None = None
    """Which series of a DICOM folder, or which structure of a DICOM mask; None where the file is one volume."""
    is_resampled: bool = False
    """Whether a mask of one volume is brought to its image's grid where it lies on another one."""
    lesions: LesionPart | None = None
    """Of a mask that holds several lesions, how they are told apart; None where it holds one."""
    also: tuple[Source, ...] = ()
    """Masks of further lesions that belong to it: the lesion is all of them."""
    url: str | None = None
    """Where it lies in a bucket; None where it is a file."""
    stat: str | None = None
    """Of a remote one what its bucket says, which changes when it changes."""

    @property
    def alone(self) -> Source:
        """Return the source of the file's own label map."""
        return replace(self, lesions=None, also=())

    @property
    def urls(self) -> tuple[str, ...]:
        """Return what is to be fetched before it can be read."""
        own = () if self.url is None else (self.url,)
        return own + tuple(url for each in self.also for url in each.urls)

    def at(self, copies: Mapping[str, FetchedCopy]) -> Source:
        """Return it with the copies of what is remote of it.

        Raises
        ------
        ContractError
            When a copy could not be made.
        """
        source = replace(self, also=tuple(each.at(copies) for each in self.also)) if self.also else self
        if self.url is None:
            return source
        copy = copies[self.url]
        if copy.fault:
            raise ContractError(copy.fault, where=shown_url(self.url))
        return replace(source, file=copy.path, stat=copy.stat)

    def text(self, study_folder: Path | None = None) -> str:
        """Return how the catalogue names it: path, links resolved, or URL; of DICOM as JSON, with what is chosen.

        Of several lesions it is JSON around the texts of their files. A mask that may be resampled has another name
        than the same file as it is: it may be another mask.

        Raises
        ------
        ContractError
            When the path is no text.
        """
        if self.lesions is not None:
            of = [each.text(study_folder) for each in (self.alone, *self.also)]
            return _tagged(_LESIONS, {"of": of} | self.lesions.model_dump(exclude_defaults=True))
        path = self.url or source_path(self.file, study_folder)
        if self.part is None:
            return f"{_RESAMPLED}{path}" if self.is_resampled else path
        return _tagged(_DICOM, {"path": path} | self.part.model_dump(exclude_defaults=True))


def _tagged(tag: str, written: Mapping[str, Any]) -> str:
    return tag + json.dumps(written, ensure_ascii=False, sort_keys=True)


def stored_source(
    text: str, kind: type[SeriesRule] | type[StructureRule], copies: Mapping[str, FetchedCopy] | None = None
) -> Source:
    """Return the source that the catalogue names.

    Parameters
    ----------
    text : str
        As `Source.text` gives it.
    kind : type
        `SeriesRule` for an image, `StructureRule` for a mask.
    copies : mapping, optional
        Of what is remote, as `ReadingFolders` has them; without them a remote source cannot be read.

    Raises
    ------
    ContractError
        When a copy could not be made.
    """
    source = _stored(text, kind)
    return source if copies is None else source.at(copies)


def _stored(text: str, kind: type[SeriesRule] | type[StructureRule]) -> Source:
    if text.startswith(_LESIONS):
        written = json.loads(text.removeprefix(_LESIONS))
        first, *others = (_stored(each, kind) for each in written.pop("of"))
        return replace(first, lesions=LesionPart.model_validate(written), also=tuple(others))
    if not text.startswith(_DICOM):
        return _placed(text.removeprefix(_RESAMPLED), is_resampled=text.startswith(_RESAMPLED))
    written = json.loads(text.removeprefix(_DICOM))
    return _placed(written.pop("path"), part=kind.model_validate(written))


def _placed(path: str, **chosen: Any) -> Source:
    return Source(Path(shown_url(path)), url=path, **chosen) if is_url(path) else Source(Path(path), **chosen)


def file_of_source(text: str) -> Path:
    """Return the file or folder of a source that the catalogue names; of a remote one a path that ends as its key."""
    path = _paths_of_source(text)[0]
    return Path(shown_url(path) if is_url(path) else path)


def shown_source(text: str, study_folder: Path | None) -> str:
    """Return how messages name a source of the catalogue: the path below the study's folder, or the URL."""
    path = _paths_of_source(text)[0]
    return shown_url(path) if is_url(path) else shown_below(Path(path), study_folder)


def urls_of_source(text: str) -> tuple[str, ...]:
    """Return what is to be fetched before a source of the catalogue can be read; nothing of one that is a file."""
    return tuple(filter(is_url, _paths_of_source(text)))


def _paths_of_source(text: str) -> list[str]:
    if text.startswith(_LESIONS):
        return [path for each in json.loads(text.removeprefix(_LESIONS))["of"] for path in _paths_of_source(each)]
    if text.startswith(_DICOM):
        return [json.loads(text.removeprefix(_DICOM))["path"]]
    return [text.removeprefix(_RESAMPLED)]


class RemoteFile(NamedTuple):
    """What is known of an image or a mask in a bucket before there is a copy of it."""

    url: str
    stat: str | None
    """What its bucket says; None where there is no such object."""
    is_dicom: bool


def image_source(file: Path, phase: Phase, remote: RemoteFile | None = None) -> Source:
    """Return the source of a phase's image.

    Parameters
    ----------
    file : Path
        The image's file or folder; of a remote one how it is shown.
    phase : Phase
        The study's.
    remote : RemoteFile, optional
        Where it lies in a bucket.

    Raises
    ------
    ContractError
        When the phase chooses a series, and the file is no DICOM.
    """
    return _source(file, remote, phase.series or SeriesRule(), "series", is_chosen=phase.series is not None)


def mask_source(file: Path, phase: Phase, values: Mapping[str, str | int], remote: RemoteFile | None = None) -> Source:
    """Return the source of a phase's mask.

    Parameters
    ----------
    file : Path
        The mask's file or folder; of a remote one how it is shown.
    phase : Phase
        The study's.
    values : mapping of str to str or int
        As `Phase.structure` takes them.
    remote : RemoteFile, optional
        Where it lies in a bucket.

    Raises
    ------
    ContractError
        When the phase names a structure, and the file is no DICOM.
    """
    source = _source(file, remote, phase.structure(values), "segment", is_chosen=phase.segment is not None)
    return replace(source, is_resampled=True) if source.part is None and phase.mask_grid == "resample" else source


def _source(
    file: Path, remote: RemoteFile | None, part: SeriesRule | StructureRule, key: str, *, is_chosen: bool
) -> Source:
    source = Source(file) if remote is None else Source(file, url=remote.url, stat=remote.stat)
    if is_dicom_source(file) if remote is None else remote.is_dicom:
        return replace(source, part=part)
    if is_chosen and (file.exists() if remote is None else remote.stat is not None):
        raise ContractError(
            f"is read as a whole: {key} under [phases.NAME] chooses a part of DICOM, and this is none", where=str(file)
        )
    return source


def stat_of_source(source: Source, study_folder: Path | None = None) -> str | None:
    """Return what changes when a source's files change, None where they cannot be reached."""
    if source.also:
        stats = [stat_of_source(each, study_folder) for each in (replace(source, also=()), *source.also)]
        return None if None in stats else " + ".join(map(str, stats))
    if source.url is not None:
        return source.stat
    if source.part is None:
        return source_stat(source.file, study_folder)
    from flows.imaging.dicom.files import dicom_stat

    try:
        return dicom_stat(source.file)
    except ContractError:
        return None


def read_image(source: Source, folders: ReadingFolders) -> sitk.Image:
    """Return the volume of an image's source.

    Raises
    ------
    ContractError
        As `read_volume` and `flows.imaging.dicom.volumes.read_series` say.
    """
    _refuse_unfetched(source)
    if not isinstance(source.part, SeriesRule):
        return read_volume(source.file, folders.study, within=folders.temporary)
    # Imported here: pydicom takes a third of a second, and most studies have none of it.
    from flows.imaging.dicom.volumes import read_series

    image = read_series(source.file, source.part)
    refuse_not_finite(image)
    return image


def _refuse_unfetched(source: Source) -> None:
    if source.url is not None and not source.file.is_absolute():
        raise AssertionError("who reads a remote image has its copy")


def place_of(image: sitk.Image) -> Place:
    """Return where an image lies: its grid, and the patient's axes where it was read from DICOM."""
    return Place(grid_of(image), frame_of_reference(image))


def read_labels(source: Source, image: Place, label: int, folders: ReadingFolders) -> sitk.Image:
    """Return the label map of a mask's source; of DICOM, or resampled, it lies on the image's grid and has one label.

    Of a mask that holds several lesions it is the map that tells them apart, `lesion_map`.

    Parameters
    ----------
    source : Source
        Of the mask.
    image : Place
        Of its image; a DICOM mask that names another frame of reference is refused.
    label : int
        The lesion's value; 0 where every label is one.
    folders : ReadingFolders
        Where data files may lie, and temporary ones.

    Raises
    ------
    ContractError
        As `read_volume`, `flows.imaging.dicom.masks.read_dicom_mask` and `resampled_labels` say.
    """
    if source.lesions is not None:
        # Of labels that are a lesion each, all are asked for: 0 is none of them.
        label = 0 if source.lesions.each == "label" else source.lesions.label
        files = (source.alone, *source.also)
        return lesion_map([read_labels(each, image, label, folders) for each in files], source.lesions)
    _refuse_unfetched(source)
    if not isinstance(source.part, StructureRule):
        labels = read_volume(source.file, folders.study, within=folders.temporary)
        return resampled_labels(labels, image.grid, label or None) if source.is_resampled else labels
    from flows.imaging.dicom.masks import read_dicom_mask

    part = source.part
    return read_dicom_mask(
        source.file,
        image.grid,
        label,
        part.segment,
        part.threshold,
        number=part.number,
        frame_of_reference=image.frame_of_reference,
    )
