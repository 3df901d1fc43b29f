"""A model in words, for its card and its page: regions, training of a network, steps of a selection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.documents.model_summary import CensoringRecord, NetworkSummary, RecalibrationRecord

__all__ = [
    "censoring_words",
    "epoch_words",
    "inputs_words",
    "network_words",
    "penalty_words",
    "recalibration_words",
    "region_words",
    "step_words",
    "unit_words",
]

# In the order of the steps: the catalogue keeps a summary with sorted keys.
_STEPS = {
    "impute": "read, missing values filled with the training median",
    "harmonise": "harmonised between batches (ComBat)",
    "variance": "that vary among the training patients",
    "zscore": "standardised",
    "univariable": "associated with the outcome one by one",
    "lasso": "kept by the LASSO",
    "with_factors": "with the clinical factors that were kept",
}
_UNITS = {"a": "years (a)", "mo": "months (mo)", "wk": "weeks (wk)", "d": "days (d)", "h": "hours (h)"}
_NORMALISED = {
    "image": "mean 0 and standard deviation 1 over each whole image",
    "body": "mean 0 and standard deviation 1 over the body in each image",
    "none": "as the scanner gives them",
}
_ENGINES = {"simpleitk": "SimpleITK", "ants": "ANTs"}
_OPTIMISERS = {"sgd": "stochastic gradient descent", "adam": "Adam"}
_FUSIONS = {
    "shared": "one trunk for all phases, their features side by side",
    "separate": "a trunk for each phase, their features side by side",
    "early": "one trunk, the phases as its channels",
}


def unit_words(unit: str | None) -> str:
    """Return a UCUM unit as people read it, empty for a number without one."""
    return "" if unit in (None, "1") else _UNITS.get(unit, unit)


def step_words(columns_after: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what each step of a selection left, in words and in the steps' order, and how many columns."""
    order = list(_STEPS)
    pairs = sorted(columns_after.items(), key=lambda pair: order.index(pair[0]) if pair[0] in _STEPS else len(order))
    return [(_STEPS.get(step, step), count) for step, count in pairs]


def inputs_words(inputs: Mapping[str, Any]) -> str:
    """Return in words what the inputs of a model or of a pinned dataset are; other releases said less of them."""
    factors = len(inputs.get("factors", ()))
    parts = [f"{factors} factor{'' if factors == 1 else 's'}"] if factors else []
    if inputs.get("comparator"):
        parts.append(inputs["comparator"])
    phases = f" in {', '.join(inputs['phases'])}" if inputs.get("phases") else ""
    if inputs.get("feature_set"):
        bound = " (lower bound)" if inputs.get("icc_bound") == "lower" else ""
        agreed = inputs.get("minimum_icc")
        stable = "" if agreed is None else f", ICC{bound} >= {agreed:g}"
        lacking = ", lacking phases imputed" if inputs.get("missing_phases") == "impute" else ""
        several = inputs.get("combination", "none")
        averaged = "" if several == "none" else f", {several} of lesions and exams"
        parts.append(f"{inputs['feature_set']}{phases}{stable}{lacking}{averaged}")
    if inputs.get("regions"):
        parts.append(f"{inputs['regions']}{phases}")
    if inputs.get("harmonise"):
        parts.append(f"{inputs['harmonise']} as batch")
    return " + ".join(parts)


def region_words(settings: Mapping[str, Any], phases: Iterable[str]) -> list[str]:
    """Return in words what a region is.

    Parameters
    ----------
    settings : mapping
        Of the set of regions, as its definition has them (`schemas.features.region_settings.RegionSettings`).
    phases : iterable of str
        That the model reads.
    """
    slices, size, registration = settings["slices"], settings["size"], settings["registration"]
    fixed = settings["fixed_phase"] or next(iter(settings["phases"] or phases))
    method = registration["method"]
    one = "1 slice" if slices == 1 else f"{slices} slices"
    return [
        f"A region: {one} of {size} x {size} pixels about the largest tumour area, "
        f"{settings['margin_mm']:g} mm around the tumour",
        "Registration: none, phases lie as the scanner has them"
        if method == "none"
        else f"Registration: rigid, onto {fixed}, by mutual information ({_ENGINES.get(method, method)})",
        f"Intensities: {_NORMALISED[settings['normalize']]}",
    ]


