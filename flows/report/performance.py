"""How the models did: leaderboard, figures and comparisons of one suite of a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from flows.pages.questions import Answer, Questions
from flows.pages.words import readable_name, readable_unit, readable_variable
from flows.report.added_value import AddedValue, added_values
from flows.report.net_benefit import NetBenefit, net_benefits
from zoo.evaluation.recalibration import recalibration_curve
from zoo.figures.curves import AucInterval, RocOf, auc_forest, roc_plot
from zoo.figures.panels import CalibrationOf, calibration_panels
from zoo.figures.parts import SeriesStyle, series_styles

__all__ = ["Performance", "performance"]

Row = dict[str, Any]
# Where a model is judged, the most telling first.
_JUDGED_ON = ("validation", "out_of_fold", "training")
_LARGEST_SLOPE = 10
# Without a value wherever another figure, which stands beside it, has none.
_FOLLOWING = ("scaled_brier", "observed_expected")


@dataclass(frozen=True)
class SubgroupTable:
    """The subgroups that one variable makes."""

    variable: str
    rows: list[Row]

    @property
    def name(self) -> str:
        """The variable in words, without its unit."""
        return readable_variable(self.variable, self.rows[0]["unit"])

    @property
    def unit(self) -> str:
        """The unit as people write it."""
        return readable_unit(self.rows[0]["unit"])

    @property
    def levels(self) -> list[str]:
        """The levels in their order."""
        return [row["level"] for row in self.lines[0]]

    @property
    def lines(self) -> list[list[Row]]:
        """One line a cohort and model: its rows, level by level."""
        return [list(rows) for _, rows in groupby(self.rows, key=lambda row: (row["cohort"], row["model"]))]

    def divided(self, model: str) -> list[list[list[Row]]]:
        """Return the lines of one model on patients whom it was not fitted to, and then all others, where there are."""
        first = [line for line in self.lines if line[0]["model"] == model and line[0]["cohort"] != "training"]
        others = [line for line in self.lines if line not in first]
        return [part for part in (first, others) if part]


@dataclass(frozen=True)
class Performance:
    """One suite's results, ready to print."""

    suite: str
    leaderboard: Answer
    figures: Answer
    """Every figure with its interval, or the reason why there is none."""
    weighted: Answer
    """AUC and Brier score with those in mind who were censored before the horizon; empty where nobody was."""
    models: list[tuple[str, list[Row]]]
    """Rows of the leaderboard by model, best first."""
    judged_on: str
    """The cohort by which models are ranked."""
    roc: Answer
    probabilities: Answer
    roc_figures: list[str]
    forest: str
    calibration_figures: dict[str, str]
    """By cohort, the one by which models are ranked first."""
    without_curve: list[str]
    benefits: dict[str, NetBenefit]
    """By cohort, like the calibration."""
    comparisons: dict[str, Answer]
    """DeLong tests by kind, paired and unpaired."""
    added: list[AddedValue]
    """What models add to those of fewer inputs on the held-out cohort; none out of fold, where no test of it holds."""
    subgroups: Answer
    subgroup_tests: Answer

    @property
    def is_repeated(self) -> bool:
        """Whether patients were judged fold by fold, so that the figures show what holds over folds and repeats."""
        return self.suite == "nested-cv"

    @cached_property
    def _told(self) -> dict[tuple[str, str, str], Row]:
        return {(row["model"], row["cohort"], row["figure"]): row for row in self.figures.rows}

    def told(self, row: Row, figure: str) -> Row | None:
        """Return a figure of the model and cohort of a row: ``value``, ``lower``, ``upper`` and ``reason``."""
        return self._told.get((row["model"], row["cohort"], figure))

    @property
    def reasons(self) -> list[Row]:
        """The figures that could not be told, each with its reason, in the leaderboard's order."""
        order = [model for model, _ in self.models]
        missing = [row for row in self.figures.rows if row["reason"] and row["figure"] not in _FOLLOWING]
        return sorted(missing, key=lambda row: order.index(row["model"]))

    @property
    def stale(self) -> list[str]:
        """The models that read something else now than when they were trained, in the leaderboard's order."""
        return list(dict.fromkeys(str(row["model"]) for row in self.leaderboard.rows if row["is_stale"]))

    @property
    def best(self) -> Row:
        """The leaderboard's row of the model with the highest AUC where models are judged."""
        rows = [row for row in self.leaderboard.rows if row["cohort"] == self.judged_on]
        return max(rows, key=lambda row: (row["auc"] is not None, row["auc"] or 0.0, row["model"]))

    @property
    def has_primary(self) -> bool:
        """Whether some paired tests have no corrected p, since the study declares others as primary."""
        return any(row["p_holm"] is None for row in self.tests("paired"))

    def shown(self, model: str | None) -> Row:
        """Return the leaderboard's row of a model that was chosen elsewhere; of the best where it was not judged."""
        rows = (row for row in self.leaderboard.rows if (row["cohort"], row["model"]) == (self.judged_on, model))
        return next(rows, self.best)

    @property
    def subgroup_tables(self) -> list[SubgroupTable]:
        """The subgroups, a table for each variable."""
        return [
            SubgroupTable(variable, list(rows))
            for variable, rows in groupby(self.subgroups.rows, key=lambda row: row["variable"])
        ]

    @property
    def extreme_slopes(self) -> list[str]:
        """The models whose calibration slope is no measure of calibration: below 0 or above 10."""
        return list(
            dict.fromkeys(
                row["model"]
                for row in self.leaderboard.rows
                if row["calibration_slope"] is not None and not 0 <= row["calibration_slope"] <= _LARGEST_SLOPE
            )
        )

    def tests(self, kind: str, cohort: str | None = None) -> list[Row]:
        """Return the comparisons of one kind, of one cohort where it is named."""
        return [row for row in self.comparisons[kind].rows if cohort in (None, row["cohort"])]


