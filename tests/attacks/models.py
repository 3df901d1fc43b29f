"""Altered models by the hundred: ``python -m tests.attacks.models --count 1500 --seed 1``.

Exported folders of each kind of model are damaged, or forged with hashes that fit, and asked for probabilities as
`radzoo predict --model-folder` asks. Wrong is: an error that is none of the project's, more than 10 s, a model from
elsewhere that takes this process down or to two gigabytes, and one that is accepted with other probabilities.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from schemas.errors import ContractError, NotFoundError
from store.history.snapshot import Snapshot
from store.home import Store
from store.limits.process import LimitedProcess
from tests.attacks.made.hand_made_models import HAND_MADE
from tests.attacks.made.model_mutations import mutate
from tests.attacks.made.small_models import KINDS, ExportedFolder, small_model
from zoo.models.answers import Question
from zoo.models.foreign import foreign_answers, foreign_process
from zoo.models.saved import exported_model

__all__ = ["attack", "hand_made", "mutants"]

_LONGEST_S = 10.0
_ROUND_S = 2.0
"""What reading the folder and ending a child may add to the limit itself."""
_MOST_BYTES = 2 << 30
_SAME = 1e-6
"""As far apart as `zoo.models.example_answers` lets two processors be."""
_BAD = ("other probabilities", "foreign error", "too long", "too large")

Alter = Callable[[ExportedFolder], str]


@dataclass(frozen=True)
class Model:
    """A whole model, and what it says."""

    kind: str
    folder: Path
    patients: pl.DataFrame
    expected: np.ndarray


def small_models(folder: Path, kinds: Iterable[str] = KINDS) -> list[Model]:
    """Return a small exported model of each kind, below a folder."""
    found = []
    for kind in kinds:
        exported, patients, expected = small_model(kind, folder / kind)
        found.append(Model(kind, exported.path, patients, expected))
    return found


def mutants(models: list[Model], seed: int, count: int) -> Iterator[tuple[Model, str, Alter]]:
    """Give models, and what alters a copy of each; the same for the same seed."""
    for number in range(count):
        draw = random.Random(1_000_003 * seed + number)  # noqa: S311
        model = draw.choice(models)
        yield model, f"{model.kind} {seed}/{number}", lambda copy, draw=draw, kind=model.kind: mutate(draw, copy, kind)


def hand_made(models: list[Model]) -> Iterator[tuple[Model, str, Alter]]:
    """Give models, and each alteration that was made by hand for their kind."""
    by_kind = {model.kind: model for model in models}
    for kind, name, alter in HAND_MADE:
        if kind in by_kind:
            yield by_kind[kind], f"{kind}: {name}", lambda copy, alter=alter, name=name: alter(copy) or name


def _most_held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def attack(cases: Iterable[tuple[Model, str, Alter]], work: Path, *, say: Callable[[str], None] = print) -> Counter:
    """Ask every altered model, and return how often what came of it."""
    outcomes: Counter = Counter()
    snapshot = Snapshot(Store(work / "store", create=True))
    # What this process took before, for whatever else it did, is not the models'.
    held = _most_held()
    with foreign_process() as process:
        for model, name, alter in cases:
            copy = work / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(model.folder, copy)
            what = alter(ExportedFolder(copy))
            # Where the one before died, the next is started: that is the machine's time, not the model's.
            process.call(os.getpid)
            began = time.monotonic()
            outcome, words = _outcome(snapshot, process, model, copy)
            seconds = time.monotonic() - began
            if seconds > _LONGEST_S + _ROUND_S:
                outcome = "too long"
            if _most_held() - held > _MOST_BYTES:
                outcome = "too large"
            outcomes[outcome] += 1
            if outcome in _BAD:
                say(f"{name}, {what}: {outcome} after {seconds:.1f} s: {words}")
    return outcomes


def _outcome(snapshot: Snapshot, process: LimitedProcess, model: Model, folder: Path) -> tuple[str, str]:
    try:
        saved = exported_model(snapshot, folder)
        # As the patients' inputs are made: the columns that the record names, and no other.
        table = model.patients.with_columns(
            pl.lit(0.0).alias(name) for name in saved.inputs.columns if name not in model.patients.columns
        ).select(saved.inputs.columns)
        question = Question(table, saved.references, False, saved.examples)
        answers = foreign_answers(saved.foreign, question, process)
    except (ContractError, NotFoundError) as error:
        died = "the model has no answer" in error.message
        return ("refused, its process ended" if died else "refused"), str(error)
    except BaseException:
        return "foreign error", traceback.format_exc()
    if np.array_equal(answers.probabilities, model.expected):
        return "accepted, equal", ""
    differ = np.abs(answers.probabilities - model.expected).max()
    if answers.probabilities.shape == model.expected.shape and differ <= _SAME:
        return "accepted, equal but for rounding", ""
    return "other probabilities", f"up to {differ:g}"


def main() -> int:
    """Run the attack, print the counts, and return 1 where one is bad."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--hand-made", action="store_true", help="those made by hand, before the mutants")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = small_models(Path(folder), given.kinds)
        outcomes: Counter = Counter()
        if given.hand_made:
            outcomes += attack(hand_made(models), Path(folder))
            print("made by hand:", dict(outcomes))
        drawn = attack(mutants(models, given.seed, given.count), Path(folder))
        print("mutants:", dict(drawn))
    return int(any((outcomes + drawn)[name] for name in _BAD))


if __name__ == "__main__":
    sys.exit(main())
