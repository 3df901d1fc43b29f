"""A small DenseNet of MONAI: the trunk from which radzoo makes a network of all phases, and which it trains."""

from __future__ import annotations

import torch
from monai.networks.nets import DenseNet
from torch import Tensor, nn

__all__ = ["TinyDenseNet", "tiny_densenet"]


class TinyDenseNet(nn.Module):
    """Two dense blocks of two layers; each region becomes ``n_features`` numbers.

    Parameters
    ----------
    channels : int
        Of a region: slices, or slices times phases with early fusion.
    """

    n_features = 16

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = DenseNet(
            spatial_dims=2,
            in_channels=channels,
            out_channels=self.n_features,
            init_features=8,
            growth_rate=4,
            block_config=(2, 2),
        )

    def feature_maps(self, regions: Tensor) -> Tensor:
        """Return the last block's maps, from which class activation maps are made."""
        return torch.relu(self.net.features(regions))

    def forward(self, regions: Tensor) -> Tensor:
        """Return the features of regions of shape (n, channels, size, size)."""
        features: Tensor = self.net.class_layers[1:](self.feature_maps(regions))
        return features


def tiny_densenet(channels: int) -> TinyDenseNet:
    """Return the trunk, its first weights drawn from PyTorch's generator, which radzoo seeds."""
    return TinyDenseNet(channels)
