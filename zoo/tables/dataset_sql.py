"""The SQL of a pinned dataset: a question to the analyst views that gives the table again, as of its commit."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.features.names import PHASE_SEPARATOR, phase_indicator, split_phase, with_phase
from schemas.keys import MaskKey, sql_name
from schemas.plain_keys import Combination
from schemas.study.file import Study
from schemas.study.models import FactorRule
from store.analyst.view_parts import quoted_name, quoted_text
from store.history.snapshot import Snapshot
from store.kinds.every import wide_kind
from store.rows.datasets import SqlGives
from zoo.logistic.imputation import INDICATOR
from zoo.networks.region_columns import region_columns
from zoo.radiomics.combat import batch_column
from zoo.tables.embedding_columns import EMBEDDING, embedding_name, is_embedding, split_hash
from zoo.tables.inputs import ModelInputs
from zoo.tables.model_table import ModelTable

__all__ = ["dataset_sql"]

_WIDTH = 116


def dataset_sql(snapshot: Snapshot, study: Study, inputs: ModelInputs, table: ModelTable) -> tuple[str, SqlGives]:
    """Return the SQL of a model's table, and what its answer is.

    Of a published stage or score that is not the table but the clinical values that it was told from, one row each,
    of every patient of the split: the rules of a stage are Python, and said a second time in SQL they could differ.

    Parameters
    ----------
    snapshot : Snapshot
        The store as the table was read.
    study : Study
        The study.
    inputs : ModelInputs
        What the table holds.
    table : ModelTable
        The table.
    """
    named = quoted_text(study.id)
    parts = {
        "members": f"""    select s.patient, s.cohort, l.label
    from splits s join labels l using (study, patient)
    where s.study = {named} and s.split = {quoted_text(inputs.split)}"""
    }
    if inputs.comparator is not None:
        read = sorted({inputs.variables.get(name, name) for name in inputs.comparator.inputs})
        return _with(
            parts,
            f"""select members.*, k.variable, k.value, k.level, k.unit, k.observed_at
