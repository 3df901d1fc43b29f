"""Grey level co-occurrence matrix (GLCM): how often two grey levels are neighbours, and 24 features of it.

Symbols: ``P(i, j, a)`` is the share of pairs at angle a that have the grey levels i and j; ``px`` and ``py`` are its
marginals, ``ux`` and ``uy`` their means; ``p_sum(k)`` and ``p_diff(k)`` the shares of pairs whose grey
levels have the sum and the difference k; ``eps`` is 2.2e-16. A feature is the mean over the angles.

References
----------
Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314; IBSI reference manual, chapter 3.6, doi:10.1148/radiol.2020191145;
formulas and rounding: pyradiomics 3.0.1, van Griethuysen et al. 2017, doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flows.extract.fast import kernels
from flows.extract.fast.correlation_coefficient import maximal_correlation
from flows.extract.fast.joint import PairSums, pair_sums
from flows.extract.fast.levels import DegenerateMaskError, MaskLevels

__all__ = ["glcm_features"]

Floats = NDArray[np.float64]


def glcm_features(mask: MaskLevels) -> dict[str, float]:
    """Return the features of a mask's co-occurrence matrix; NaN where a formula gives none.

    Raises
    ------
    DegenerateMaskError
        When no voxel has a neighbour.
    """
    found = _of_angles(_matrix(mask), mask)
    return dict(zip(found, np.nanmean(list(found.values()), axis=1).tolist(), strict=True))


def _of_angles(P: Floats, mask: MaskLevels) -> dict[str, Floats]:
    """Return each feature at each angle."""
    n_grey, eps, is_symmetric = mask.highest, np.spacing(1), mask.settings.symmetrical_glcm
    sums = pair_sums(P, mask.present, is_symmetric=is_symmetric)
    p_sum, p_diff = sums.p_sum, sums.p_diff
    k_sum, k_diff = np.arange(2, 2 * n_grey + 1, dtype=float)[:, None], np.arange(n_grey, dtype=float)[:, None]
    from_mean = k_sum - sums.ux - sums.uy
    from_mean2 = from_mean * from_mean
    difference_average = np.sum(k_diff * p_diff, 0)
    found: dict[str, Floats] = {
        "Autocorrelation": sums.product,
        "JointAverage": sums.ux,
        "ClusterProminence": np.sum(from_mean2 * from_mean2 * p_sum, 0),
        "ClusterShade": np.sum(from_mean2 * from_mean * p_sum, 0),
        "ClusterTendency": np.sum(from_mean2 * p_sum, 0),
        "Contrast": np.sum(k_diff**2 * p_diff, 0),
        "Correlation": _correlation(sums),
        "DifferenceAverage": difference_average,
        "DifferenceEntropy": -np.sum(p_diff * np.log2(p_diff + eps), 0),
        "DifferenceVariance": np.sum((k_diff - difference_average) ** 2 * p_diff, 0),
        "JointEnergy": sums.energy,
        "JointEntropy": sums.HXY,
        "Imc1": _first_information_measure(sums),
        "Imc2": _second_information_measure(sums),
        "Idm": np.sum(p_diff / (1 + k_diff**2), 0),
        "MCC": maximal_correlation(P, sums.px, sums.py, is_symmetric=is_symmetric),
        "Idmn": np.sum(p_diff / (1 + k_diff**2 / n_grey**2), 0),
        "Id": np.sum(p_diff / (1 + k_diff), 0),
        "Idn": np.sum(p_diff / (1 + k_diff / n_grey), 0),
        "InverseVariance": np.sum(p_diff[1:] / k_diff[1:] ** 2, 0),
        "MaximumProbability": sums.largest,
        "SumAverage": np.sum(k_sum * p_sum, 0),
        "SumEntropy": -np.sum(p_sum * np.log2(p_sum + eps), 0),
        "SumSquares": sums.x_variance,
    }
    return found


def _matrix(mask: MaskLevels) -> Floats:
    """Return P(i, j, a), of shape (levels, levels, angles), of the angles at which there are pairs.

    It lies in memory as pyradiomics' does: numpy adds up in the order of the memory, and where a difference is nothing
    but rounding (`_correlation`, `_second_information_measure`) that order decides.
    """
    angles = mask.angles(mask.settings.distances_voxels)
    n_levels = len(mask.present)
    is_symmetric = mask.settings.symmetrical_glcm
    pairs = kernels.pair_counts(mask.ranks, mask.layout.rows, mask.offsets(angles), n_levels, is_symmetric)[None]
    if mask.highest - n_levels != 1:
        # pyradiomics takes absent levels out by numpy.delete, which copies for one and else chooses by a mask: then the
        # first level moves fastest, as it does in a symmetric matrix that is turned over.
        every = np.ones(n_levels, dtype=bool)
        pairs = pairs.transpose(0, 2, 1, 3) if is_symmetric else pairs[:, every][:, :, every]
    if (norm := mask.settings.weighting_norm) is not None:
        weights = np.ones(len(angles)) if norm == "no_weighting" else np.exp(-mask.squares_mm2(angles, norm))
        pairs = np.sum(pairs * weights, 3, keepdims=True)
    totals = pairs.sum((1, 2))
    if not totals.any():
        raise DegenerateMaskError
    if not totals.all():
        empty = np.flatnonzero(totals[0] == 0)
        pairs, totals = np.delete(pairs, empty, 3), np.delete(totals, empty, 1)
    P: Floats = np.divide(pairs, totals[:, None, None], out=pairs)[0]
    return P


def _correlation(sums: PairSums) -> Floats:
    """Return the correlation of i and j; 1 for an angle at which one of them is constant.

    Where it is constant but for rounding, that decides.
    """
    deviations = sums.x_variance**0.5 * sums.y_variance**0.5
    correlation: Floats = sums.covariance / (deviations + np.spacing(1))
    correlation[deviations == 0] = 1
    return correlation


def _first_information_measure(sums: PairSums) -> Floats:
    """Return (HXY - HXY1) / max(HX, HY), 0 for an angle where both marginal entropies are 0."""
    eps = np.spacing(1)
    HX, HY = (-np.sum(marginal * np.log2(marginal + eps), 0) for marginal in (sums.px, sums.py))
    largest = np.fmax(HX, HY)
    imc1: Floats = np.where(largest == 0, 0.0, (sums.HXY - sums.HXY1) / np.where(largest == 0, 1.0, largest))
    return imc1


def _second_information_measure(sums: PairSums) -> Floats:
    """Return sqrt(1 - exp(-2 (HXY2 - HXY))); NaN for an angle where HXY2 is the smaller.

    Where i and j are independent the difference is pure rounding, and its sign decides whether the angle counts.
    """
    imc2: Floats = (1 - np.e ** (-2 * (sums.HXY2 - sums.HXY))) ** 0.5
    imc2[sums.HXY2 == sums.HXY] = 0
    return imc2