def performance(
    questions: Questions, bases: Mapping[str, str], net_benefit_range: tuple[float, float] | None
) -> list[Performance]:
    """Return the results of each suite that was run; none where no model was judged.

    Parameters
    ----------
    questions : Questions
        Asks the store.
    bases : mapping of str to str
        The member of the zoo that each model is, or is a variant of.
    net_benefit_range : tuple of float or None
        The threshold probabilities between which somebody would act; 1 to 99 % where None.
    """
    return [_of_suite(questions, row["suite"], bases, net_benefit_range) for row in questions.ask("suites").rows]


def _of_suite(
    questions: Questions, suite: str, bases: Mapping[str, str], net_benefit_range: tuple[float, float] | None
) -> Performance:
    leaderboard = questions.ask("leaderboard", suite=suite)
    roc, probabilities = questions.ask("roc", suite=suite), questions.ask("probabilities", suite=suite)
    models = [(model, list(rows)) for model, rows in groupby(leaderboard.rows, key=lambda row: row["model"])]
    styles = series_styles([model for model, _ in models])
    scores = {
        key: list(rows) for key, rows in groupby(probabilities.rows, key=lambda row: (row["model"], row["cohort"]))
    }
    cohorts = sorted({row["cohort"] for row in leaderboard.rows}, key=lambda c: (c != "training", c))
    judged_on = next(each for each in _JUDGED_ON if each in cohorts)
    by_interest = sorted(cohorts, key=lambda c: c != judged_on)
    calibrations = {cohort: _calibrations(leaderboard.rows, scores, cohort) for cohort in by_interest}
    return Performance(
        suite=suite,
        leaderboard=leaderboard,
        models=models,
        figures=questions.ask("figures", suite=suite),
        weighted=questions.ask("weighted", suite=suite),
        judged_on=judged_on,
        roc=roc,
        probabilities=probabilities,
        roc_figures=[_roc_figure(suite, cohort, leaderboard.rows, roc.rows, styles) for cohort in cohorts],
        forest=_forest(suite, leaderboard.rows, styles),
        calibration_figures={
            cohort: calibration_panels(
                models,
                key=f"{suite}-{cohort}-calibration",
                title=readable_name(cohort).capitalize(),
                label=f"Calibration in the {readable_name(cohort)} cohort: slope "
                + _listed(leaderboard.rows, cohort, _slope),
            )
            for cohort, models in calibrations.items()
        },
        without_curve=[
            f"{each.model}, {readable_name(cohort)}"
            for cohort, models in calibrations.items()
            for each in models
            if each.curve is None
        ],
        benefits=net_benefits(
            {cohort: {each.model: scores[each.model, cohort] for each in of} for cohort, of in calibrations.items()},
            suite,
            net_benefit_range,
        ),
        comparisons={kind: questions.ask("comparisons", suite=suite, kind=kind) for kind in ("paired", "unpaired")},
        added=added_values({model: scores[model, cohort] for model, cohort in scores if cohort == "validation"}, bases),
        subgroups=questions.ask("subgroups", suite=suite),
        subgroup_tests=questions.ask("subgroup_tests", suite=suite),
    )


