"""Grey level co-occurrence features with the values of pyradiomics 3.0.1, at a fraction of the time.

What is overridden here is an algebraic identity of what pyradiomics computes, with the sums in another form.
Quantities whose rounding decides a value (the entropies, see `FastGLCM.getImc2FeatureValue`) keep
pyradiomics' order of summation to the last bit.
"""
# ruff: noqa: N802  pyradiomics finds features by these method names

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from radiomics.glcm import RadiomicsGLCM

__all__ = ["FastGLCM"]

Array = npt.NDArray[Any]

# An eigenvalue under this is too near its own rounding error, about 1e-16, for its root to keep nine digits.
_SMALLEST_SURE_EIGENVALUE = 1e-6


class FastGLCM(RadiomicsGLCM):  # type: ignore[misc]  # pyradiomics has no type information
    """GLCM features equal to ``radiomics.glcm.RadiomicsGLCM`` within a relative error of 1e-9.

    Symbols: ``P`` is the normalised co-occurrence matrix, of shape (voxels, levels, levels, angles) as in
    pyradiomics; ``px`` and ``py`` its marginals; ``ux`` and ``uy`` their means; ``p_sum(k)`` and
    ``p_diff(k)`` the distributions of ``i + j`` and ``|i - j|``.

    References
    ----------
    Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314; van Griethuysen et al. 2017,
    doi:10.1158/0008-5472.CAN-17-0339.
    """

    def _calculateCoefficients(self) -> None:
        n_grey = self.coefficients["Ng"]
        levels = self.coefficients["grayLevels"]
        i, j = np.meshgrid(levels.astype(float), levels.astype(float), indexing="ij", sparse=True)
        px = self.P_glcm.sum(2, keepdims=True)
        py = self.P_glcm.sum(1, keepdims=True)
        eps = np.spacing(1)
        self.coefficients |= {
            "eps": eps,
            "i": i,
            "j": j,
            "kValuesSum": np.arange(2, 2 * n_grey + 1, dtype=float),
            "kValuesDiff": np.arange(n_grey, dtype=float),
            "px": px,
            "py": py,
            "ux": np.sum(i[None, :, :, None] * self.P_glcm, (1, 2), keepdims=True),
            "uy": np.sum(j[None, :, :, None] * self.P_glcm, (1, 2), keepdims=True),
            "pxAddy": self._totals((levels[:, None] + levels - 2).ravel(), 2 * n_grey - 1),
            "pxSuby": self._totals(np.abs(levels[:, None] - levels).ravel(), n_grey),
            "HXY": -np.sum(self.P_glcm * np.log2(self.P_glcm + eps), (1, 2)),
            "log_pxpy": np.log2(px * py + eps),
        }

    def _totals(self, bins: Array, n_bins: int) -> Array:
        """Return the sums of P over the level pairs of each bin, of shape (voxels, n_bins, angles)."""
        n_voxels, n_levels, _, n_angles = self.P_glcm.shape
        pairs = self.P_glcm.reshape(n_voxels, n_levels**2, n_angles)
        totals = np.empty((n_voxels, n_bins, n_angles))
        for voxel, angle in np.ndindex(n_voxels, n_angles):
            totals[voxel, :, angle] = np.bincount(bins, pairs[voxel, :, angle], n_bins)
        return totals

    def _cluster_moment(self, power: int) -> Array:
        """Return the sum over k of (k - ux - uy)**power p_sum(k), mean over angles: only i + j enters."""
        ux, uy = self.coefficients["ux"][:, 0], self.coefficients["uy"][:, 0]
        deviation = self.coefficients["kValuesSum"][None, :, None] - ux - uy
        return _mean_over_angles(np.sum(deviation**power * self.coefficients["pxAddy"], 1))

    def getClusterProminenceFeatureValue(self) -> Array:
        """Return the fourth central moment of i + j."""
        return self._cluster_moment(4)

    def getClusterShadeFeatureValue(self) -> Array:
        """Return the third central moment of i + j."""
        return self._cluster_moment(3)

    def getClusterTendencyFeatureValue(self) -> Array:
        """Return the second central moment of i + j."""
        return self._cluster_moment(2)

    def getContrastFeatureValue(self) -> Array:
        """Return the mean of (i - j)**2, from the distribution of |i - j|."""
        squares = self.coefficients["kValuesDiff"][None, :, None] ** 2
        return _mean_over_angles(np.sum(squares * self.coefficients["pxSuby"], 1))

    def getSumSquaresFeatureValue(self) -> Array:
        """Return the variance of i, from the marginal px."""
        deviation = self.coefficients["i"][None, :, :, None] - self.coefficients["ux"]
        return _mean_over_angles(np.sum(deviation**2 * self.coefficients["px"], (1, 2)))

    def getImc1FeatureValue(self) -> Array:
        """Return (HXY - HXY1) / max(HX, HY), 0 for an angle where both marginal entropies are 0."""
        px, py, eps = (self.coefficients[name] for name in ("px", "py", "eps"))
        largest = np.fmax(-np.sum(px * np.log2(px + eps), (1, 2)), -np.sum(py * np.log2(py + eps), (1, 2)))
        difference = self.coefficients["HXY"] + np.sum(self.P_glcm * self.coefficients["log_pxpy"], (1, 2))
        difference[largest != 0] /= largest[largest != 0]
        difference[largest == 0] = 0
        return _mean_over_angles(difference)

    def getImc2FeatureValue(self) -> Array:
        """Return sqrt(1 - exp(-2 (HXY2 - HXY))).

        Where i and j are independent the difference is pure rounding, and its sign decides whether the
        angle counts: hence pyradiomics' order of summation.
        """
        pxpy = self.coefficients["px"] * self.coefficients["py"]
        hxy2 = -np.sum(pxpy * self.coefficients["log_pxpy"], (1, 2))
        hxy = self.coefficients["HXY"]
        imc2 = (1 - np.e ** (-2 * (hxy2 - hxy))) ** 0.5
        imc2[hxy2 == hxy] = 0
        return _mean_over_angles(imc2)

    def getMCCFeatureValue(self) -> Array | int:
        """Return the root of the second largest eigenvalue of Q, mean over angles.

        ``Q(i, j) = sum_k P(i, k) P(j, k) / (px(i) py(k) + eps)`` is the matrix product of
        ``P / (px py + eps)`` with the transpose of P. Where the eigenvalue is next to 0, its rounding decides
        whether its root exists at all, and pyradiomics' own sums are used.
        """
        P = np.ascontiguousarray(self.P_glcm.transpose(0, 3, 1, 2))
        px, py = (self.coefficients[name].transpose(0, 3, 1, 2) for name in ("px", "py"))
        Q = P / (px * py + self.coefficients["eps"]) @ P.swapaxes(2, 3)
        eigenvalues = np.linalg.eigvals(Q)
        eigenvalues.sort()
        second = eigenvalues[:, :, -2:-1]
        if second.size == 0 or not np.all(second.real > _SMALLEST_SURE_EIGENVALUE):
            value: Array | int = super().getMCCFeatureValue()
            return value
        return _mean_over_angles(np.sqrt(second[:, :, 0])).real


def _mean_over_angles(per_angle: Array) -> Array:
    """Return the mean of an array of shape (voxels, angles) over its angles, without those that are NaN."""
    mean: Array = np.nanmean(per_angle, 1)
    return mean
