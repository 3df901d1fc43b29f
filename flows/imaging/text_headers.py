"""Headers of NRRD and MetaImage as they stand in the file: spacing, units, and the files that hold the voxels.

ITK takes a missing spacing for 1 mm and leaves units aside; both are refused here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from schemas.errors import ContractError

__all__ = ["TextHeader", "metaimage_header", "nrrd_header"]

_MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres", "", "???"}
_NRRD_SPATIAL = {"domain", "space", "???", "none"}
_NRRD_READ = {"raw", "gz", "gzip", "txt", "text", "ascii", "hex"}
_NRRD_BYTES = {
    "char": 1, "int8": 1, "short": 2, "int16": 2, "int": 4, "int32": 4, "longlong": 8, "int64": 8,
    "float": 4, "double": 8,
}  # fmt: skip
_META_BYTES = {
    "char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "long": 4, "ulong": 4,
    "long_long": 8, "ulong_long": 8, "float": 4, "double": 8,
}  # fmt: skip


@dataclass(frozen=True)
class TextHeader:
    """A header of named fields.

    Attributes
    ----------
    fields : dict of str to str
        Lower-case names without blanks.
    lines : tuple of str
        All of the header but what names the data.
    data : tuple of str
        The names of the files that hold the voxels, in order; empty where they follow the header.
    data_dimension : str
        Axes of each of several files as the header gives them, "" where it does not.
    length : int
        Bytes of the header.
    """

    format: Literal["nrrd", "metaimage"]
    fields: dict[str, str]
    lines: tuple[str, ...]
    data: tuple[str, ...]
    data_dimension: str
    length: int

    @property
    def has_orientation(self) -> bool:
        """Return whether the header says which way the axes run or where the volume lies."""
        names = ("spacedirections",) if self.format == "nrrd" else ("transformmatrix", "rotation", "orientation")
        return any(name in self.fields for name in names)

    @property
    def expected_bytes(self) -> int | None:
        """Return how many bytes of voxels the header counts, None where they are text or their type is unknown."""
        if self.format == "nrrd":
            return self._nrrd_bytes()
        element = self.fields.get("elementtype", "").lower().removeprefix("met_").removesuffix("_array")
        if element not in _META_BYTES or self.fields.get("binarydata", "true")[:1] in "fF":
            return None
        sizes = [int(each) for each in self.fields.get("dimsize", "").split() if each.isdigit()]
        channels = self.fields.get("elementnumberofchannels", "1").strip()
        return math.prod(sizes) * (int(channels) if channels.isdigit() else 1) * _META_BYTES[element]

    @property
    def is_packed(self) -> bool:
        """Return whether the voxels are packed, within the file, in a way that can be undone from their first byte."""
        if self.format == "nrrd":
            return self.fields.get("encoding", "").lower() in ("gz", "gzip") and "lineskip" not in self.fields
        return self.fields.get("compresseddata", "false")[:1] in "tT"

    def unpacked(self) -> TextHeader:
        """Return the header of the same MetaImage with voxels that are not packed."""
        kept = [line for line in self.lines if not line.strip().lower().startswith(("compresseddata", "headersize"))]
        return replace(self, lines=(*kept, "CompressedData = False"))

    def _nrrd_bytes(self) -> int | None:
        if self.fields.get("encoding", "").lower() not in ("raw", "gz", "gzip") or "lineskip" in self.fields:
            return None
        words = self.fields.get("type", "").lower().removesuffix("_t").removesuffix(" int")
        name = words.removeprefix("signed ").removeprefix("unsigned ").removeprefix("u").replace(" ", "")
        sizes = self.fields.get("sizes", "").split()
        if name not in _NRRD_BYTES or not all(each.isdigit() for each in sizes):
            return None
        return math.prod(int(each) for each in sizes) * _NRRD_BYTES[name]

    def with_data(self, names: tuple[str, ...]) -> bytes:
        """Return a header that is the same but for the names of its data files."""
        field = "data file: " if self.format == "nrrd" else "ElementDataFile = "
        listed = [f"LIST {self.data_dimension}".strip(), *names] if len(names) > 1 or self.data_dimension else names
        first, *others = listed
        return ("\n".join([*self.lines, field + first, *others]) + "\n").encode("latin-1")

    def refuse_faults(self) -> None:
        """Refuse what a reader would have to guess.

        Raises
        ------
        ContractError
            When the spacing is missing or not in millimetres, or the orientation is not finite.
        """
        if self.format == "nrrd":
            self._refuse_nrrd()
        else:
            self._refuse_metaimage()

    def _refuse_nrrd(self) -> None:
        encoding = self.fields.get("encoding", "raw").lower()
        if encoding not in _NRRD_READ:
            raise ContractError(f"the voxels are stored as '{encoding}', which is not read: save with gzip or raw")
        axes = self._spatial_axes()
        if len(axes) < 3:
            return  # no volume, which is said later
        if "spacedirections" in self.fields:
            vectors = re.findall(r"none|\([^)]*\)", self.fields["spacedirections"], re.IGNORECASE)
            spacings = [math.hypot(*_numbers(vector)) for vector in vectors if vector.lower() != "none"]
        else:
            given = _numbers(self.fields.get("spacings", ""))
            spacings = [given[axis] for axis in axes if axis < len(given)]
        _refuse_spacing(spacings, "spacings" if "spacings" in self.fields else "space directions")
        of_axes = re.findall(r'"([^"]*)"', self.fields.get("units", ""))
        units = [of_axes[axis] for axis in axes if axis < len(of_axes)]
        for unit in (*units, *re.findall(r'"([^"]*)"', self.fields.get("spaceunits", ""))[:3]):
            if unit.strip().lower() not in _MILLIMETRES:
                raise ContractError(f"the spacing is in '{unit}', and must be in mm: save the image in mm")
        if not all(math.isfinite(each) for each in _numbers(self.fields.get("spaceorigin", ""))):
            raise ContractError("the orientation (space origin) has numbers that are not finite")

    def _spatial_axes(self) -> list[int]:
        kinds = self.fields.get("kinds", "").lower().split()
        count = len(self.fields.get("sizes", "").split())
        return [axis for axis in range(count) if axis >= len(kinds) or kinds[axis] in _NRRD_SPATIAL][:3]

    def _refuse_metaimage(self) -> None:
        if len(self.fields.get("dimsize", "").split()) < 3:
            return  # no volume, which is said later
        name = "elementspacing" if "elementspacing" in self.fields else "elementsize"
        _refuse_spacing(_numbers(self.fields.get(name, "")), "ElementSpacing")
        unit = self.fields.get("distanceunits", "mm")
        if unit.strip().lower() not in {*_MILLIMETRES, "?"}:
            raise ContractError(f"the spacing is in '{unit}' (DistanceUnits), and must be in mm: save the image in mm")
        for field, neutral in (("elementtointensityfunctionslope", 1.0), ("elementtointensityfunctionoffset", 0.0)):
            if field in self.fields and _numbers(self.fields[field]) != [neutral]:
                raise ContractError(
                    f"{field} is {self.fields[field]}, a scale that no reader applies: save the scaled intensities"
                )
        skipped = _numbers(self.fields.get("headersize", "0"))
        if skipped not in ([0.0], [-1.0]) and (not self.data or self.is_packed):
            raise ContractError(f"HeaderSize is {self.fields['headersize']}: the voxels would begin within the header")
        for field in ("offset", "position", "origin", "transformmatrix", "rotation", "orientation"):
            if not all(math.isfinite(each) for each in _numbers(self.fields.get(field, ""))):
                raise ContractError(f"the orientation ({field}) has numbers that are not finite")


def nrrd_header(content: bytes) -> TextHeader:
    """Return the header that a NRRD file begins with.

    Raises
    ------
    ContractError
        When it names its data files in a way that cannot be read.
    """
    end = re.search(rb"\r?\n\r?\n", content)
    text = content[: end.start() if end else len(content)].decode("latin-1")
    fields: dict[str, str] = {}
    lines: list[str] = []
    data: tuple[str, ...] = ()
    dimension = ""
    # A blank line ends the header wherever it stands, and the data would begin there.
    written = [line.rstrip("\r") for line in text.split("\n") if line.strip()]
    for position, line in enumerate(written):
        match = re.match(r"([^:#=]+): ?(.*)", line) if position and not line.startswith("#") else None
        name = match[1].lower().replace(" ", "") if match else ""
        if match is None or name != "datafile":
            lines.append(line)
            if match:
                fields[name] = match[2].strip()
            continue
        value = match[2].strip()
        if value.split()[:1] == ["LIST"]:
            data, dimension = tuple(each for each in written[position + 1 :] if each), value[4:].strip()
            break
        data, dimension = _data_names(value)
    return TextHeader("nrrd", fields, tuple(lines), data, dimension, end.end() if end else len(content))


def metaimage_header(content: bytes) -> TextHeader:
    """Return the header that a MetaImage begins with.

    Raises
    ------
    ContractError
        When it names no data, or in a way that cannot be read.
    """
    fields: dict[str, str] = {}
    lines: list[str] = []
    length = 0
    written = content.split(b"\n")
    for position, raw in enumerate(written):
        length += len(raw) + 1
        line = raw.decode("latin-1").rstrip("\r")
        name, is_field, value = line.partition("=")
        name, value = name.strip().lower(), value.strip()
        if not is_field or name != "elementdatafile":
            lines.append(line)
            fields[name] = value
            continue
        if value.upper() == "LOCAL":
            return TextHeader("metaimage", fields, tuple(lines), (), "", length)
        if value.split()[:1] == ["LIST"]:
            data = tuple(each for each in (n.decode("latin-1").strip() for n in written[position + 1 :]) if each)
            return TextHeader("metaimage", fields, tuple(lines), data, value[4:].strip(), length)
        data, dimension = _data_names(value)
        return TextHeader("metaimage", fields, tuple(lines), data, dimension, length)
    raise ContractError("the header of a MetaImage ends before ElementDataFile: the file is incomplete")


def _data_names(value: str) -> tuple[tuple[str, ...], str]:
    """Return the files that a name or a numbered pattern means, and the axes of each."""
    match = re.fullmatch(r"(.*%\S*)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(?:\s+(\d+))?", value)
    if match is None:
        return (value,), ""
    first, last, step = int(match[2]), int(match[3]), int(match[4])
    try:
        numbers = range(first, last + (1 if step > 0 else -1), step)
        if len(numbers) > 100_000:
            raise ValueError("too many files")
        return tuple(match[1] % number for number in numbers), match[5] or ""
    except (TypeError, ValueError, OverflowError) as error:
        raise ContractError(f"the header's pattern of data files '{value}' cannot be read") from error


def _numbers(text: str) -> list[float]:
    found = []
    for each in re.split(r"[\s,()]+", text):
        try:
            found += [float(each)] if each else []
        except ValueError:
            found.append(math.nan)
    return found


def _refuse_spacing(spacings: list[float], field: str) -> None:
    if len(spacings) < 3 or not all(math.isfinite(each) and each > 0 for each in spacings[:3]):
        written = ", ".join(f"{each:g}" for each in spacings) or "not given"
        raise ContractError(f"the spacing is missing: {field} is {written}, and must be above 0 along each axis")