def _roc_figure(
    suite: str, cohort: str, rows: Sequence[Row], points: Sequence[Row], styles: dict[str, SeriesStyle]
) -> str:
    curves = []
    of_cohort = [row for row in rows if row["cohort"] == cohort]
    for row in of_cohort:
        mine = [point for point in points if (point["model"], point["cohort"]) == (row["model"], cohort)]
        at_threshold = None
        if row["specificity"] is not None and row["sensitivity"] is not None:
            at_threshold = (1 - row["specificity"], row["sensitivity"])
        curves.append(
            RocOf(
                model=row["model"],
                false_positive_rate=[point["false_positive_rate"] for point in mine],
                sensitivity=[point["sensitivity"] for point in mine],
                legend="no AUC" if row["auc"] is None else f"{row['auc']:.3f}",
                operating_point=at_threshold,
            )
        )
    name = readable_name(cohort)
    sizes = {(row["n"], row["events"]) for row in of_cohort}
    # Models that lack an input of some patients have counts of their own, which the leaderboard tells.
    counts = ", n = {}, {} events".format(*sizes.pop()) if len(sizes) == 1 else ""
    return roc_plot(
        curves,
        styles,
        key=f"{suite}-{cohort}-roc",
        title=f"{name.capitalize()}{counts}",
        label=f"ROC curves in the {name} cohort: AUC " + _listed(rows, cohort, _area),
    )


def _forest(suite: str, rows: Sequence[Row], styles: dict[str, SeriesStyle]) -> str:
    intervals = [
        AucInterval(row["model"], row["cohort"], row["n"], row["auc"], row["auc_lo"], row["auc_hi"])
        for row in rows
        if row["auc"] is not None
    ]
    spoken = "; ".join(f"{row['model']}, {readable_name(row['cohort'])}, {_area(row)}" for row in rows)
    return auc_forest(
        intervals,
        styles,
        key=f"{suite}-forest",
        title="AUC with logit DeLong interval",
        label=f"Forest plot of AUCs: {spoken}",
    )


def _calibrations(rows: Sequence[Row], scores: dict[tuple[str, str], list[Row]], cohort: str) -> list[CalibrationOf]:
    found = []
    for model in (row["model"] for row in rows if row["cohort"] == cohort):
        of_model = scores.get((model, cohort), [])
        if of_model:
            labels = [each["label"] for each in of_model]
            probabilities = [each["probability"] for each in of_model]
            curve = recalibration_curve(labels, probabilities, patients=[each["patient"] for each in of_model])
            found.append(CalibrationOf(model, labels, probabilities, curve))
    return found


def _listed(rows: Sequence[Row], cohort: str, told: Callable[[Row], str]) -> str:
    return "; ".join(f"{row['model']} {told(row)}" for row in rows if row["cohort"] == cohort)


def _area(row: Row) -> str:
    if row["auc"] is None:
        return "not estimable"
    if row["auc_lo"] is None:
        return f"{row['auc']:.3f} (no interval)"
    return f"{row['auc']:.3f} (95 % interval {row['auc_lo']:.3f} to {row['auc_hi']:.3f})"


def _slope(row: Row) -> str:
    slope = row["calibration_slope"]
    return "not estimable" if slope is None else f"{slope:.3f}"
