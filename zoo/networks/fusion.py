"""The fused model (DLRCR): a network's features, selected radiomics and clinical factors in one trained layer."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from schemas.documents.model_summary import ModelSummary
from schemas.study.models import ModelSettings
from schemas.study.networks import NetworkSettings
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.region_columns import is_region_column
from zoo.radiomics.combined import CombinedFeatures
from zoo.radiomics.pipelines import DEFAULT_SETTINGS, combined_features

__all__ = ["FusionClassifier", "dlrcr"]


def dlrcr(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> FusionClassifier:
    """Return the unfitted fused model on ResNet-10, the best of the paper's three networks."""
    return FusionClassifier(
        combined_features(settings, random_state),
        "resnet10",
        settings.network or NetworkSettings(),
        random_state,
    )


class FusionClassifier(NetworkClassifier):
    """A network whose last layer also reads selected radiomics features and clinical factors.

    The layer's inputs are the trunk's features of every phase (3 x 128 with ``resnet10``) and the columns that
    ``combined`` selects, each on the scale of its training standard deviation; all weights are trained jointly.

    Both selections are fitted inside ``fit``, and only on the patients who move the weights. Those who tell when to
    stop take no part in them: features that were chosen with a patient's label fit that patient, so the loss would
    go on falling on them where it no longer does on others.

    Parameters
    ----------
    combined : CombinedFeatures
        Selects the tabular inputs.
    architecture, settings, random_state
        As of `NetworkClassifier`.

    Attributes
    ----------
    combined_ : CombinedFeatures
        Fitted.
    tabular_columns_ : list of str
        The columns that it is given: all that are no regions.
    """

    def __init__(
        self,
        combined: CombinedFeatures,
        architecture: str = "resnet10",
        settings: NetworkSettings | None = None,
        random_state: int = 0,
    ) -> None:
        super().__init__(architecture, settings, random_state)
        self.combined = combined

    def fit(self, X: pl.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Return self, with the selections fitted and the network trained.

        Parameters
        ----------
        X : polars.DataFrame
            Regions (``PHASE__region``), radiomics (``PHASE__feature``) and clinical factors.
        y : array-like of shape (n_patients,)
            0 or 1.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts, in the selections and in the network.

        Raises
        ------
        ContractError
            As of `NetworkClassifier.fit`, and if one of the three kinds of columns is missing.
        """
        return super().fit(X, y, sample_weight)

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return what the network says, and the tabular inputs that were selected with their weights."""
        own: ModelSummary = {
            "columns_after": self.combined_.column_counts(),
            "features": [{"feature": name, "coefficient": weight} for name, weight in self.tabular_coefficients()],
            "notes": list(self.combined_.notes_),
        }
        network: ModelSummary = super().summary(labels)
        return network | own

    def fitted_parts(self) -> tuple[CombinedFeatures]:
        """Return what selects the tabular inputs."""
        return (self.combined_,)

    def tabular_coefficients(self) -> list[tuple[str, float]]:
        """Return the selected columns and the last layer's weights for them, largest first.

        A weight is the log odds of label 1 per training standard deviation, the network's features being the same.
        """
        head = self.network().head
        weights = (head.weight[1] - head.weight[0]).detach().numpy()[-self._n_tabular() :]
        names = [str(name) for name in self.combined_.get_feature_names_out()]
        pairs = [(name, float(weight)) for name, weight in zip(names, weights, strict=True)]
        return sorted(pairs, key=lambda pair: (-abs(pair[1]), pair[0]))

    def unweighted(self) -> tuple[Any, ...]:
        """Return what the network says, and the selections."""
        return (*super().unweighted(), self.combined)

    def _fit_tabular(self, X: pl.DataFrame, labels: NDArray[np.int64], weights: NDArray[np.float64] | None) -> None:
        self.tabular_columns_ = [name for name in X.columns if not is_region_column(name)]
        self.combined_ = clone(self.combined).fit(X.select(self.tabular_columns_), labels, weights)

    def _tabular(self, X: pl.DataFrame) -> NDArray[np.float32]:
        return np.asarray(self.combined_.transform(X.select(self.tabular_columns_)), dtype=np.float32)

    def _n_tabular(self) -> int:
        return len(self.combined_.get_feature_names_out())
