"""What the verbs of features print for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flows.cli.outcome import table_text
from schemas.features.grey_levels import grey_level_flags
from store.dictionary.coverage import Coverage
from store.dictionary.difference import FeatureSetDifference
from store.dictionary.feature_sets import ColumnDescription, FeatureSetDescription
from store.dictionary.search import FoundFeature

if TYPE_CHECKING:
    from flows.refresh.set_use import SetUse

__all__ = [
    "column_text",
    "coverage_text",
    "difference_text",
    "found_text",
    "list_text",
    "set_text",
    "stability_text",
]

Row = Mapping[str, Any]

_LONGEST_LIST = 3  # names in a cell; more are counted


def list_text(rows: Sequence[Row]) -> str:
    """Return the list of feature sets."""
    if not rows:
        return "the store has no feature set yet: radzoo refresh computes those that the studies ask for"
    shown = [
        {
            "feature set": row["feature_set"],
            "kind": row["kind"],
            "features": row["features"],
            "extractions": row["extractions"],
            "studies": ", ".join(row["studies"] or ()) or "none",
            "definition": row["definition_sha256"][:12],
            "since commit": row["since_commit"],
            "description": row["description"] or "",
        }
        for row in rows
    ]
    # Stores where nobody was told to own anything have no empty columns.
    for name, text in (("owner", str), ("tags", ", ".join)):
        if any(row[name] for row in rows):
            shown = [each | {name: text(row[name] or "")} for each, row in zip(shown, rows, strict=True)]
    return table_text(shown, [*shown[0]])


def found_text(found: Sequence[FoundFeature], *, every_column: bool) -> str:
    """Return what a search found: one line per feature, or one per column."""
    lines: list[dict[str, Any]]
    if every_column:
        lines = [
            {"feature set": column.partition(" ")[0], "column": column.partition(" ")[2]} | _entry(each)
            for each in found
            for column in each.columns
        ]
    else:
        lines = [
            {"family": each.family or "", "feature": each.name}
            | _entry(each)
            | {
                "image types": _names(each.image_types),
                "columns": len(each.columns),
                "feature sets": _names(each.feature_sets),
                "definition": each.definition or "",
            }
            for each in found
        ]
    columns = sum(len(each.columns) for each in found)
    total = f"{_counted(len(found), 'feature')}, {_counted(columns, 'column')}"
    more = "" if every_column or columns == len(found) else "; --all lists every column"
    return f"{table_text(lines, [*lines[0]])}\n\n{total}{more}"


def set_text(found: FeatureSetDescription, use: SetUse) -> str:
    """Return a feature set as people read it, with what it is meant for."""
    row = found.row
    given = {name: value for name, value in found.settings.items() if value is not None}
    unset = [name for name, value in found.settings.items() if value is None]
    parts = [
        f"{row['feature_set']}: {row['description'] or 'no description'}",
        _facts(
            {
                "kind": row["kind"],
                "columns": row["features"],
                "extractions": row["extractions"],
                "studies": ", ".join(row["studies"] or ()) or "none",
                "definition": row["definition_sha256"],
                "since commit": row["since_commit"],
                "libraries": ", ".join(f"{name} {number}" for name, number in found.libraries.items()),
                "image types": ", ".join(found.image_types),
                "meant for": ", ".join(use.modalities),
                "aggregation": ", ".join(f"{family} {code}" for family, code in use.aggregation.items()),
            }
        ),
        *(f"warning: {each}" for each in use.warnings),
    ]
    if given:
        parts.append("settings\n" + _facts({name: _setting(name, value) for name, value in given.items()}))
        if unset:
            parts[-1] += f"\n  not set: {', '.join(unset)}"
    # Names from elsewhere tell no family.
    if any(each["family"] for each in found.families):
        parts.append(table_text(found.families, ["family", "columns", "image_types", "ibsi_compliant"]))
    if found.deviations:
        parts.append("departs from IBSI\n" + _facts(found.deviations))
    if found.grey_levels:
        levels = [
            each | {"flag": ", ".join(grey_level_flags(each["fewest"], each["median"]))} for each in found.grey_levels
        ]
        parts.append("grey levels inside the masks\n" + table_text(levels, [*levels[0]]))
    if found.coverage:
        parts.append(
            "coverage\n" + table_text(found.coverage, [name for name in found.coverage[0] if name != "is_asked"])
        )
    parts.append("failures\n" + table_text(found.failures, [*found.failures[0]]) if found.failures else "no failure")
    return "\n\n".join(parts)


def column_text(found: ColumnDescription, preparation: Sequence[str]) -> str:
    """Return one column as people read it.

    Parameters
    ----------
    found : ColumnDescription
        The column.
    preparation : sequence of str
        Identifiers of what takes its values away from IBSI's before it is calculated.
    """
    row = found.row
    follows = "follows IBSI" if row["ibsi_compliant"] else row["deviation"] or "not in IBSI"
    if preparation:
        follows = "calculated as in IBSI" if row["ibsi_compliant"] else follows
    parts = [
        f"{row['feature_set']} {row['feature']}",
        _facts(
            {
                "definition": row["definition"] or "none given",
                "image type": row["image_type"],
                "family": row["family"],
                "unit": row["unit"],
                "IBSI": f"{row['ibsi_id']}, {follows}" if row["ibsi_id"] else follows,
                "not as IBSI": ", ".join(preparation),
            }
        ),
        "values of the primary masks\n" + table_text(found.distribution, [*found.distribution[0]])
        if found.distribution
        else "no primary mask has a row",
        "agreement of repeated readings, ICC(A,1)\n" + table_text(found.stability, [*found.stability[0]])
        if found.stability
        else f"no agreement of readings in the store: radzoo features stability {row['feature_set']} computes it",
    ]
    return "\n\n".join(parts)


def difference_text(found: FeatureSetDifference, limit: int) -> str:
    """Return the difference of two feature sets as people read it."""
    parts = [f"from {found.before} to {found.after}"]
    parts.append(
        table_text(
            [{name: "not set" if v is None else v for name, v in row.items()} for row in found.changes],
            ["kind", "key", "before", "after"],
        )
        if found.changes
        else "settings and library versions are the same"
    )
    for what, names in (("added", found.columns_added), ("removed", found.columns_removed)):
        parts.append(f"columns {what}: {_counted(len(names), 'column')}" + _examples(names))
    if not found.masks:
        parts.append(f"{_counted(found.shared_columns, 'shared column')}; no mask has a row in both sets")
        return "\n\n".join(parts)
    classes = [
        {"largest relative difference": name, "columns": count, "share": f"{100 * count / found.shared_columns:.1f} %"}
        for name, count in found.classes.items()
        if count
    ]
    heading = f"{_counted(found.shared_columns, 'shared column')} on {_counted(found.masks, 'mask')} with a row in both"
    parts.append(f"{heading}\n{table_text(classes, [*classes[0]])}")
    different = [each for each in found.columns if each.largest or each.only_before or each.only_after][:limit]
    if different:
        lines = [
            {
                "most changed": each.feature,
                "median": each.median,
                "largest": each.largest,
                "only in the first": each.only_before,
                "only in the second": each.only_after,
            }
            for each in different
        ]
        parts.append(table_text(lines, [*lines[0]]))
    return "\n\n".join(parts)


def coverage_text(found: Coverage) -> str:
    """Return coverage and the reasons for what is missing."""
    if not found.rows:
        return "no study asks for a feature set"
    columns = [name for name in found.rows[0] if name != "is_asked"]
    parts = [table_text(found.rows, columns)]
    if found.reasons:
        parts.append("why\n" + table_text(found.reasons, [*found.reasons[0]]))
    # An imported table has no phase of its own, and no refresh makes the rows that it lacks.
    waiting = sum(row["missing"] - row["failed"] for row in found.rows if row["phase"])
    if waiting > 0:
        parts.append(f"{_counted(waiting, 'extraction')} not computed yet; next: radzoo refresh")
    return "\n\n".join(parts)


def stability_text(data: Mapping[str, Any], counts: Sequence[Any], rows: Sequence[Row]) -> str:
    """Return the counts of stable features, and every feature where asked."""
    minimum = f"{data['minimum']:g}"
    named = "ICC" if data["bound"] == "estimate" else "lower bound of the ICC"
    lines = [
        {
            "phase": each.phase,
            "kind": each.kind,
            "family": each.family or "all",
            "patients": each.patients,
            "features": each.features,
            f"{named} >= {minimum}": each.passing,
            "undefined": each.undefined,
            "median ICC": None if each.median is None else round(each.median, 3),
        }
        for each in counts
    ]
    kinds = list(dict.fromkeys(each.kind for each in counts))
    where = " and ".join(kinds)
    parts = [f"{data['feature_set']} in {data['study']}, training patients of split {data['split']}"]
    parts += [table_text(rows, [*rows[0]])] if rows else []
    parts.append(table_text(lines, [*lines[0]]) if lines else "no readings of this kind")
    if lines:
        a = "an" if data["bound"] == "estimate" else "a"
        counted = f"{data['stable_columns']} of {data['columns']} columns have {a} {named}"
        parts.append(f"{counted} of at least {minimum}: {where}")
    parts += [
        f"no ICC of {few['kind']} in {few['phase']}: {few['patients']} training patients were read so, "
        "too few; a model with minimum_icc that reads this phase is refused"
        for few in data["few"]
    ]
    return "\n\n".join(parts)


def _entry(found: FoundFeature) -> dict[str, str]:
    return {"IBSI": found.ibsi_id or "", "unit": found.unit or ""}


def _facts(facts: Mapping[str, Any]) -> str:
    width = max(map(len, facts), default=0)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in facts.items() if value not in (None, ""))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _setting(name: str, value: Any) -> str:
    if name != "landmarks":
        return _value(value)
    # Their numbers are in the definition, which --json gives; a reader wants to know who taught them.
    return "; ".join(
        f"{each['phase']}, learnt from {_counted(each['patients'], 'training patient')} of split '{each['split']}' of "
        f"study '{each['study']}'"
        for each in value
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _LONGEST_LIST else f"{len(names)}: {names[0]}, ..."


def _examples(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f" ({', '.join(names[:_LONGEST_LIST])}{', ...' if len(names) > _LONGEST_LIST else ''})"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
