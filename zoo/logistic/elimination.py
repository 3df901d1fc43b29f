"""The two rounds of tests of the clinical model: each factor alone, then backward elimination together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.logistic.events_per_variable import few_events_note
from zoo.logistic.firth import are_intervals_read, firth_fit, leave_out_intervals
from zoo.logistic.separation import is_constant, separates, separating_direction, standardised
from zoo.logistic.wald import FactorEffect, FitMethod, LogisticFit, factor_effects, wald_fit
from zoo.weighting.sums import class_sizes

__all__ = ["BackwardElimination", "EliminationStep", "ExcludedFactor"]

_COLLINEAR = 1e-7
"""Of the largest singular value: Newton's matrix holds its square, which is near the precision of a number."""


@dataclass(frozen=True)
class EliminationStep:
    """One factor leaving the multivariable model.

    Attributes
    ----------
    factor : str
        The factor that left.
    p : float
        Its p value in the model that it left.
    n_factors : int
        How many factors that model had, this one included.
    method : {'maximum likelihood', 'firth'}
        How that model was fitted.
    """

    factor: str
    p: float
    n_factors: int
    method: FitMethod = "maximum likelihood"


@dataclass(frozen=True)
class ExcludedFactor:
    """A factor whose effect has no unique estimate.

    Attributes
    ----------
    factor : str
        The column's name.
    kind : {'constant', 'collinear', 'not estimable'}
        Why it is out.
    reason : str
        The same as a sentence.
    """

    factor: str
    kind: str
    reason: str


class BackwardElimination:
    """What a clinical model does with the factors of a complete table; `ClinicalLogisticRegression` says what it is."""

    alpha_univariable: float
    alpha_multivariable: float
    classes_: NDArray[np.generic]
    univariable_: list[FactorEffect]
    excluded_: list[ExcludedFactor]
    notes_: list[str]

    def _exclude(self, factor: str, kind: str, reason: str) -> None:
        self.excluded_.append(ExcludedFactor(factor, kind, reason))

    def _univariable_effect(
        self, values: NDArray[np.float64], target: NDArray[np.intp], name: str, weights: NDArray[np.float64] | None
    ) -> FactorEffect | None:
        if is_constant(values):
            self._exclude(name, "constant", "it has one value in all training patients")
            return None
        if separates(values, target):
            low, high = self.classes_
            self._note_separation(f"'{name}' separates class {low} from class {high}")
            fit = firth_fit(values[:, None], target, weights)
        else:
            fit = wald_fit(values[:, None], target, weights)
        if fit is None:
            self._exclude(name, "not estimable", "the univariable likelihood did not converge")
            return None
        return factor_effects([name], fit)[0]

    def _eliminate(
        self,
        X: NDArray[np.float64],
        target: NDArray[np.intp],
        names: Sequence[str],
        screened: dict[int, float],
        weights: NDArray[np.float64] | None,
    ) -> None:
        kept = self._independent(X, names, screened)
        self.steps_: list[EliminationStep] = []
        note = few_events_note(len(kept), target, "factors entered the multivariable model")
        self.notes_ += [] if note is None else [note]
        fit: LogisticFit | None = None
        while kept:
            fit = self._step_fit(X[:, kept], target, [names[column] for column in kept], weights)
            if fit is None:
                out = max(kept, key=lambda column: screened[column])
                self._exclude(names[out], "not estimable", "the multivariable likelihood did not converge")
                kept.remove(out)
                continue
            worst = int(np.argmax(fit.p))
            if fit.p[worst] < self.alpha_multivariable:
                break
            self.steps_.append(EliminationStep(names[kept[worst]], float(fit.p[worst]), len(kept), fit.method))
            del kept[worst]

        self.intercept_only_ = not kept
        self.coef_ = np.zeros((1, len(names)))
        self.factors_ = [names[column] for column in kept]
        self.multivariable_: list[FactorEffect] = []
        if kept and fit is not None:
            self.coef_[0, kept] = fit.coefficients
            self.intercept_ = np.array([fit.intercept])
            self.multivariable_ = factor_effects(self.factors_, fit)
        else:
            others, events = class_sizes(target, weights)
            self.intercept_ = np.array([np.log(events / others)])

    def _step_fit(
        self,
        X: NDArray[np.float64],
        target: NDArray[np.intp],
        names: Sequence[str],
        weights: NDArray[np.float64] | None,
    ) -> LogisticFit | None:
        """Return a step's model: with intervals where no factor leaves it, for nobody reads those of the others."""
        with leave_out_intervals():
            fit = self._multivariable_fit(X, target, names, weights)
        if fit is None or fit.method != "firth" or fit.p.max() >= self.alpha_multivariable or not are_intervals_read():
            return fit
        return self._multivariable_fit(X, target, names, weights)

    def _multivariable_fit(
        self,
        X: NDArray[np.float64],
        target: NDArray[np.intp],
        names: Sequence[str],
        weights: NDArray[np.float64] | None,
    ) -> LogisticFit | None:
        direction = separating_direction(X, target)
        if direction is None:
            return wald_fit(X, target, weights)
        involved = [f"'{name}'" for name, moves in zip(names, direction, strict=True) if moves]
        # One that separates alone was named when it was screened.
        if len(involved) > 1:
            self._note_separation(f"{', '.join(involved)} together separate the classes")
        return firth_fit(X, target, weights)

    def _note_separation(self, what: str) -> None:
        note = f"{what}: Firth's method gives the estimate; see whether it is strong or a leak"
        if note not in self.notes_:  # backward elimination meets the same again
            self.notes_.append(note)

    def _independent(self, X: NDArray[np.float64], names: Sequence[str], screened: dict[int, float]) -> list[int]:
        kept: list[int] = []
        for column in sorted(screened, key=lambda column: (screened[column], column)):
            centred = standardised(X[:, [*kept, column]])[0]
            if np.linalg.matrix_rank(centred, rtol=_COLLINEAR) > len(kept):
                kept.append(column)
            else:
                others = ", ".join(names[other] for other in kept)
                self._exclude(names[column], "collinear", f"it is a linear combination of {others}")
        return sorted(kept)
