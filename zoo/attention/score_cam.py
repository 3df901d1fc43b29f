"""Score-CAM: where in an image a network finds what speaks for a class, without gradients.

Two functions stand for the network, so that one implementation serves a network of one image and a network of
several phases, of which one is masked while the others stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["Activations", "Score", "attention_map", "score_cam"]

Floats = NDArray[np.float64]

Activations = Callable[[Tensor], Tensor]
"""From images of shape (1, slices, height, width) to maps of shape (1, channels, rows, columns)."""
Score = Callable[[Tensor], Tensor]
"""From images of shape (n, slices, height, width) to the class's score of each, shape (n,)."""

BATCH = 32
"""Masked images that go through the network together."""
_FLAT = 1e-6


def score_cam(image: Tensor, activations: Activations, score: Score, *, batch: int = BATCH) -> Floats:
    r"""Return the class activation map of one image, as coarse as the activation maps that it is made of.

    .. math::

        L = \mathrm{ReLU}\Big(\sum_k w_k A_k\Big), \qquad
        w = \mathrm{softmax}_k\, y\big(X \circ H_k\big), \qquad
        H_k = \frac{U(A_k) - \min U(A_k)}{\max U(A_k) - \min U(A_k)}

    with the activation maps :math:`A_k` of image :math:`X`, bilinear upsampling :math:`U` and the class's score
    :math:`y` before any softmax or sigmoid. The softmax is taken over the channels, of the scores themselves: the
    score of a baseline image, which the paper subtracts, is the same for all channels and cancels. A channel that
    is constant over the image has no mask; it is left out, which changes the map by a factor and a constant only,
    and `attention_map` takes both out again. Where a network's scores hardly differ between the masked images,
    the weights are nearly equal and the map is that of the mean activation.

    Parameters
    ----------
    image : Tensor of shape (slices, height, width)
        What the network reads; all slices get the same mask. On any device.
    activations : callable
        The last convolutional block, on the same device.
    score : callable
        The whole network, for the class of interest.
    batch : int
        Masked images that go through the network together.

    Returns
    -------
    ndarray of shape (rows, columns)
        Not negative; all zero where no channel varies over the image.

    References
    ----------
    Wang H et al., CVPR Workshops 2020:111, doi:10.1109/CVPRW50498.2020.00020.
    """
    with torch.inference_mode():
        maps = activations(image[None])[0]
        masks = _masks(maps, (int(image.shape[-2]), int(image.shape[-1])))
        lowest, highest = masks.amin((1, 2)), masks.amax((1, 2))
        # A constant channel comes out of the interpolation with rounding errors.
        varies = highest - lowest > _FLAT * torch.maximum(highest.abs(), lowest.abs())
        if not bool(varies.any()):
            return np.zeros(tuple(maps.shape[1:]))
        maps, masks = maps[varies], masks[varies]
        masks = (masks - lowest[varies, None, None]) / (highest - lowest)[varies, None, None]
        parts = [masks[start : start + batch, None] for start in range(0, len(masks), batch)]
        scores = torch.cat([score(image[None] * part) for part in parts])
        # In double precision: the sum over channels would otherwise depend on the device in its last digits.
        weights = torch.softmax(scores.double(), dim=0)
        combined = torch.relu((weights[:, None, None] * maps.double()).sum(dim=0))
        return np.asarray(combined.cpu().numpy(), dtype=np.float64)


def attention_map(coarse: Floats, shape: tuple[int, int]) -> Floats:
    """Return a class activation map at the image's size, from 0 at its lowest pixel to 1 at its highest.

    Parameters
    ----------
    coarse : ndarray of shape (rows, columns)
        From `score_cam`.
    shape : tuple of int
        Height and width of the image.

    Returns
    -------
    ndarray of shape (height, width)
        All zero where the coarse map is the same everywhere.
    """
    full = np.asarray(_masks(torch.from_numpy(np.asarray(coarse, dtype=np.float64))[None], shape)[0].numpy())
    lowest, highest = float(full.min()), float(full.max())
    # A constant map comes out of the interpolation with rounding errors, which must not become a picture.
    if highest - lowest <= 1e-12 * max(abs(highest), abs(lowest)):
        return np.zeros(shape)
    return np.asarray((full - lowest) / (highest - lowest), dtype=np.float64)


def _masks(maps: Tensor, shape: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps[None], size=shape, mode="bilinear", align_corners=False)[0]
