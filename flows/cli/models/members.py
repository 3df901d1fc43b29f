"""The verb that lists the zoo's members; no library of learning is loaded for it."""

from __future__ import annotations

from typing import Any

from flows.cli.outcome import CommandResult, table_text
from flows.engine.broken_packages import warn_of_broken_packages
from zoo.members import MEMBERS

__all__ = ["zoo"]

_FOOT = """every model needs an outcome and a split with training patients of both labels; besides, in the study file:
  factors           [[models.cr.factors]], for combined models those or their own
  a feature set     feature_sets, such as "mr@1" or "ct@1", or a table [imported.NAME]
  a set of regions  "hcc-regions@1" in feature_sets, or a table [define.NAME.regions]
  other names       variables under [clinical.variables]; --json has their units
several models from one: [models.NAME] with base = "radiomics_lr" and what differs, such as phases = ["PVP"]
next: a table [models.NAME] in the study file for each model, then radzoo bench"""


def zoo() -> CommandResult:
    """List the models that a study can name: what each one is, reads and needs.

    It needs no store. A model is asked for by a table [models.NAME] in the study file.

    Examples
    --------
    radzoo models zoo
    """
    rows: list[dict[str, Any]] = [
        {
            "model": member.name,
            "reads": member.reads,
            "network": member.is_network,
            "description": member.description,
            "needs": member.needs,
            "variables": member.units,
            "doi": member.citation,
            "package": member.package,
        }
        for member in MEMBERS.values()
    ]
    warn_of_broken_packages()
    columns = ["model", "reads", "network", "description", "needs"]
    if any(row["package"] for row in rows):
        columns.insert(1, "package")
    shown = [row | {"network": "yes" if row["network"] else "", "package": row["package"] or ""} for row in rows]
    return CommandResult(f"{table_text(shown, columns)}\n\n{_FOOT}", rows)
