"""A model's card: what it is, what it was trained on, what it may and may not be used for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.documents.model_summary import ModelSummary
from schemas.foreign_text import markdown_words
from zoo.models.words import (
    censoring_words,
    network_words,
    penalty_words,
    recalibration_words,
    region_words,
    step_words,
    unit_words,
)
from zoo.networks.region_columns import is_region_column
from zoo.registry import ModelSpec

__all__ = ["model_card"]

_INTENDED_USE = (
    "Research only. This is not a medical device: it has not been assessed for any clinical purpose, and its "
    "probabilities must not guide the care of a patient."
)
_ALWAYS = (
    "Its figures are of one split of one study; that they hold elsewhere has not been shown.",
    "Figures on training patients are resubstitution: the model was fitted to them, and does worse on others.",
    "A probability is calibrated, if at all, for patients among whom the outcome is as frequent as it was here.",
)


def model_card(spec: ModelSpec, metadata: Mapping[str, Any], summary: ModelSummary) -> str:
    """Return a model's card in Markdown; equal models give equal cards.

    Parameters
    ----------
    spec : ModelSpec
        The member of the zoo.
    metadata : mapping
        What ``model.json`` holds of the model.
    summary : ModelSummary
        What `zoo.models.summary.model_summary` gave.
    """
    # All of it but what this module says itself may be somebody's words.
    metadata, summary = markdown_words(metadata), markdown_words(summary)
    sections = (
        ("What it is", _what_it_is(spec, metadata)),
        ("Intended use", [_INTENDED_USE]),
        ("Inputs", _inputs(metadata)),
        ("Trained on", _trained_on(metadata)),
        ("How it was selected", _selection(spec, summary)),
        *([("How it was trained", _training(summary))] if "network" in summary else []),
        ("What it learned", _learned(summary)),
        ("Threshold", _threshold(metadata)),
        ("Limitations", [f"- {each}" for each in (*_limitations(spec, metadata), *summary.get("notes", ()))]),
        ("Software", _table(("library", "version"), sorted(metadata["libraries"].items()))),
        ("Citation", _citation(spec, metadata)),
    )
    parts = [f"# {metadata['model']} of study {metadata['study']}"]
    for title, lines in sections:
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _what_it_is(spec: ModelSpec, metadata: Mapping[str, Any]) -> list[str]:
    lines = [f"{spec.description}", ""]
    if spec.base is not None:
        lines.append(f"- A variant of the zoo's `{spec.base}`")
    if (package := metadata.get("package")) is not None:
        lines.append(f"- Added by the package {package['name']} {package['version']}, which it needs")
    lines += [f"- Study: {metadata['study']}, {metadata['title']}"]
    if metadata["question"]:
        lines.append(f"- Question: {metadata['question']}")
    if metadata["outcome"]:
        lines.append(f"- It gives the probability of: {metadata['outcome']}")
    return [*lines, f"- Training {metadata['training_sha256']} (the catalogue numbers the versions)"]


def _inputs(metadata: Mapping[str, Any]) -> list[str]:
    inputs, lines = metadata["inputs"], []
    if (features := metadata["feature_set"]) is not None:
        lines.append(f"- Feature set {features['feature_set']}, definition {features['definition_sha256']}")
    if (regions := metadata.get("regions")) is not None:
        lines.append(f"- Regions {regions['feature_set']}, definition {regions['definition_sha256']}")
        lines += [f"- {each}" for each in region_words(regions["settings"], inputs["phases"])]
    if features is not None or regions is not None:
        lines.append(f"- Phases: {', '.join(inputs['phases'])}")
    if inputs.get("missing_phases") == "impute":
        lines.append(
            "- A patient who lacks a phase: its features are imputed, and a column says so where some lacked it"
        )
    if (several := inputs.get("combination", "none")) != "none":
        weights = "by their volumes" if several == "volume-weighted" else "all alike"
        lines.append(f"- Features of a patient's lesions are averaged, weighed {weights}; then those of the exams")
    if inputs.get("minimum_icc") is not None:
        what = "lower 95 % bound of the ICC" if inputs.get("icc_bound") == "lower" else "ICC"
        lines.append(f"- Only features whose repeated readings agree: {what} of at least {inputs['minimum_icc']:g}")
    if inputs.get("harmonise") is not None:
        lines.append(f"- Harmonised by ComBat, batches by {inputs['harmonise']}: a patient of another batch gets none")
    lines += [f"- Factor {rule['name']}: {_rule(rule, metadata['variables'])}" for rule in inputs["factors"]]
    if inputs.get("comparator"):
        named = (f"{name} ({_measure(each)})" for name, each in metadata["variables"].items())
        lines.append(f"- Clinical variables: {', '.join(named) or 'none is declared'}")
    return [*lines, f"- {len(metadata['columns'])} columns in all, listed in model.json{_regions_apart(metadata)}"]


def _regions_apart(metadata: Mapping[str, Any]) -> str:
    regions = [name for name in metadata["columns"] if is_region_column(name)]
    return f"; {len(regions)} of them are regions, one a phase" if regions else ""


def _measure(variable: Mapping[str, Any]) -> str:
    return unit_words(variable["unit"]) or str(variable["kind"])


def _rule(rule: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    declared = variables.get(rule["variable"], {}).get("unit")
    unit = unit_words(declared)
    if rule["above"] is not None:
        return f"1 where {rule['variable']} > {rule['above']:g} {unit}".rstrip()
    if rule["equals"] is not None:
        return f"1 where {rule['variable']} is {rule['equals']}"
    return f"{rule['variable']} in {unit}" if unit else str(rule["variable"])


def _trained_on(metadata: Mapping[str, Any]) -> list[str]:
    cohorts = metadata["cohorts"]
    lines = [
        f"- {cohort}: {count['patients']} patients, {count['events']} with the outcome"
        for cohort, count in cohorts.items()
    ]
    weighed = metadata.get("censoring")
    return [
        *lines,
        *(f"- {each}" for each in (censoring_words(weighed) if weighed is not None else ())),
        f"- Left out for want of an input: {metadata['excluded']}",
        f"- Split: {metadata['inputs']['split']}, frozen, by patient",
        f"- Dataset {metadata['dataset_id']}, sha256 {metadata['dataset_sha256']}, "
        f"read at commit {metadata['commit_id']}",
        f"- AUC on the training patients, resubstitution: {metadata['training_auc']:.3f}",
    ]


def _selection(spec: ModelSpec, summary: ModelSummary) -> list[str]:
    if spec.comparator is not None:
        return ["Nothing was selected: the stage or score is used as published."]
    if "combined" in summary:
        return ["Of the combined model, fitted to all training patients:", "", *_selection(spec, summary["combined"])]
    if "columns_after" in summary:
        lines = _table(("columns", "how many"), step_words(summary["columns_after"]))
        if "network" in summary:
            lines += ["", "Selected among the patients who moved the weights; the regions are read whole."]
        return lines
    if "univariable" in summary:
        tested, kept = len(summary["univariable"]), len(summary["multivariable"])
        lines = [f"Factors tested alone: {tested}; in the final model: {kept}."]
        lines += [f"- left the model: {step['factor']}, p = {step['p']:.3g}" for step in summary["removed"]]
        return lines + [f"- not estimable: {each['factor']}, {each['reason']}" for each in summary["left_out"]]
    if "network" in summary:
        return ["No feature was selected: the network reads the regions whole."]
    return ["Nothing was selected: every column is read."]


def _training(summary: ModelSummary) -> list[str]:
    lines = [f"- {each}" for each in network_words(summary["network"])]
    if "members" in summary:
        folds = summary["network"]["settings"]["inner_folds"]
        lines.append(
            f"- Joined by a logistic regression on the scores that network and combined model gave patients of "
            f"{folds} parts they had not been fitted to; then both were fitted to all training patients"
        )
    return lines


def _learned(summary: ModelSummary) -> list[str]:
    lines: list[str] = []
    linear = False
    rows: list[tuple[str, ...]]
    if "members" in summary:
        rows = [(each["member"], f"{each['coefficient']:+.4f}") for each in summary["members"]]
        lines = _table(("member", "log odds per standard deviation of its score"), rows)
    elif "multivariable" in summary:
        rows = [
            (e["factor"], f"{e['odds_ratio']:.4g}", f"{e['lower']:.4g} to {e['upper']:.4g}", f"{e['p']:.3g}")
            for e in summary["multivariable"]
        ]
        lines = _table(("factor", "odds ratio", "95 % interval", "p"), rows) if rows else ["No factor passed."]
    elif "features" in summary:
        linear = all(each["coefficient"] is not None for each in summary["features"])
        if linear:
            rows = [(each["feature"], f"{each['coefficient']:+.4f}") for each in summary["features"]]
            lines = _table(("feature", "log odds per training standard deviation"), rows)
        else:
            lines = [f"- {each['feature']}" for each in summary["features"]]
    elif "slope" in summary:
        follows = "" if summary["follows_published_direction"] else ", against the published direction in these data"
        lines = [f"Log odds per unit of the score: {summary['slope']:.4g}{follows}"]
    if "intercept" in summary:
        lines += ["", f"Intercept {summary['intercept']:.4f}"]
    if "recalibration" in summary:
        within = " Coefficients and intercept above are after it." if "features" in summary and linear else ""
        lines += ["", recalibration_words(summary["recalibration"]) + within]
    if "combined" in summary:
        lines += ["", "The combined model:", "", *_learned(summary["combined"])]
    if "parameters" in summary:
        lines += ["", *(f"- {name} = {value}" for name, value in summary["parameters"].items())]
    if summary.get("penalties"):
        lines += ["", "Chosen by cross-validation:", "", *(f"- {each}" for each in penalty_words(summary["penalties"]))]
    if "network" in summary:
        weights = f"{summary['network']['trained_weights']:,} weights of the network, in weights.safetensors"
        lines += [*([""] if lines else []), f"{weights}. No single one of them can be read."]
    return lines


def _threshold(metadata: Mapping[str, Any]) -> list[str]:
    lines = [f"{metadata['threshold']!r}: {metadata['threshold_rule']}. A patient is positive at or above it."]
    if metadata.get("threshold_spread"):
        low, high = metadata["threshold_spread"]
        lines.append(f"Over bootstrap draws of these patients it lies between {low:.3f} and {high:.3f} in 95 of 100.")
    return lines


def _limitations(spec: ModelSpec, metadata: Mapping[str, Any]) -> Iterable[str]:
    yield from _ALWAYS
    training = metadata["cohorts"]["training"]
    rarer = min(training["events"], training["patients"] - training["events"])
    yield f"The rarer class has {rarer} training patients; coefficients and selected features are that uncertain."
    if "radiomics" in spec.inputs:
        yield (
            "Radiomics values depend on scanner, protocol, software and who drew the mask: use it only on features "
            "of the very definition named above."
        )
        yield "Selected features are a choice among correlated ones; another sample would choose others."
        yield "estimator.skops may hold feature values of training patients (neighbours, support vectors)."


def _citation(spec: ModelSpec, metadata: Mapping[str, Any]) -> list[str]:
    lines = [f"radzoo {metadata['libraries']['radzoo']}, model {metadata['model']}, study {metadata['study']}."]
    return [*lines, f"Method: https://doi.org/{spec.citation}"] if spec.citation else lines


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    # A bar inside a cell would end it: `markdown_words` has marked each.
    return lines + [f"| {' | '.join(map(str, row))} |" for row in rows]
