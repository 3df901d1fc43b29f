"""The names of the zoo's own types in saved models: a format, which stays when a module moves or a class is renamed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["OWN_TYPES", "rename_as_imported", "rename_as_saved"]

OWN_TYPES: Mapping[str, str] = {
    "zoo.clinical.ClinicalLogisticRegression": "zoo.logistic.clinical.ClinicalLogisticRegression",
    "zoo.clinical.EliminationStep": "zoo.logistic.elimination.EliminationStep",
    "zoo.clinical.ExcludedFactor": "zoo.logistic.elimination.ExcludedFactor",
    "zoo.combined.CombinedFeatures": "zoo.radiomics.combined.CombinedFeatures",
    "zoo.feasible_folds.FeasibleFolds": "zoo.radiomics.feasible_folds.FeasibleFolds",
    "zoo.fusion.FusionClassifier": "zoo.networks.fusion.FusionClassifier",
    "zoo.harmonise.ComBatHarmoniser": "zoo.radiomics.combat.ComBatHarmoniser",
    "zoo.late_fusion.LateFusionClassifier": "zoo.networks.late_fusion.LateFusionClassifier",
    "zoo.late_fusion.ScoreJoin": "zoo.networks.score_join.ScoreJoin",
    "zoo.network_classifier.NetworkClassifier": "zoo.networks.classifier.NetworkClassifier",
    "zoo.platt.PlattClassifier": "zoo.radiomics.platt.PlattClassifier",
    "zoo.recalibrated.RecalibratedClassifier": "zoo.logistic.recalibrated.RecalibratedClassifier",
    "zoo.selection.lasso.LassoSelector": "zoo.radiomics.lasso.LassoSelector",
    "zoo.selection.univariable.UnivariableSelector": "zoo.radiomics.univariable.UnivariableSelector",
    "zoo.staging.estimators.ComparatorClassifier": "zoo.staging.estimators.ComparatorClassifier",
    "zoo.tuned.TunedClassifier": "zoo.radiomics.tuned.TunedClassifier",
    "zoo.wald.FactorEffect": "zoo.logistic.wald.FactorEffect",
}
"""By the name that saved models have, where the type is imported from. A new type gets a line, and keeps its name."""

_SAVED_NAMES = {imported: saved for saved, imported in OWN_TYPES.items()}


def rename_as_saved(schema: Any) -> None:
    """Give the zoo's own types in an archive's ``schema.json``, as skops wrote it, the names that saved models have.

    Equal models keep equal bytes from release to release, wherever their classes lie.
    """
    _rename(schema, _SAVED_NAMES)


def rename_as_imported(schema: Any) -> None:
    """Give the zoo's own types in a saved model's ``schema.json`` the names by which skops imports them."""
    _rename(schema, OWN_TYPES)


def _rename(node: Any, names: Mapping[str, str]) -> None:
    if isinstance(node, list):
        for each in node:
            _rename(each, names)
    elif isinstance(node, dict):
        if "__loader__" in node:
            name = names.get(f"{node['__module__']}.{node['__class__']}")
            if name is not None:
                node["__module__"], _, node["__class__"] = name.rpartition(".")
        for each in node.values():
            _rename(each, names)
