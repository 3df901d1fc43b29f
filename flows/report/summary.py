"""The report's first paragraph: what was found, in plain words, and how far it can be trusted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flows.pages.words import NO_BREAK, decimals, p_words, percent, plural, readable_name, readable_unit
from flows.report.performance import Performance

__all__ = ["cautions", "headline_model", "summary", "weighed_models"]

Row = dict[str, Any]


def headline_model(suites: Sequence[Performance]) -> str | None:
    """Return the model that the page names first: the best of the first suite, which is out of fold where that ran."""
    return str(suites[0].best["model"]) if suites else None


def weighed_models(models: Sequence[Row]) -> list[str]:
    """Return which models were weighed for patients who were censored, and what their training patients are worth.

    Parameters
    ----------
    models : sequence of dict
        The models that the page shows; ``censoring`` as their training wrote it.
    """
    records = {row["model"]: json.loads(row["censoring"]) for row in models if row["censoring"]}
    return [
        f"{model} ({each['patients']} patients worth {decimals(each['effective_patients'], 1)})"
        for model, each in records.items()
        if each["censored"]
    ]


def summary(
    study: Row,
    cohorts: Sequence[Row],
    rates: Sequence[Row],
    suites: Sequence[Performance],
    weighed: Sequence[str] = (),
) -> list[str]:
    """Return the findings as sentences.

    Parameters
    ----------
    study : dict
        The study's row.
    cohorts : sequence of dict
        Patients by split and cohort.
    rates : sequence of dict
        How often the outcome comes by the horizon, by cohort; empty for an outcome without times.
    suites : sequence of Performance
        What the benchmark found; empty where no model was judged.
    weighed : sequence of str
        The models that were weighed for the censored, as `weighed_models` names them.
    """
    patients, labelled, events = study["patients"], study["labelled"], study["events"] or 0
    sentences = [f"The study has {plural(patients, 'patient')}."]
    if study["outcome"]:
        outcome = readable_name(study["outcome"])
        known = "All of them have" if labelled == patients else f"{labelled} of them have"
        sentences.append(
            f"{known} a known outcome: {events} with {outcome} ({percent(events, labelled)}), "
            f"{labelled - events} without."
        )
        sentences += _censored(rates, weighed)
    else:
        sentences.append("It declares no outcome, so there is nothing to predict yet.")
    for split in dict.fromkeys(row["split"] for row in cohorts):
        parts = [
            f"{row['cohort']} {row['patients']} ({row['events']} with the outcome)"
            for row in cohorts
            if row["split"] == split
        ]
        sentences.append(f"The split '{split}' is frozen: {', '.join(parts)}.")
    headline = headline_model(suites)
    for suite in suites:
        # Chosen once, out of fold where that was done: the best of many on one small cohort is the luckiest of them.
        best, among = suite.shown(headline), len(suite.models)
        if best["auc"] is None:
            sentences.append(
                f"No AUC can be given in the {readable_name(suite.judged_on)} cohort: its "
                f"{plural(best['n'], 'patient')} have one label, {best['events']} of them the outcome."
            )
            continue
        lead = (
            f"Among {among} models, {best['model']} has the highest AUC"
            if among > 1 and (suite is suites[0] or best["model"] != headline)
            else f"The model {best['model']} has an AUC"
        )
        interval = (
            "no interval, which needs two patients of each label"
            if best["auc_lo"] is None
            else f"95{NO_BREAK}% interval {decimals(best['auc_lo'])} to {decimals(best['auc_hi'])}"
        )
        sentences.append(
            f"{lead} in the {readable_name(suite.judged_on)} cohort: {decimals(best['auc'])} "
            f"({interval}; "
            f"{plural(best['n'], 'patient')}, {best['events']} with the outcome)."
        )
        sentences += _weighted(suite, best)
    if not suites:
        sentences.append("No model has been judged yet, so the report has no leaderboard and no figures.")
    return sentences


def cautions(suites: Sequence[Performance]) -> list[str]:
    """Return what a reader should hold against the findings, as sentences.

    Parameters
    ----------
    suites : sequence of Performance
        What the benchmark found.
    """
    found = []
    headline = headline_model(suites)
    if stale := sorted({model for suite in suites for model in suite.stale}):
        found.append(
            f"What {', '.join(stale)} read{'s' if len(stale) == 1 else ''} has changed since training: the figures "
            "are of before."
        )
    for suite in suites:
        best = suite.shown(headline)
        where = readable_name(suite.judged_on)
        if best["auc_lo"] is None:
            found.append(
                f"With {plural(best['n'], 'patient')} in the {where} cohort, {best['events']} with the outcome, no "
                "model can be told from chance: an interval of the AUC needs two patients of each label."
            )
        else:
            width = best["auc_hi"] - best["auc_lo"]
            found.append(
                f"With {plural(best['n'], 'patient')} the interval is {decimals(width, 2)} wide: the AUC of "
                f"{best['model']} may as well be {decimals(best['auc_lo'], 2)} as {decimals(best['auc_hi'], 2)}, and "
                "a few patients more or less would move it."
            )
            if suite.is_repeated:
                found.append(
                    f"The interval in the {where} cohort, and its paired tests, are about models made from as many "
                    "other patients: they are widened for the training that folds share. Those of a release that did "
                    "not widen them stand until the next bench."
                )
        if suite.judged_on == "training":
            found.append("There is no other cohort than the one the models were fitted to: these figures flatter.")
        if len(suite.models) > 1:
            tests = [row for row in suite.tests("paired", suite.judged_on) if row["p_holm"] is not None]
            told_apart = sum(row["p_holm"] < 0.05 for row in tests)
            tested = "primary paired test" if suite.has_primary else "paired test"
            if tests and not told_apart:
                found.append(
                    f"No {tested} in the {where} cohort tells two models apart after Holm's correction "
                    f"({plural(len(tests), 'test')}), so their order is not a finding."
                )
            if suite is suites[0]:
                found.append("A model that is named for its rank looks better here than it will elsewhere.")
        found += [
            f"{row['model_a']} differs between training and validation (Holm {p_words(row['p_holm'])}, AUC "
            f"{decimals(row['auc_a'])} against {decimals(row['auc_b'])}): "
            f"{'chance, overfitting' if row['auc_a'] > row['auc_b'] else 'chance'}, another case mix or a leak."
            for row in suite.tests("unpaired")
            # DeLong's variance of an AUC of 1 is 0, whatever the number of patients: its test says too much.
            if row["p_holm"] < 0.05 and all(0 < row[auc] < 1 for auc in ("auc_a", "auc_b"))
        ]
    return found


def _weighted(suite: Performance, best: Row) -> list[str]:
    """Return the AUC with those in mind who were censored, beside that of complete cases; nothing where nobody was."""
    own = (best["model"], best["cohort"])
    row = next((row for row in suite.weighted.rows if (row["model"], row["cohort"]) == own), None)
    if row is None:
        return []
    lead = "That is the AUC of those with a label; weighted for those who were censored before the horizon"
    if row["auc"] is None:
        return [f"{lead} there is none: {row['reason']}."]
    interval = (
        "no interval"
        if row["auc_lo"] is None
        else f"95{NO_BREAK}% interval {decimals(row['auc_lo'])} to {decimals(row['auc_hi'])}"
    )
    return [f"{lead} it is {decimals(row['auc'])} ({interval})."]


def _censored(rates: Sequence[Row], weighed: Sequence[str]) -> list[str]:
    """Return what complete cases hide: patients whose follow-up ends before the horizon count in the rate too."""
    whole = next((row for row in rates if row["cohort"] is None), None)
    if whole is None or not whole["censored"]:
        return []
    if whole["rate"] is None or whole["complete_case_rate"] is None:
        return [f"{plural(whole['censored'], 'patient')} of them cannot have a label: they are followed for too short."]
    horizon = f"{whole['horizon']:g}{NO_BREAK}{readable_unit(whole['time_unit'])}"
    return [
        f"{plural(whole['censored'], 'patient')} followed for less than {horizon} without it "
        f"{'has' if whole['censored'] == 1 else 'have'} no label: counted with them, by Kaplan and Meier, the outcome "
        f"comes in {whole['rate']:.1%} by then, not in {whole['complete_case_rate']:.1%}. Models that are fitted to "
        "the labelled alone say too much."
        + (f" Trained with censoring weights, which correct that: {', '.join(weighed)}." if weighed else "")
    ]
