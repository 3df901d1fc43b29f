"""One level of the stationary wavelet transform, to the last bit of PyWavelets, where it is asked for.

Along a line of N voxels that goes round, with filters l (low) and h (high) of F taps,
``low(i) = sum l(j) x(i + F/2 - j)`` and ``high(i)`` the like with h, for j from 0; what is asked beyond the line's end
is taken from its beginning, and PyWavelets adds those terms first, from j = i + F/2 - N down.

References
----------
Holschneider, Kronland-Martinet, Morlet, Tchamitchian 1989, doi:10.1007/978-3-642-97177-8_28 (the algorithme a trous);
Lee et al. 2019, PyWavelets, doi:10.21105/joss.01237, whose sums these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pywt
from numpy.typing import NDArray

from flows.extract.nearby import Box
from flows.imaging.intensities.lines import filter_by_two

__all__ = ["wavelet_bands"]

Floats = NDArray[np.float64]
Array = NDArray[Any]
_ALL = slice(None)


def wavelet_bands(image: Array, wavelet: str, axes: Sequence[int], box: Box) -> dict[str, Array]:
    """Return the bands of an image within a box, by a letter for each axis: a of the low filter, d of the high one.

    A line is transformed as a whole, whatever lies beside it: along axes that are done only the box's part goes on.

    Parameters
    ----------
    image : ndarray of shape (z, y, x)
        Of an even number of voxels along each of the axes.
    wavelet : str
        A discrete wavelet of PyWavelets'.
    axes : sequence of int
        Along which it is transformed, in this order.
    box : tuple of slice
        Where the bands are asked for.
    """
    bands = {"": image[tuple(_ALL if axis in axes else box[axis] for axis in range(3))]}
    for axis in axes:
        bands = {
            letters + letter: part
            for letters, whole in bands.items()
            for letter, part in zip("ad", _both(whole, wavelet, axis, box[axis]), strict=True)
        }
    return bands


def _both(image: Array, wavelet: str, axis: int, within: slice) -> tuple[Array, Array]:
    length = image.shape[axis]
    if image.dtype != np.float64 or length < pywt.Wavelet(wavelet).dec_len or not _has_the_bits(wavelet):
        (bands,) = pywt.swtn(image, wavelet, level=1, axes=(axis,))
        cut = (_ALL,) * axis + (within,)
        return bands["a"][cut], bands["d"][cut]
    return _by_lines(image, wavelet, axis, within)


def _by_lines(image: Floats, wavelet: str, axis: int, within: slice) -> tuple[Floats, Floats]:
    of_low, of_high, places = _terms(wavelet, image.shape[axis], *within.indices(image.shape[axis])[:2])
    shape = tuple(len(places) if each == axis else length for each, length in enumerate(image.shape))
    low, high = np.empty(shape), np.empty(shape)
    filter_by_two(np.ascontiguousarray(image), low, high, axis, of_low, of_high, places)
    return low, high


def _terms(wavelet: str, length: int, start: int, stop: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return both filters' values and the places along a line of the terms of each result, in the order of its sum."""
    filters = pywt.Wavelet(wavelet)
    n_taps = filters.dec_len
    last = np.arange(start, stop)[:, None] + n_taps // 2
    taps = np.tile(np.arange(n_taps), (stop - start, 1))
    beyond = np.maximum(last - length + 1, 0)
    taps = np.where(taps < beyond, beyond - 1 - taps, taps)
    low, high = np.array(filters.dec_lo), np.array(filters.dec_hi)
    return low[taps], high[taps], (last - taps) % length


@cache
def _has_the_bits(wavelet: str) -> bool:
    """Return whether sums have the bits of PyWavelets here: a compiler may have joined its products and sums."""
    n_taps = pywt.Wavelet(wavelet).dec_len
    line = np.random.default_rng(0).normal(size=(1, 1, 2 * n_taps + 40)) * 100
    (expected,) = pywt.swtn(line, wavelet, level=1, axes=(2,))
    return all(map(np.array_equal, _by_lines(line, wavelet, 2, _ALL), (expected["a"], expected["d"])))
