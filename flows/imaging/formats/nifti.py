"""A NIfTI-1 or Analyze header as it stands in the file, and what of it no reader may repair.

ITK takes a spacing of 0 for 1 mm, NaN for 0 and a scale that is not finite for 1, and says nothing.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.imaging.image_limits import SHEARED, refuse_extreme_origin
from schemas.errors import ContractError

__all__ = ["NiftiHeader"]

_TYPES: dict[int, str] = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_NOT_SINGLE = {
    1: "an image of single bits",
    32: "a complex image",
    128: "an RGB image, 3 components a voxel",
    1536: "an image of 128-bit numbers",
    1792: "a complex image",
    2048: "a complex image",
    2304: "an RGBA image, 4 components a voxel",
}
_SCANNER = 1
_SINGLE_FILE = 352  # the first byte that voxels may lie at, after the header in the same file
_FURTHEST = 2.0**31
_SMALLEST_SLOPE = 2.3e-16  # ITK takes a smaller slope or intercept for none
_SAME = 1e-3
_APART = 1e-2
"""Spacing and sform agree up to this share, and axes are at right angles up to this cosine."""


@dataclass(frozen=True)
class NiftiHeader:
    """What of a header decides voxels and geometry, in the file's own terms.

    Attributes
    ----------
    order : str
        ``<`` or ``>``, as in `struct`.
    has_magic : bool
        Without it the header is Analyze's.
    sizes : tuple of int
        Voxels along each axis.
    spacing : tuple of 3 floats
        ``pixdim``, in the header's unit of length; ITK gives millimetres.
    """

    order: str
    has_magic: bool
    is_single_file: bool
    sizes: tuple[int, ...]
    datatype: int
    spacing: tuple[float, float, float]
    first_voxel: float
    slope: float
    intercept: float
    qform: int
    sform: int
    quaternion: tuple[float, ...]
    rows: tuple[float, ...]
    bits: int
    qfac: float
    length_unit: int
    content: bytes
    """All 348 bytes."""

    @classmethod
    def of(cls, head: bytes) -> NiftiHeader:
        """Return the header in a file's first 348 bytes.

        Raises
        ------
        ContractError
            When its dimensions are none.
        """
        order = "<" if struct.unpack("<i", head[:4])[0] == 348 else ">"

        def read(kinds: str, offset: int) -> tuple[float, ...]:
            return struct.unpack_from(order + kinds, head, offset)

        axes, *sizes = (int(each) for each in read("8h", 40))
        if not 1 <= axes <= 7 or any(size < 1 for size in sizes[:axes]):
            raise ContractError(f"the header's dimensions cannot be right: {axes} axes of {tuple(sizes)} voxels")
        magic = head[344:348]
        x, y, z = read("3f", 80)
        qform, sform = (int(each) for each in read("2h", 252))
        return cls(
            order=order,
            has_magic=magic in (b"n+1\x00", b"ni1\x00"),
            is_single_file=magic == b"n+1\x00",
            sizes=tuple(sizes[:axes]),
            datatype=int(read("h", 70)[0]),
            spacing=(x, y, z),
            first_voxel=read("f", 108)[0],
            slope=read("f", 112)[0],
            intercept=read("f", 116)[0],
            qform=qform,
            sform=sform,
            quaternion=read("6f", 256),
            rows=read("12f", 280),
            bits=int(read("h", 72)[0]),
            qfac=read("f", 76)[0],
            length_unit=head[123] & 7,
            content=head[:348],
        )

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Return the type of the voxels as stored."""
        return np.dtype(self.order + _TYPES[self.datatype])

    @property
    def expected_bytes(self) -> int:
        """Return the length that the voxels' file must have."""
        return int(self.first_voxel) + math.prod(self.sizes) * self.dtype.itemsize

    @property
    def is_scaled(self) -> bool:
        """Return whether voxels are multiplied by a slope, and an intercept added."""
        has_slope = self.has_magic and math.isfinite(self.slope) and self.slope != 0.0
        return has_slope and not (self.slope == 1.0 and abs(self.intercept) < _SMALLEST_SLOPE)

    def geometry(self) -> bytes:
        """Return a header of a pair for ITK with the same geometry and type, and no more."""
        written = bytearray(348)
        kept = [(0, 4), (70, 76), (76, 108), (123, 124), (252, 328), (344, 348)]
        for start, end in kept:
            written[start:end] = self.content[start:end]
        struct.pack_into(self.order + "8h", written, 40, 3, *self.sizes[:3], 1, 1, 1, 1)
        struct.pack_into(self.order + "h", written, 72, 8 * self.dtype.itemsize)
        if self.has_magic:
            written[344:348] = b"ni1\x00"
        if self.is_scaled:
            struct.pack_into(self.order + "2f", written, 112, self.slope, self.intercept)
        return bytes(written)

    @property
    def has_orientation(self) -> bool:
        """Return whether the header says which way the axes run and where the volume lies."""
        return self.has_magic and (self.qform > 0 or self.sform > 0)

    def refuse_faults(self) -> None:
        """Refuse what a reader would have to guess.

        Raises
        ------
        ContractError
            When the image is no volume of single numbers, or its spacing, scale or orientation is missing,
            contradicts itself or is not finite.
        """
        self._refuse_other_kinds()
        self._refuse_spacing()
        self._refuse_type_and_unit()
        self._refuse_offset_and_scale()
        if self.has_magic:
            self._refuse_orientation()

    def _refuse_other_kinds(self) -> None:
        size = "x".join(str(each) for each in self.sizes)
        kind = _NOT_SINGLE.get(self.datatype)
        if kind is None and self.datatype not in _TYPES:
            raise ContractError(f"the header's datatype {self.datatype} is none of NIfTI's")
        if kind is None and len(self.sizes) < 3:
            kind = f"an image of {len(self.sizes)} dimensions"
        if kind is None and math.prod(self.sizes[4:]) > 1:
            components = math.prod(self.sizes[4:])
            colours = "an RGB" if (components, self.datatype) == (3, 2) else "a vector"
            series = f", a series of {self.sizes[3]}" if self.sizes[3] > 1 else ""
            kind = f"{colours} image, {components} components a voxel{series}"
        if kind is None and math.prod(self.sizes[3:]) > 1:
            kind = f"a series of {self.sizes[3]} volumes: split it into phases"
        if kind is not None:
            raise ContractError(f"is no single-channel volume (size {size}): {kind}")

    def _refuse_spacing(self) -> None:
        if not all(math.isfinite(each) and each > 0 for each in self.spacing):
            written = ", ".join(f"{each:g}" for each in self.spacing)
            raise ContractError(f"the spacing is missing: pixdim is ({written}), and must be above 0 along each axis")

    def _refuse_type_and_unit(self) -> None:
        # Some old writers leave the count of bits at 0.
        if self.bits not in (0, 8 * self.dtype.itemsize):
            raise ContractError(
                f"the header contradicts itself: its datatype is {self.datatype}, with {self.bits} bits a voxel"
            )
        if self.has_magic and self.length_unit > 3:
            raise ContractError(f"the header's unit of length ({self.length_unit}) is none of NIfTI's")

    def _refuse_offset_and_scale(self) -> None:
        least = _SINGLE_FILE if self.is_single_file else 0
        # A NaN is not between the two either.
        if not (least <= self.first_voxel < _FURTHEST and self.first_voxel % 1 == 0):
            raise ContractError(f"vox_offset is {self.first_voxel:g}: no voxel can begin at that byte")
        if not self.has_magic:
            # The place of the slope holds SPM's scale in some Analyze files, and nothing in most.
            if self.slope not in (0.0, 1.0):
                raise ContractError(
                    f"the Analyze header holds {self.slope:g} where SPM stores a scale: save the image as NIfTI"
                )
            return
        scaled = math.isfinite(self.slope) and self.slope != 0.0
        if math.isinf(self.slope) or (scaled and abs(self.slope) < _SMALLEST_SLOPE):
            raise ContractError(f"scl_slope is {self.slope:g}: no voxel can be scaled by it")
        if (scaled and not math.isfinite(self.intercept)) or (
            not scaled and math.isfinite(self.intercept) and self.intercept != 0.0
        ):
            raise ContractError(
                f"scl_slope is {self.slope:g} and scl_inter {self.intercept:g}: readers disagree on what that means"
            )

    def _refuse_orientation(self) -> None:
        if self.qform > 0 and not all(math.isfinite(each) for each in self.quaternion):
            raise ContractError("the orientation (qform) has numbers that are not finite")
        if self.qform > 0 and (
            sum(each * each for each in self.quaternion[:3]) > 1.0 + _SAME or self.qfac not in (-1.0, 0.0, 1.0)
        ):
            raise ContractError("the orientation (qform) is no rotation: the header is damaged")
        if self.qform < 0 or self.sform < 0:
            raise ContractError(f"qform_code {self.qform} and sform_code {self.sform} must not be below 0")
        # Another code is that of a template or another image, which ITK leaves aside where there is a qform.
        if not (self.sform == _SCANNER or (self.sform > 0 and self.qform <= 0)):
            return
        matrix = np.array(self.rows, dtype=np.float64).reshape(3, 4)
        if not np.isfinite(matrix).all():
            raise ContractError("the orientation (sform) has numbers that are not finite")
        refuse_extreme_origin([float(each) for each in matrix[:, 3]])
        lengths = np.linalg.norm(matrix[:, :3], axis=0)
        if not lengths.all():
            raise ContractError("the orientation (sform) has an axis of length 0")
        cosines = matrix[:, :3] / lengths
        if np.abs(cosines.T @ cosines - np.eye(3)).max() > _SAME:
            raise ContractError(SHEARED)
        if np.abs(lengths - self.spacing).max() > _SAME * max(self.spacing):
            of_sform, of_pixdim = (", ".join(f"{each:.6g}" for each in values) for values in (lengths, self.spacing))
            raise ContractError(f"the spacing contradicts itself: ({of_pixdim}) by pixdim, ({of_sform}) by the sform")
        if self.qform == self.sform:
            self._refuse_contradiction(cosines, matrix[:, 3], lengths)

    def _refuse_contradiction(
        self, cosines: NDArray[np.float64], offset: NDArray[np.float64], lengths: NDArray[np.float64]
    ) -> None:
        """Refuse two orientations of one space that differ: readers choose either."""
        b, c, d, *of_qform = self.quaternion
        a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
        rotation = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        rotation[:, 2] *= -1.0 if self.qfac < 0 else 1.0
        furthest = _SAME * max(float(lengths.max()), float(np.abs(offset).max()))
        if np.abs(rotation - cosines).max() > _APART or np.abs(offset - of_qform).max() > furthest:
            raise ContractError("the orientation contradicts itself: qform and sform have one code and differ")
