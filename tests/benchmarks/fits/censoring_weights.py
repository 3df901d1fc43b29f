"""What weights for the censored do to a regression: level of its tests, calibration on patients who are all followed.

    python -m tests.benchmarks.fits.censoring_weights --draws 1000

Two factors, one of which raises the hazard, the other nothing; censoring depends on nothing; a horizon of 24. Two in
three of those with a label train. Printed are the share of draws in which the null factor has p < .05, by the errors of
the information without weights, by those of the information with weights that add up to the effective number of
patients, and by the sandwich; and the mean probability of 20,000 new patients less the truth, fitted to complete cases,
with G of the training patients and their share of the censored, and with G of the whole study.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from zoo.censoring.follow_up import FollowUp
from zoo.censoring.weights import censoring_weights
from zoo.logistic.resampled import logistic_fit
from zoo.logistic.wald import wald_fit

HORIZON = 24.0
SCENARIOS = ((165, 30.0), (165, 15.0), (400, 30.0), (400, 12.0))
"""Patients, and the mean time to censoring."""


def information_p(design: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[np.float64]) -> float | None:
    """Return the p value of the first factor by the errors of the weighted information."""
    found = logistic_fit(design, labels == 1, weights)
    if found is None:
        return None
    fitted = expit(design @ found)
    errors = np.sqrt(np.diag(np.linalg.inv((design * (weights * fitted * (1 - fitted))[:, None]).T @ design)))
    return float(2 * norm.sf(abs(found[1] / errors[1])))


def main() -> None:
    """Print a line a scenario."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    random = np.random.default_rng(20260101)
    fresh = random.normal(size=(20_000, 2))
    truth = float((1 - np.exp(-HORIZON / 60 * np.exp(0.7 * fresh[:, 1]))).mean())
    print("patients  labelled  worth   level: none  information  sandwich   bias: none  training's G  study's G")
    for patients, censoring in SCENARIOS:
        levels, biases, sizes = [], [], []
        for _ in range(draws):
            table = random.normal(size=(patients, 2))
            event = random.exponential(60 * np.exp(-0.7 * table[:, 1]))
            lost = random.exponential(censoring, patients)
            times = np.minimum(event, lost)
            labels = np.where((event <= lost) & (times <= HORIZON), 1, np.where(times > HORIZON, 0, -1))
            known = np.flatnonzero(labels >= 0)
            training = random.permutation(known)[: 2 * len(known) // 3]
            if min(np.bincount(labels[training], minlength=2)) < 5:
                continue
            followed = FollowUp(
                {str(row): float(times[row]) for row in known}, tuple(sorted(times[labels < 0].tolist()))
            )
            names = [str(row) for row in training]
            own = censoring_weights(followed, names).of(names)
            whole = censoring_weights(followed, [str(row) for row in known]).of(names)
            if own is None or whole is None:
                continue
            X, y = table[training], labels[training]
            fits = [wald_fit(X, y), wald_fit(X, y, own), wald_fit(X, y, whole)]
            by_information = information_p(np.column_stack([np.ones(len(X)), X]), y, own)
            if by_information is None or None in fits:
                continue
            there = [fit for fit in fits if fit is not None]
            levels.append([there[0].p[0] < 0.05, by_information < 0.05, there[1].p[0] < 0.05])
            biases.append([expit(fit.intercept + fresh @ fit.coefficients).mean() - truth for fit in there])
            sizes.append([len(known) / patients, own.sum() / len(own)])
        level, bias, size = (np.mean(each, axis=0) for each in (levels, biases, sizes))
        print(
            f"{patients:8}  {size[0]:8.2f}  {size[1]:5.2f}  {level[0]:12.3f}  {level[1]:11.3f}  {level[2]:8.3f}"
            f"  {bias[0]:+11.3f}  {bias[1]:+12.3f}  {bias[2]:+9.3f}"
        )


if __name__ == "__main__":
    main()