from members join clinical_at_reference k using (patient)
where k.study = {named} and k.variable in ({_listed(read)})
order by patient, variable""",
        ), "inputs"
    if inputs.factors:
        parts["factors"] = _factors(named, inputs, set(table.columns))
    if table.feature_set is not None and is_embedding(snapshot, table.feature_set):
        parts |= _embeddings(snapshot, study.id, inputs.split, table)
    elif table.feature_set is not None:
        parts |= _features(snapshot, named, table.feature_set, table, inputs.combination)
    if table.regions is not None:
        parts |= _regions(table.regions, study.id, table)
    if inputs.harmonise is not None:
        levels = study.clinical.variables[inputs.harmonise].levels or ()
        at = f"list_position([{_listed(levels)}], level) - 1"
        code = f"case when level is null then value else {at} end" if levels else "value"
        parts["batches"] = f"""    select patient, {code}::double as {quoted_name(batch_column(inputs.harmonise))}
    from clinical_at_reference
    where study = {named} and variable = {quoted_text(inputs.harmonise)}"""
    joined = [name for name in parts if name not in ("members", "primary_rows", "leak_free")]
    imputed = table.phases if inputs.missing_phases == "impute" else ()
    of_phases = {f"phase_{number}": phase for number, phase in enumerate(imputed, 1)}
    lacks = {
        name: f", ({name}.patient is null)::double as {quoted_name(phase_indicator(phase))}"
        for name, phase in of_phases.items()
        if phase_indicator(phase) in table.columns
    }
    columns = ", ".join(("members.*", *(f"{name}.* exclude (patient){lacks.get(name, '')}" for name in joined)))
    joins = " ".join(f"{'left ' if name in of_phases else ''}join {name} using (patient)" for name in joined)
    who = f"\nwhere coalesce({', '.join(f'{name}.patient' for name in of_phases)}) is not null" if of_phases else ""
    return _with(parts, f"select {columns}\nfrom members {joins}{who}\norder by patient"), "table"


def _with(parts: dict[str, str], question: str) -> str:
    return "with " + ",\n".join(f"{name} as (\n{text}\n)" for name, text in parts.items()) + f"\n{question}"


def _factors(study: str, inputs: ModelInputs, there: set[str]) -> str:
    variables = list(dict.fromkeys(rule.variable for rule in inputs.factors))
    columns = [f"        {_factor(rule)} as {quoted_name(rule.label)}" for rule in inputs.factors]
    columns += [
        f"        (count(*) filter (variable = {quoted_text(name)}) = 0)::double as {quoted_name(name + INDICATOR)}"
        for name in variables
        if inputs.missing == "indicate" and name + INDICATOR in there
    ]
    listed = ",\n".join(columns)
    text = f"""    select
        patient,
{listed}
    from clinical_at_reference
    where study = {study} and variable in ({_listed(variables)})
    group by patient"""
    return f"{text}\n    having count(*) = {len(variables)}" if inputs.missing == "exclude" else text


def _factor(rule: FactorRule) -> str:
    value = "value"
    if rule.above is not None:
        # Written out, a fraction is a decimal to DuckDB and may be off in the last bit.
        value = f"value > {rule.above:.0f}" if rule.above.is_integer() else f"value > '{rule.above!r}'::double"
    elif rule.equals is not None:
        value = f"level is not distinct from {quoted_text(rule.equals)}"
    return f"any_value({value}) filter (variable = {quoted_text(rule.variable)})::double"


def _features(
    snapshot: Snapshot, study: str, feature_set: str, table: ModelTable, combination: Combination
) -> dict[str, str]:
    kind = wide_kind(snapshot.row("feature_sets", feature_set=feature_set))
    names = [row["feature"] for row in snapshot.rows("features", feature_set=feature_set)]
    chosen = kind.primary_rows(quoted_name(sql_name(feature_set)), study, quoted_text(feature_set), combination)
    of_each = (*MaskKey._fields, "extraction_id", *kind.details)
    beside = ", ".join(of_each if combination == "none" else ("patient", "phase"))
    parts = {"primary_rows": chosen}
    there = set(table.columns)
    for number, phase in enumerate(table.phases, 1):
        prefix = f"{phase}{PHASE_SEPARATOR}"
        kept = [name for name in names if prefix + name in there]
        dropped = [name for name in names if prefix + name not in there]
        columns = f"[{_wrapped([quoted_text(name) for name in kept])}]"
        if len(dropped) < len(kept):
            without = f", {_wrapped([quoted_name(name) for name in dropped])}" if dropped else ""
            columns = f"* exclude ({beside}{without})"
        # A phase of which no column is kept still decides which patients are in the table.
        read = f", columns({columns}) as {quoted_text(prefix + _ALL)}" if kept else ""
        parts[f"phase_{number}"] = f"""    select patient{read}
    from primary_rows
    where phase = {quoted_text(phase)}"""
    return parts


def _regions(feature_set: str, study: str, table: ModelTable) -> dict[str, str]:
    """Return a question for each phase; a region comes as one list, which the table has as slices, rows, columns."""
    return {
        f"region_{number}": f"""    select r.patient, a.region as {quoted_name(column)}
    from regions r join region_arrays a using (feature_set, extraction_id)
    join catalogue.study_extractions x using (feature_set, extraction_id)
    where feature_set = {quoted_text(feature_set)} and r.phase = {quoted_text(split_phase(column)[0])}
    and x.study = {quoted_text(study)}"""
        for number, column in enumerate(region_columns(table.columns), 1)
    }


def _embeddings(snapshot: Snapshot, study: str, split: str, table: ModelTable) -> dict[str, str]:
    keys = ", ".join(MaskKey._fields)
    own = quoted_text(split_hash(snapshot, study, split))
    parts = {
        "leak_free": f"""    select e.*
    from embeddings e join catalogue.study_extractions x using (feature_set, extraction_id)
    join study_masks m using ({keys})
    where e.feature_set = {quoted_text(str(table.feature_set))} and x.study = {quoted_text(study)}
    and m.study = {quoted_text(study)} and m.is_primary
    and case when e.split_sha256 is null then e.in_training is not true
        else not e.in_training and e.split_sha256 = {own} end"""
    }
    for number, phase in enumerate(table.phases, 1):
        size = sum(name.startswith(with_phase(phase, EMBEDDING)) for name in table.columns)
        columns = [
            f"embedding[{position + 1}]::double as {quoted_name(with_phase(phase, embedding_name(position)))}"
            for position in range(size)
        ]
        parts[f"phase_{number}"] = f"""    select patient, {_wrapped(columns)}
    from leak_free
    where phase = {quoted_text(phase)}"""
    return parts


_ALL = r"\0"  # what DuckDB puts a column's own name for


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(quoted_text(text) for text in texts)


def _wrapped(texts: Sequence[str]) -> str:
    """Return texts with commas, on as many lines as they need."""
    lines = [""]
    for text in texts:
        each = f"{text}, "
        if len(lines[-1]) + len(each) > _WIDTH and lines[-1].strip():
            lines.append("")
        lines[-1] = f"{lines[-1] or '        '}{each}"
    return "\n" + "\n".join(line.rstrip() for line in lines).removesuffix(",") + "\n    "