def network_words(network: NetworkSummary) -> list[str]:
    """Return in words what a network is and how it was trained.

    Parameters
    ----------
    network : NetworkSummary
        The part ``network`` of a model's summary (`zoo.models.summary.model_summary`); settings and device are missing
        in one of a former release.
    """
    residual = network["architecture"].replace("resnet", "ResNet-")
    lines = [f"Architecture: {residual}, {network['trained_weights']:,} weights, trained from scratch"]
    settings = network.get("settings")
    if settings is not None:
        lines[0] += f"; {_FUSIONS[settings['fusion']]}"
        momentum = f"momentum {settings['momentum']:g}" if settings["optimiser"] == "sgd" else ""
        decay = f"weight decay {settings['weight_decay']:g}" if settings["weight_decay"] else ""
        named = (f"learning rate {settings['learning_rate']:g}", momentum, decay)
        lines.append(f"Optimiser: {_OPTIMISERS[settings['optimiser']]}, {', '.join(part for part in named if part)}")
        lines.append(f"Batch: at most {settings['batch_size']} patients")
    lines += [epoch_words(network), _aside_words(network)]
    if settings is not None:
        lines.append(
            "Class weights: each label's loss is weighed inversely to its frequency"
            if settings["class_weights"]
            else "Class weights: none"
        )
        lines.append(f"Augmentation: {_augmentation_words(settings['augmentation'])}")
    if "device" in network:
        lines.append(f"Device: {network['device']}")
    return lines


def epoch_words(network: NetworkSummary) -> str:
    """Return how many epochs a network ran, of how many, and which one was kept."""
    most = f" of at most {network['settings']['epochs']}" if "settings" in network else ""
    return f"Epochs: {network['epochs']} run{most}, the weights of epoch {network['best_epoch']} kept"


def penalty_words(penalties: Mapping[str, float]) -> list[str]:
    """Return the penalties that cross-validation chose, in words."""
    names = {"lasso": "LASSO", "classifier": "Logistic regression, L2 penalty"}
    return [f"{words}: C = {penalties[name]:.4g}" for name, words in names.items() if name in penalties]


def recalibration_words(line: RecalibrationRecord) -> str:
    """Return in words how probabilities were brought to what patients of inner folds had."""
    words = (
        "Recalibrated on training patients whom inner folds held out: log odds are "
        f"{line['intercept']:+.3f} {line['slope']:+.3f} x the score of the fit"
    )
    if line["unconstrained_slope"] <= 0:
        words += "; that score said nothing of them, and everyone gets about the training prevalence"
    return f"{words}."


def censoring_words(record: CensoringRecord) -> list[str]:
    """Return in words how a model was weighed for patients who were censored before the horizon.

    Parameters
    ----------
    record : CensoringRecord
        The part ``censoring`` of a model's summary.
    """
    if not record["censored"]:
        return ["Censoring weights: asked for, and nobody was censored before the horizon: all patients count alike"]
    lines = [
        f"Trained with censoring weights: {record['patients']} patients, who weigh for those like them of the study's "
        f"{record['censored']} that were censored before the horizon, are worth {record['effective_patients']:.1f} "
        f"that count alike (Kish); lowest G {record['lowest_g']:.3f}",
        f"With the outcome: {record['rate']:.1%} by weight, {record['complete_case_rate']:.1%} of complete cases",
    ]
    unweighted = ", ".join(record["unweighted"])
    return [*lines, f"Not weighted: {unweighted}"] if unweighted else lines


def _aside_words(network: NetworkSummary) -> str:
    fitted, aside = network["patients_fitted"], network["patients_for_early_stopping"]
    if not aside:
        return f"Early stopping: none, all {fitted} training patients moved the weights"
    patience = network["settings"]["patience"] if "settings" in network else None
    waits = "" if patience is None else f", stopping after {patience} epochs without a smaller loss on them"
    return f"Early stopping: {aside} training patients set aside{waits}; {fitted} moved the weights"


def _augmentation_words(augmentation: Mapping[str, Any]) -> str:
    parts = []
    if augmentation["rotation_degrees"]:
        parts.append(f"rotation by up to {augmentation['rotation_degrees']:g} degrees")
    if augmentation["scaling"]:
        parts.append(f"scaling by up to {augmentation['scaling']:.0%}")
    if augmentation["shift"]:
        parts.append(f"shift by up to {augmentation['shift']:.0%} of the side")
    if augmentation["flip"]:
        parts.append("mirroring of either axis")
    return ", ".join(parts) or "none"
