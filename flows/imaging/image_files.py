"""The files that an image is made of: the one that is named and, where it is a header, those that hold its voxels."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from flows.imaging.formats.kinds import image_format
from flows.imaging.formats.metaimage import metaimage_header
from flows.imaging.formats.nrrd import nrrd_header
from flows.imaging.formats.text_headers import TextHeader, shown_name
from flows.imaging.opened_files import file_stat, first_bytes
from schemas.errors import ContractError

__all__ = ["data_files", "located", "pair_files", "source_path", "source_stat", "text_header"]

_TEXT_HEADER = 1 << 16
_LONGEST_TEXT_HEADER = 1 << 23
_WITHOUT_DATA_FILES = (".nii", ".nii.gz")
_PAIR = (".hdr", ".img")


def source_path(file: Path, study_folder: Path | None = None) -> str:
    """Return the path by which the catalogue knows an image: its links resolved.

    A header that finds its data beside itself keeps its own name: data files lie beside the link, or beside what it
    leads to, and its own name finds both.

    Raises
    ------
    ContractError
        When the path holds bytes that are no text, which no catalogue could store.
    """
    target = os.path.realpath(file)
    if file.is_symlink() and data_files(file, study_folder):
        target = str(Path(os.path.realpath(file.parent)) / file.name)
    try:
        target.encode()
    except UnicodeEncodeError as error:
        raise ContractError("the path, or what it leads to, is not UTF-8 text", where=str(file)) from error
    return target


def source_stat(file: Path, study_folder: Path | None = None) -> str | None:
    """Return size and time of change of an image's files, None where the one that is named cannot be reached."""
    try:
        stat = file_stat(file)
    except ContractError:
        return None
    own = f"{stat.st_size}:{stat.st_mtime_ns}"
    if not (others := data_files(file, study_folder)):
        return own
    digest = hashlib.sha256()
    for other in others:
        try:
            stat = file_stat(other)
            digest.update(f"{other.name}:{stat.st_size}:{stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except ContractError:
            digest.update(f"{other.name}:missing\n".encode(errors="surrogateescape"))
    return f"{own}+{digest.hexdigest()[:16]}"


def data_files(file: Path, study_folder: Path | None = None) -> tuple[Path, ...]:
    """Return the other files that an image's header needs, whether they exist or not; nothing where there are none.

    A name that ends in .nii or .nii.gz has none, and is not opened for the answer.
    """
    if file.name.lower().endswith(_WITHOUT_DATA_FILES):
        return ()
    try:
        kind = image_format(file)
        if kind in ("nrrd", "metaimage"):
            names = text_header(file, kind).data
            return tuple(located(file, name, study_folder) or file.parent / name for name in names)
        if kind in ("nifti pair", "analyze"):
            return tuple(each for each in pair_files(file, study_folder) if each != file)
    except ContractError:
        # The image of a pair is no header by itself, and a fault is said when the image is read.
        if file.suffix.lower() != ".img":
            return ()
    try:
        pair = pair_files(file, study_folder) if file.suffix.lower() == ".img" else ()
        return tuple(each for each in pair if each != file)
    except ContractError:
        return ()


def text_header(file: Path, kind: str) -> TextHeader:
    """Return the header of a NRRD file or MetaImage."""
    content = first_bytes(file, _TEXT_HEADER)
    if kind == "nrrd":
        if b"\n\n" not in content and b"\r\n\r\n" not in content:
            content = first_bytes(file, _LONGEST_TEXT_HEADER)
        return nrrd_header(content)
    if b"ElementDataFile" not in content or len(content) == _TEXT_HEADER:
        content = first_bytes(file, _LONGEST_TEXT_HEADER)
    return metaimage_header(content)


def located(file: Path, name: str, study_folder: Path | None = None) -> Path | None:
    """Return the data file that a header names, None where it is missing.

    A header is somebody else's text: what it names lies below the study's folder or beside the header, once all links
    are followed, or is refused, whether it exists or not.

    Parameters
    ----------
    file : Path
        The header.
    name : str
        The name in it.
    study_folder : Path, optional
        Where the study file lies.

    Raises
    ------
    ContractError
        When it lies elsewhere, or the header is a link and two different files could be meant.
    """
    own_folders = dict.fromkeys((file.parent, Path(os.path.realpath(file)).parent))
    beside = [folder / name for folder in own_folders]
    allowed = [os.path.realpath(folder) for folder in (*own_folders, *([study_folder] if study_folder else ()))]
    if (
        "\0" in name
        or os.path.isabs(name)  # noqa: PTH117  (a name, not a path of this system)
        or not all(any(_is_below(os.path.realpath(each), folder) for folder in allowed) for each in beside)
    ):
        raise ContractError(
            "its header names a data file outside of the study's folder, or a link that leads out of it: copy the "
            "file beside its header and correct the name",
            where=str(file),
        )
    there = [each for each in beside if os.path.lexists(each)]
    if len(there) == 2 and not _is_same(*there):
        raise ContractError(
            f"two files could be meant by {shown_name(name)}: one beside the link, and one beside its target",
            where=str(file),
        )
    return there[0] if there else None


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def pair_files(file: Path, study_folder: Path | None = None) -> tuple[Path, Path]:
    """Return header and image of a pair of which one is named, as NIfTI and Analyze have them.

    Raises
    ------
    ContractError
        When the other one is missing, or several could be meant.
    """
    name = file.name[:-3] if file.name.lower().endswith(".gz") else file.name
    ending = Path(name).suffix
    stem = name.removesuffix(ending)
    if ending.lower() not in _PAIR:
        raise ContractError(
            "is a header whose voxels lie in another file: its name must end in .hdr, and that of the other in .img",
            where=str(file),
        )
    other = ".img" if ending.lower() == ".hdr" else ".hdr"
    other = other.upper() if ending.isupper() else other
    choices = [
        f"{stem}{each}{gz}" for each in dict.fromkeys((other, other.lower(), other.upper())) for gz in ("", ".gz")
    ]
    there: list[Path] = []
    for choice in choices:
        found = located(file, choice, study_folder)
        # Where case does not count in names, one file answers to several of them.
        if found is not None and not any(_is_same(found, each) for each in there):
            there.append(found)
    if not there:
        raise ContractError(f"{stem}{other} is missing, the other half of the image", where=str(file))
    if len(there) > 1:
        names = " and ".join(each.name for each in there)
        raise ContractError(f"{names} could both be its other half: remove the wrong one", where=str(file))
    return (file, there[0]) if ending.lower() == ".hdr" else (there[0], file)
