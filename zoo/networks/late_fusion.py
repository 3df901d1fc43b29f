"""Late fusion: what a network and the combined model say of patients new to them, joined."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from schemas.documents.model_summary import ModelSummary
from schemas.errors import ContractError
from schemas.study.models import ModelSettings
from schemas.study.networks import NetworkSettings
from zoo.logistic.firth import leave_out_intervals
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.region_columns import is_region_column
from zoo.networks.score_join import ScoreJoin, within_parts
from zoo.radiomics.pipelines import DEFAULT_SETTINGS, combined_pipeline
from zoo.weighting.steps import fit_options
from zoo.weighting.sums import parts, patient_weights

__all__ = ["LateFusionClassifier", "late_fusion"]

Floats = NDArray[np.float64]


def late_fusion(settings: ModelSettings = DEFAULT_SETTINGS, random_state: int = 0) -> LateFusionClassifier:
    """Return the unfitted late fusion of ResNet-10 and the combined model (RCR)."""
    network = settings.network or NetworkSettings()
    return LateFusionClassifier(
        NetworkClassifier("resnet10", network, random_state),
        combined_pipeline(settings, random_state),
        n_splits=network.inner_folds,
        random_state=random_state,
        part_by_part=True,
    )


class LateFusionClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Stacked generalisation of a network and a model of tabular inputs (Wolpert 1992).

    Inside ``fit`` both are trained on all parts but one and give the log odds of the patients of that part, whom they
    have not seen; they are joined by what they say of these. Then both are trained on all patients. Of scores of
    patients who trained them, a join would believe the member that overfits most.

    Networks of different parts have log odds of different spread. A regression of all of them as they are gives a
    member that is right within each part a negative weight where that happens to fit: `ScoreJoin` takes them part by
    part.

    Parameters
    ----------
    network : NetworkClassifier
        Reads the columns that are regions.
    tabular : classifier
        Reads the others; gives a ``decision_function``.
    n_splits : int, default=3
        Parts, stratified by label: the network is trained once more than that.
    random_state : int, default=0
        Draws the parts.
    part_by_part : bool, default=False
        Join by `ScoreJoin`, as the zoo does; else by a plain regression of the pooled log odds, as models of before do.

    Attributes
    ----------
    network_, tabular_ : classifier
        Trained on all patients.
    join_ : ScoreJoin or Pipeline
        Scales the two scores and joins them.
    scores_ : ndarray of shape (n_patients, 2)
        The log odds that it was fitted to, in the order of the patients given.
    held_out_rows_, held_out_probabilities_ : ndarray of shape (n_patients,)
        All rows, and what the regression makes of those log odds: of members that had not seen the patient.
    classes_ : ndarray of shape (2,)
        The labels.

    References
    ----------
    Wolpert DH, Neural Networks 1992;5:241, doi:10.1016/S0893-6080(05)80023-1.
    """

    def __init__(
        self,
        network: NetworkClassifier,
        tabular: BaseEstimator,
        n_splits: int = 3,
        random_state: int = 0,
        *,
        part_by_part: bool = False,
    ) -> None:
        self.network = network
        self.tabular = tabular
        self.n_splits = n_splits
        self.random_state = random_state
        self.part_by_part = part_by_part

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: pl.DataFrame, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Return self, with both members and the regression that joins them fitted.

        Parameters
        ----------
        X : polars.DataFrame
            Regions, radiomics and clinical factors.
        y : array-like of shape (n_patients,)
            Two labels.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts, in both members and in what joins them.

        Raises
        ------
        ContractError
            If a label has fewer patients than there are parts, or one of the members cannot be fitted.
        """
        labels = np.asarray(y)
        fewest = int(np.unique(labels, return_counts=True)[1].min())
        if fewest < self.n_splits:
            raise ContractError(f"late fusion in {self.n_splits} parts needs as many patients of each label: {fewest}")
        weights = patient_weights(sample_weight, len(labels))
        divided = StratifiedKFold(self.n_splits, shuffle=True, random_state=self.random_state)
        scores, numbers = np.empty((len(labels), 2)), np.empty(len(labels), dtype=np.int64)
        for number, (training, judged) in enumerate(divided.split(labels, labels)):
            with leave_out_intervals():
                members = self._fitted(X[training.tolist()], labels[training], parts(weights, training))
            scores[judged] = _log_odds(members, X[judged.tolist()])
            numbers[judged] = number
        self.network_, self.tabular_ = self._fitted(X, labels, weights)
        self.join_: ScoreJoin | Pipeline
        if self.part_by_part:
            self.join_ = ScoreJoin().fit(scores, labels, numbers, weights)
            held_out = expit(self.join_.log_odds(within_parts(scores, numbers)))
        else:
            joined = make_pipeline(StandardScaler(), LogisticRegression())
            self.join_ = joined.fit(scores, labels, **fit_options(joined, weights))
            held_out = self.join_.predict_proba(scores)[:, 1]
        self.scores_ = scores
        self.held_out_rows_ = np.arange(len(labels))
        self.held_out_probabilities_ = np.asarray(held_out, dtype=np.float64)
        self.classes_ = np.unique(labels)
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = len(X.columns)
        return self

    def _fitted(
        self, X: pl.DataFrame, labels: NDArray[Any], weights: Floats | None
    ) -> tuple[NetworkClassifier, BaseEstimator]:
        regions, others = _columns(X)
        network, tabular = clone(self.network), clone(self.tabular)
        return (
            network.fit(X.select(regions), labels, **fit_options(network, weights)),
            tabular.fit(X.select(others), labels, **fit_options(tabular, weights)),
        )

    def unweighted(self) -> tuple[BaseEstimator, BaseEstimator, str]:
        """Return both members, and that their scores are scaled with all patients alike."""
        return self.network, self.tabular, "the scale of the members' scores"

    def decision_function(self, X: pl.DataFrame) -> Floats:
        """Return the log odds of label 1, of shape (n_patients,)."""
        check_is_fitted(self)
        scores = _log_odds((self.network_, self.tabular_), X)
        return np.asarray(self.join_.decision_function(scores), dtype=np.float64)

    def predict_proba(self, X: pl.DataFrame) -> Floats:
        """Return the probabilities of both labels, of shape (n_patients, 2)."""
        check_is_fitted(self)
        scores = _log_odds((self.network_, self.tabular_), X)
        return np.asarray(self.join_.predict_proba(scores), dtype=np.float64)

    def predict(self, X: pl.DataFrame) -> NDArray[Any]:
        """Return each patient's more probable label."""
        labels: NDArray[Any] = self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]
        return labels

    def fitted_parts(self) -> tuple[NetworkClassifier, BaseEstimator]:
        """Return both members."""
        return self.network_, self.tabular_

    def region_network(self) -> NetworkClassifier:
        """Return the member that reads regions."""
        return self.network_

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return the weight of each member, log odds per standard deviation of its out-of-fold log odds."""
        check_is_fitted(self)
        if isinstance(self.join_, ScoreJoin):
            weights, intercept = self.join_.weights_, self.join_.intercept_
        else:
            weights, intercept = np.ravel(self.join_[-1].coef_), self.join_[-1].intercept_[0]
        own: ModelSummary = {
            "intercept": float(intercept),
            "members": [
                {"member": name, "coefficient": float(weight)}
                for name, weight in zip(("network", "combined model"), weights, strict=True)
            ],
        }
        return own | self.network_.summary(labels)


def _columns(X: pl.DataFrame) -> tuple[list[str], list[str]]:
    regions = [name for name in X.columns if is_region_column(name)]
    return regions, [name for name in X.columns if name not in regions]


def _log_odds(members: tuple[NetworkClassifier, BaseEstimator], X: pl.DataFrame) -> Floats:
    regions, others = _columns(X)
    network, tabular = members
    return np.column_stack([network.decision_function(X.select(regions)), tabular.decision_function(X.select(others))])
