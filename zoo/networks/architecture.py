"""The networks: residual trunks that read a phase's slices as channels, and the layer that joins the phases."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from schemas.study.networks import ARCHITECTURES, Architecture, NetworkFusion
from zoo.networks.package_trunk import package_trunk

__all__ = ["N_LABELS", "PhaseNetwork", "ResidualTrunk"]

N_LABELS = 2
_CHANNELS = (64, 128, 256, 512)
_BLOCKS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"resnet10": (2, 2), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
)
"""Basic blocks of each stage; every block has two convolutions."""


class ResidualTrunk(ResNet):
    """A residual network without its last layer: from slices to features.

    A 7 x 7 convolution with stride 2 and a max-pool with stride 2, stages of basic blocks, global average pooling.
    ``resnet10`` is what the study's text describes: the stem, four 3 x 3 convolutions of 64 and four of 128
    channels, which is ResNet-18 cut behind its second stage; 128 features, 683,200 parameters with three slices.
    (What MONAI calls ``resnet10`` has one block in each of four stages, 512 features.) ``resnet18`` and
    ``resnet34`` are the usual ones. Shortcuts that change the number of channels are 1 x 1 convolutions with a
    bias.

    Parameters
    ----------
    architecture : {"resnet10", "resnet18", "resnet34"}
        Which one.
    channels : int
        Slices, or slices times phases.

    Attributes
    ----------
    n_features : int
        128 or 512.

    References
    ----------
    He K et al., CVPR 2016:770, doi:10.1109/CVPR.2016.90.
    """

    def __init__(self, architecture: Architecture, channels: int) -> None:
        blocks = _BLOCKS[architecture]
        super().__init__(
            block="basic",
            # MONAI makes four stages; those that are not asked for are taken out again.
            layers=[*blocks, *[1] * (len(_CHANNELS) - len(blocks))],
            block_inplanes=list(_CHANNELS),
            spatial_dims=2,
            n_input_channels=channels,
            conv1_t_stride=2,
            feed_forward=False,
        )
        for stage in range(len(blocks) + 1, len(_CHANNELS) + 1):
            setattr(self, f"layer{stage}", nn.Identity())
        self.n_features = _CHANNELS[len(blocks) - 1]
        self._n_stages = len(blocks)

    @property
    def last_stage(self) -> nn.Sequential:
        """Return the last stage of blocks, whose output is what is averaged."""
        stage: nn.Sequential = getattr(self, f"layer{self._n_stages}")
        return stage

    @property
    def last_convolution(self) -> nn.Conv2d:
        """Return the last convolutional layer."""
        convolution = self.last_stage[-1].conv2
        assert isinstance(convolution, nn.Conv2d)  # noqa: S101  (for the type checker)
        return convolution

    def feature_maps(self, slices: Tensor) -> Tensor:
        """Return the last stage's maps, of shape (n, n_features, rows, columns), before they are averaged."""
        maps: Tensor = self.maxpool(self.act(self.bn1(self.conv1(slices))))
        for stage in range(1, self._n_stages + 1):
            maps = getattr(self, f"layer{stage}")(maps)
        return maps


class PhaseNetwork(nn.Module):
    """Trunks over the phases of a patient, and one linear layer on what they found.

    Parameters
    ----------
    architecture : str
        Of the trunk: ``resnet10``, ``resnet18``, ``resnet34``, or the name of a network that another package adds.
    n_phases, n_slices : int
        What a patient's regions hold.
    fusion : {"shared", "separate", "early"}
        See `schemas.study.networks.NetworkSettings`.
    n_tabular : int, default=0
        Numbers a patient that go into the last layer beside the trunk's features: selected radiomics, clinical
        factors.

    Attributes
    ----------
    trunks : ModuleList
        One, or one for each phase with ``separate``.
    head : Linear
        From the concatenated features, phase by phase, and then the tabular inputs to the scores of both labels.
    """

    def __init__(
        self,
        architecture: str,
        n_phases: int,
        n_slices: int,
        fusion: NetworkFusion = "shared",
        n_tabular: int = 0,
    ) -> None:
        super().__init__()
        self.fusion = fusion
        self.n_passes = 1 if fusion == "early" else n_phases
        channels = n_slices * n_phases if fusion == "early" else n_slices
        self.trunks = nn.ModuleList(
            _trunk(architecture, channels) for _ in range(n_phases if fusion == "separate" else 1)
        )
        n_features: int = self.trunk.n_features  # type: ignore[assignment]
        self.head = nn.Linear(self.n_passes * n_features + n_tabular, N_LABELS)

    @property
    def trunk(self) -> nn.Module:
        """Return the first trunk, which is the only one unless they are separate."""
        return self.trunk_of(0)

    def trunk_of(self, phase: int) -> nn.Module:
        """Return the trunk that reads a phase, given by its position."""
        return self.trunks[phase if self.fusion == "separate" else 0]

    @property
    def has_maps(self) -> bool:
        """Return whether its trunks give the maps that class activation maps are made of."""
        return hasattr(self.trunk, "feature_maps")

    def embed(self, images: Tensor) -> Tensor:
        """Return the trunk's features of each phase.

        Parameters
        ----------
        images : Tensor of shape (n_patients, n_phases, n_slices, size, size)
            Regions, scaled as in training.

        Returns
        -------
        Tensor of shape (n_patients, n_phases, n_features)
            With early fusion the phases have one embedding together: (n_patients, 1, n_features).
        """
        if self.fusion == "early":
            found: Tensor = self.trunk(images.flatten(1, 2))
            return found[:, None]
        if self.fusion == "shared":
            found = self.trunk(images.flatten(0, 1))
            return found.reshape(images.shape[0], images.shape[1], -1)
        return torch.stack([self.trunk_of(phase)(images[:, phase]) for phase in range(images.shape[1])], dim=1)

    def scores(self, embeddings: Tensor, tabular: Tensor | None = None) -> Tensor:
        """Return the scores of both labels, before any softmax, from embeddings and tabular inputs."""
        features = embeddings.flatten(1)
        joined: Tensor = self.head(features if tabular is None else torch.cat([features, tabular], dim=1))
        return joined

    def forward(self, images: Tensor, tabular: Tensor | None = None) -> Tensor:
        """Return the scores of both labels, of shape (n_patients, 2)."""
        return self.scores(self.embed(images), tabular)


def _trunk(architecture: str, channels: int) -> nn.Module:
    for own in ARCHITECTURES:
        if architecture == own:
            return ResidualTrunk(own, channels)
    return package_trunk(architecture, channels)
