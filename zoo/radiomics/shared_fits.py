"""Transformers that several models fit alike on the same patients, fitted once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from zoo.logistic.firth import are_intervals_read

__all__ = ["SharedFits"]

_SELECTED = "selected"
_TOLD = {"sample_weight": np.float64, "groups": np.str_}
"""What a pipeline may give a step's fit besides, and as what its values are told apart."""


class SharedFits:
    """A store of fitted transformers, in memory, that pipelines ask before they fit a step.

    The radiomics models differ in their last step only; what comes before it, given the same rows, is the
    same to the last bit. A pipeline takes a step's fit from here where a step of the same class and parameters was
    fitted on the same values, column names and labels. It stands where scikit-learn's pipelines take a cache
    (``memory``), so what a model computes is scikit-learn's own code either way.

    Parameters and data are compared by content: models that read other patients, columns or phases, whose patients
    have other weights, or whose selection has other parameters, share nothing. A step whose random state is no number,
    or whose values are no numbers, is never shared.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def sharing(self, estimator: BaseEstimator) -> BaseEstimator:
        """Return an unfitted copy of an estimator whose pipelines, at any depth, take fits from here."""
        copy = clone(estimator)
        found = [copy, *copy.get_params(deep=True).values()]
        for pipeline in {id(each): each for each in found if isinstance(each, Pipeline)}.values():
            pipeline.memory = self
            last = pipeline.steps[-1][1]
            if not hasattr(last, "predict") and last != "passthrough":
                # A pipeline asks for all steps but its last: an empty one behind it lets the last be shared too.
                pipeline.steps = [*pipeline.steps, (_SELECTED, "passthrough")]
        return copy

    @staticmethod
    def released(estimator: BaseEstimator) -> BaseEstimator:
        """Return a fitted estimator as it would be had it never asked a store, to be saved: changed in place."""
        pending, seen = [estimator], set()
        while pending:
            each = pending.pop()
            if id(each) in seen:
                continue
            seen.add(id(each))
            if isinstance(each, Pipeline):
                if isinstance(each.memory, SharedFits):
                    each.memory = None
                    if each.steps[-1] == (_SELECTED, "passthrough"):
                        each.steps = each.steps[:-1]
                pending += [step for _, step in each.steps if isinstance(step, BaseEstimator)]
            pending += [value for value in vars(each).values() if isinstance(value, BaseEstimator)]
        return estimator

    def cache(self, function: Callable[..., Any], ignore: Sequence[str] = ()) -> Callable[..., Any]:
        """Return a function that fits a transformer, or gives what it gave before for the same."""

        def fitted(transformer: BaseEstimator, X: Any, y: Any, *arguments: Any, **options: Any) -> Any:
            key = _key(transformer, X, y, options.get("params"))
            if key is None:
                return function(transformer, X, y, *arguments, **options)
            if key not in self._known:
                self._known[key] = function(transformer, X, y, *arguments, **options)
            return self._known[key]

        return fitted

    def __sklearn_clone__(self) -> Self:
        # A clone of a pipeline must ask the same store, not a copy of it.
        return self


def _key(transformer: BaseEstimator, X: Any, y: Any, given: Mapping[str, Any] | None) -> bytes | None:
    """Return what decides a fit, None where that cannot be told by content."""
    # What the pipeline gives the step besides, by the method that may be called.
    told = {name: value for of_method in (given or {}).values() for name, value in of_method.items()}
    if told.keys() - _TOLD.keys():
        return None
    states = (np.random.RandomState, np.random.Generator)
    if any(isinstance(value, states) for value in transformer.get_params(deep=True).values()):
        return None
    try:
        values = np.ascontiguousarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    digest = hashlib.sha256()
    parts = (
        # In full: scikit-learn's own repr leaves out the middle of a long one.
        f"{type(transformer).__module__}.{transformer.__repr__(N_CHAR_MAX=1_000_000)}".encode(),
        "\n".join(str(name) for name in getattr(X, "columns", ())).encode(),
        str(values.shape).encode(),
        values.tobytes(),
        np.ascontiguousarray(y).tobytes(),
        # Of a fold's fit nobody reads them, of a model's they are read: one is not the other.
        str(are_intervals_read()).encode(),
        *(
            part
            for name in sorted(told)
            for part in (name.encode(), np.ascontiguousarray(told[name], dtype=_TOLD[name]).tobytes())
        ),
    )
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
