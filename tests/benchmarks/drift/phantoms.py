"""Whether a scanner's shift that is planted in phantoms is found, and how often one is found that is not there.

    OMP_NUM_THREADS=1 python tests/benchmarks/drift/phantoms.py [--redraws 20] [--reference 60] [--current 30]
        [--scale 0.3] [--level 0.01] [--first 0] [--regrouped 200]

Livers with a lesion each, drawn as the example study draws its own, arterial phase; receive gain and unevenness of
the field differ from patient to patient. `hcc-cemri` is extracted of all. A redraw is new phantoms for both groups. A
row is what is done to the images of the second group; its cells are the redraws in which anything is found at the
level, the features that drift (p at most the level, PSI at least .2; median and range), and medians of the
classifier's AUC and p. Of a planted shift the reference is that of the redraw. Regrouped are phantoms of all redraws
without a shift, drawn for both groups again and again: redraws that are cheap, and not independent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk

from flows.demo.phantom.liver import LesionTraits, lesion_mask, phantom_phases
from flows.extract.radiomics import extract, use_single_thread
from schemas.features.radiomics_settings import HCC_CEMRI
from zoo.drift.features import features_drift
from zoo.drift.relabelling import draws_for

LEAST_PSI, TESTS, PHASE = 0.2, 2, "AP"
Change = Callable[[sitk.Image, np.random.Generator], sitk.Image]
SHIFTS: dict[str, tuple[float, Change]] = {
    "nothing": (3.0, lambda image, _: image),
    "1.5 T in place of 3 T": (1.5, lambda image, _: image),
    "gain 1.3": (3.0, lambda image, _: sitk.Cast(image * 1.3, image.GetPixelID())),
    "offset 60": (3.0, lambda image, _: image + 60),
    "noise of 20 more": (3.0, lambda image, random: noisy(image, random)),
    "smoothed by 1 mm": (3.0, lambda image, _: sitk.Cast(sitk.DiscreteGaussian(image, 1.0), image.GetPixelID())),
}


def noisy(image: sitk.Image, random: np.random.Generator) -> sitk.Image:
    """Return an image with normal noise of 20 added."""
    array = sitk.GetArrayFromImage(image)
    found = sitk.GetImageFromArray(np.round(array + random.normal(0, 20, array.shape)).astype(array.dtype))
    found.CopyInformation(image)
    return found


def features(seed: int, shift: str, scale: float) -> dict[str, float]:
    """Return the features of a phantom; what is no number is NaN."""
    random = np.random.default_rng([seed, 5])
    field_strength_t, change = SHIFTS[shift]
    traits = LesionTraits(
        diameter_mm=random.uniform(40, 70),
        heterogeneity=float(np.clip(0.135 * np.exp(0.28 * random.standard_normal()), 0.04, 0.32)),
        coarseness_mm=float(np.clip(4.5 * np.exp(0.22 * random.standard_normal()), 2, 10)),
        arterial_ratio=float(np.clip(random.normal(1.45, 0.12), 1.15, 1.8)),
    )
    image = change(phantom_phases(traits, field_strength_t, seed, scale)[PHASE], random)
    return extract(image, lesion_mask(traits, seed, PHASE, 1, 1, scale), HCC_CEMRI).values


def main() -> None:
    """Print a row for each shift."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redraws", type=int, default=20)
    parser.add_argument("--shifted", type=int, default=5)
    parser.add_argument("--reference", type=int, default=60)
    parser.add_argument("--current", type=int, default=30)
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--level", type=float, default=0.01)
    parser.add_argument("--first", type=int, default=0, help="number of the first redraw: others are other phantoms")
    parser.add_argument("--regrouped", type=int, default=200)
    asked = parser.parse_args()
    use_single_thread()
    each, draws = asked.reference + asked.current, draws_for(asked.level, TESTS)
    is_current = np.repeat([False, True], [asked.reference, asked.current])
    print(f"| shift | redraws | found | features that drift | AUC | p of the AUC |\n|{'---|' * 6}", flush=True)

    def drift_of(rows: list[dict[str, float]], seed: int) -> tuple[int, float, float]:
        """Return how many features drift, and the classifier's AUC and p."""
        names = list(rows[0])
        values = np.array([[row.get(name, np.nan) for name in names] for row in rows], dtype=float)
        drift = features_drift(values, names, is_current, tests=TESTS, draws=draws, seed=seed)
        return sum(f.p <= asked.level and f.psi >= LEAST_PSI for f in drift.features), drift.auc, drift.auc_p

    def print_row(name: str, found: list[tuple[int, float, float]]) -> None:
        """Print what was found in several redraws."""
        counts, aucs, p_values = zip(*found, strict=True)
        anything = sum(count > 0 or p <= asked.level for count, _, p in found)
        print(
            f"| {name} | {len(found)} | {anything} | {np.median(counts):.0f} ({min(counts)} to {max(counts)}) | "
            f"{np.median(aucs):.2f} | {np.median(p_values):.3f} |",
            flush=True,
        )

    kept: dict[int, list[dict[str, float]]] = {}
    for shift in SHIFTS:
        found = []
        for redraw in range(asked.first, asked.first + (asked.redraws if shift == "nothing" else asked.shifted)):
            seeds = range(redraw * each, (redraw + 1) * each)
            if redraw not in kept:
                kept[redraw] = [features(seed, "nothing", asked.scale) for seed in seeds]
            rows = kept[redraw]
            if shift != "nothing":
                rows = rows[: asked.reference] + [features(s, shift, asked.scale) for s in seeds[asked.reference :]]
            found.append(drift_of(rows, redraw))
        if found:
            print_row(shift, found)
        if shift == "nothing" and asked.regrouped:
            every = [row for rows in kept.values() for row in rows]
            random = np.random.default_rng(asked.first)
            groups = (random.choice(len(every), each, replace=False) for _ in range(asked.regrouped))
            print_row("nothing, regrouped", [drift_of([every[n] for n in group], k) for k, group in enumerate(groups)])


if __name__ == "__main__":
    main()
