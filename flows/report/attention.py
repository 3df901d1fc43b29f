"""Where a network looks: example patients with the maps of their phases, and the maps' numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from flows.pages.questions import Answer, Questions
from flows.pages.words import decimals

__all__ = ["AttentionPart", "attention_part"]

Row = dict[str, Any]


@dataclass(frozen=True)
class AttentionPart:
    """The example patients of one network."""

    answer: Answer
    regions: Answer
    figures: list[str]
    """One a patient, in the order of the answer."""

    @property
    def patients(self) -> list[tuple[Row, list[Row]]]:
        """The first row of each patient, and the rows of its phases."""
        found = [list(rows) for _, rows in groupby(self.answer.rows, key=lambda row: row["patient"])]
        return [(rows[0], rows) for rows in found]


def attention_part(questions: Questions, row: Row) -> AttentionPart | None:
    """Return a network's examples, None where no patient was looked at.

    Parameters
    ----------
    questions : Questions
        Asks the store.
    row : dict
        The model's row.
    """
    of_model = {"model": row["model"], "version": row["version"]}
    answer = questions.ask("attention", **of_model)
    if not answer:
        return None
    # Imported here: PyTorch takes seconds, and only studies with networks need it.
    from zoo.attention.panels import attention_figure
    from zoo.attention.stored import attention_panels

    regions = questions.ask("attention_regions", **of_model)
    part = AttentionPart(answer, regions, [])
    for number, (first, rows) in enumerate(part.patients):
        own = [each for each in regions.rows if each["patient"] == first["patient"]]
        there = {each["phase"] for each in own}
        panels = attention_panels(
            [each for each in rows if each["phase"] in there],
            {each["phase"]: np.reshape(each["image"], (each["size"], each["size"])) for each in own},
            {each["phase"]: np.reshape(each["mask"], (each["size"], each["size"])) for each in own},
        )
        heading = (
            f"{first['patient']}, {first['cohort']}, label {first['label']}, probability {first['probability']:.2f}"
        )
        shares = "; ".join(
            f"{each['phase']} {decimals(each['energy_inside'], 2)} inside, deeper than the margin, "
            f"{decimals(each['energy_margin'], 2)} on the margin"
            for each in rows
        )
        part.figures.append(
            attention_figure(
                panels,
                key=f"{row['model']}-attention-{number}",
                title=heading,
                label=f"Class activation maps of {heading}: share of energy in {shares}",
            )
        )
    return part
