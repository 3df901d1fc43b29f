"""Feature sets of a study's own: radiomics, regions, and embeddings by a network that it brings along as a file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.features.modalities import Modalities
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.region_settings import RegionSettings
from schemas.features.sets import ComputedSettings
from schemas.keys import FeatureSetReference
from schemas.written.values import Written

__all__ = ["FeatureSetSettings", "NetworkFileSettings", "TrainedOn"]

TrainedOn = Literal["none", "these patients"]

_SUFFIXES = {".pt": "torchscript", ".pts": "torchscript", ".torchscript": "torchscript", ".onnx": "onnx"}

_NOT_DECIDING = {"file", "sha256", "regions", "batch_size", "seconds", "memory_gb"}

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Real = Annotated[float, Field(allow_inf_nan=False)]
PositiveReal = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class NetworkFileSettings(BaseModel):
    """A network of somebody's own, and how regions are given to it.

    Attributes
    ----------
    file : str
        TorchScript (``.pt``, ``.pts``, ``.torchscript``) or ONNX (``.onnx``); relative to the study file.
    sha256 : str or None
        The file's hash. Loading TorchScript runs what the file says: it is required there, so that only the file
        that somebody looked at is loaded.
    regions : str
        The feature set of regions that it reads, ``name`` or ``name@N``.
    trained_on : {"none", "these patients"}
        Whether it has seen labels of patients of this store. ``none``: trained elsewhere, or without labels; its
        embeddings carry no label, and any model may learn from them. ``these patients``: they can be looked at, and
        every model that would learn from them is refused.
    channels : {"slices", "middle"}
        ``slices``: a region's slices are the channels. ``middle``: the middle slice, three times, for networks of
        coloured pictures.
    size : int or None
        Pixels along each side, if others than the region has: it is resized, bilinear.
    mean, std : tuple of float
        What is subtracted from, and then divides, the region's intensities: one number, or one for each channel.
    output : str or None
        Which output is the embedding, where there are several: a name, or of a tuple the position. The first where
        absent. What has more than one axis for each region is averaged over the others than the first.
    batch_size : int
        Regions that go through the network together; not part of what decides an embedding.
    seconds, memory_gb : float
        What a batch may take: a network runs in a process of its own, which ends there. Not part of what decides an
        embedding either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: Sha256 | None = None
    regions: FeatureSetReference
    trained_on: TrainedOn
    channels: Literal["slices", "middle"] = "slices"
    size: Annotated[int, Field(ge=1, le=2048)] | None = None
    mean: Annotated[tuple[Real, ...], Field(max_length=64)] = (0.0,)
    std: Annotated[tuple[PositiveReal, ...], Field(max_length=64)] = (1.0,)
    output: str | None = None
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 16
    seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 10.0
    memory_gb: Annotated[float, Field(gt=0, le=4096, allow_inf_nan=False)] = 2.0

    @model_validator(mode="after")
    def _can_be_trusted_and_read(self) -> Self:
        if self.format is None:
            raise ValueError(f"'{self.file}' is neither TorchScript nor ONNX: {', '.join(_SUFFIXES)}")
        if self.format == "torchscript" and self.sha256 is None:
            raise ValueError("loading TorchScript runs what the file says: give its sha256 (sha256sum FILE)")
        if not self.mean or not self.std:
            raise ValueError("mean and std are one number, or one for each channel")
        return self

    @property
    def format(self) -> str | None:
        """Return ``torchscript`` or ``onnx``, by the file's ending; None for any other."""
        return next((kind for suffix, kind in _SUFFIXES.items() if self.file.lower().endswith(suffix)), None)

    def deciding(self) -> dict[str, object]:
        """Return the settings that decide an embedding beside the file's content and the regions: JSON-ready."""
        return self.model_dump(mode="json", exclude=_NOT_DECIDING)


class FeatureSetSettings(Written):
    """A feature set of the study's own; the name@N of a built-in one needs no entry."""

    declared_later: ClassVar[frozenset[str]] = frozenset({"modality"})

    description: str = ""
    modality: Modalities = ()
    """Which images it is meant for; no part of its definition."""
    radiomics: RadiomicsSettings | None = None
    regions: RegionSettings | None = None
    network: NetworkFileSettings | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if sum(each is not None for each in (self.radiomics, self.regions, self.network)) != 1:
            raise PydanticCustomError("one_kind", "give exactly one of radiomics, regions and network")
        return self

    @property
    def settings(self) -> ComputedSettings:
        """Return what decides the values that are computed from images; a network's are made of another set."""
        settings = self.radiomics or self.regions
        if settings is None:
            raise AssertionError("validated above")
        return settings
