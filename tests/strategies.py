"""Hypothesis strategies of the domain: keys, extraction records, study files, TOML documents with known lines."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from schemas.keys import MaskKey, extraction_id
from store.rows.staging import ExtractionRecord

HEX = "0123456789abcdef"

sha256s = st.text(HEX, min_size=64, max_size=64)
pseudonyms = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,6}([_-][A-Za-z0-9]{1,6}){0,2}", fullmatch=True)
mask_keys = st.builds(
    MaskKey,
    patient=pseudonyms,
    exam=names,
    phase=names,
    lesion=pseudonyms,
    reader=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True),
    reading=st.integers(1, 9),
)

AWKWARD_FLOATS = (0.0, -0.0, 5e-324, -2.225073858507201e-308, 1e308, -1.7976931348623157e308, 0.1, 1 / 3, 2.0**53 + 2)
"""Both zeros, the smallest subnormal, the largest subnormal, numbers near overflow, numbers no decimal text is."""

finite_floats = st.sampled_from(AWKWARD_FLOATS) | st.floats(allow_nan=False, allow_infinity=False)
feature_values = st.none() | finite_floats


def bits(value: float | None) -> bytes | None:
    """Return a number's eight bytes, which tell -0.0 from 0.0 and one NaN from another."""
    return None if value is None else struct.pack("<d", value)


AWKWARD_COLUMNS = ("wavelet-LLH_glcm_Idm", "Mixed-CASE_name_y", "ends_in_y", "select", "with space", "f" * 65)
"""Hyphens, both cases, the ending that a join renames, a word of SQL, a blank, a name over 64 characters."""


@st.composite
def extraction_records(draw: st.DrawFn, columns: tuple[str, ...] = AWKWARD_COLUMNS) -> ExtractionRecord:
    """Return one finished extraction with values and details as awkward as they may be."""
    image, mask, definition = draw(sha256s), draw(sha256s), draw(sha256s)
    values = {column: draw(feature_values) for column in columns}
    return ExtractionRecord(
        extraction_id=extraction_id(image, mask, definition),
        key=draw(mask_keys),
        image_sha256=image,
        mask_sha256=mask,
        values=values,
        unavailable={column: "constant" for column, value in values.items() if value is None},
        details={"grey_levels": {"original": draw(st.integers(1, 200))}, "zero_fraction": {"original": 0.0}},
    )


@st.composite
def toml_documents(draw: st.DrawFn) -> tuple[str, dict[tuple[str | int, ...], int]]:
    """Return a TOML document and the line on which each of its paths is written."""
    lines: list[str] = []
    written: dict[tuple[str | int, ...], int] = {}
    counts: dict[str, int] = {}
    fresh = (f"k{number}" for number in range(10_000))
    table: tuple[str | int, ...] = ()

    def decoys() -> None:
        lines.extend(draw(st.lists(st.sampled_from(["", "# [decoy]", '# """', "# k0 = '''", "  # x = {"]), max_size=2)))

    def pair() -> None:
        key = next(fresh)
        path = (*table, key)
        written[path] = len(lines) + 1
        kind = draw(st.sampled_from(["plain", "dotted", "quoted", "long", "rows", "inline", "inlines"]))
        if kind == "plain":
            value = draw(
                st.sampled_from(["1", "-1.5e3", '"a # \\" = ["', "'c:\\'", "\"it is ''' here\"", "2020-01-02"])
            )
            lines.append(f"{key} = {value} # a = [1")
        elif kind == "dotted":
            written[*path, "below", "deep"] = len(lines) + 1
            lines.append(f'  {key} . "below".deep = true')
        elif kind == "quoted":
            del written[path]
            written[*table, f"{key}.[x] = "] = len(lines) + 1
            lines.append(f'"{key}.[x] = " = 0')
        elif kind == "long":
            quotes = draw(st.sampled_from(['"""', "'''"]))
            inside = draw(st.lists(st.sampled_from(["[decoy]", "k0 = 1", "", "it's \" here"]), min_size=1, max_size=3))
            lines.extend([f"{key} = {quotes}", *inside, quotes])
        elif kind == "rows":
            lines.append(f"{key} = [")
            for position in range(draw(st.integers(1, 3))):
                decoys()
                written[*path, position] = len(lines) + 1
                lines.append('    ["k0", "x"],')
            lines.append("]")
        elif kind == "inline":
            written[*path, "a"] = written[*path, "b", "c"] = len(lines) + 1
            lines.append(f"{key} = {{ a = [1, 2], b.c = 'x = 1' }}")
        else:
            lines.append(f"{key} = [")
            for position in range(draw(st.integers(1, 3))):
                written[*path, position] = written[*path, position, "v"] = len(lines) + 1
                lines.append('  { v = "}" },')
            lines.append("]")

    for _ in range(draw(st.integers(0, 3))):
        decoys()
        pair()
    for _ in range(draw(st.integers(0, 4))):
        decoys()
        name = draw(st.sampled_from(["r", "s"]))
        kind = draw(st.sampled_from(["table", "array", "below"])) if name in counts else "array"
        if kind == "array":
            counts[name] = counts.get(name, -1) + 1
            table = (name, counts[name])
            lines.append(f"[[ {name} ]]  # [decoy]")
        elif kind == "below":
            below = next(fresh)
            table = (name, counts[name], below, "t")
            lines.append(f'[{name}.{below}."t"]')
        else:
            table = (next(fresh),)
            lines.append(f"[{table[0]}]")
        written[table] = len(lines)
        for _ in range(draw(st.integers(0, 3))):
            decoys()
            pair()
    return "\n".join(lines) + "\n", written


@st.composite
def study_texts(draw: st.DrawFn) -> str:
    """Return a valid study file with phases, readings, variables, an outcome, a split and a model of any names."""
    phases = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    variable = draw(names.filter(lambda name: name.lower() not in ("age", "alb", "afp")))
    split = draw(names)
    horizon = draw(st.floats(0.5, 240))
    tables = "".join(
        f'[phases.{phase}]\nimage = "i/{{patient}}/{{phase}}.nii"\nmask = "m/{{patient}}_{{reader}}_{{reading}}.nii"\n'
        for phase in phases
    )
    return (
        f'[study]\nid = "{draw(names)}"\ntitle = "t"\n[cohort]\ntable = "p.csv"\nprefix = "{draw(pseudonyms)}"\n'
        f'{tables}[[readings]]\nreader = "R1"\n'
        f'[clinical.variables]\n{variable} = {{ unit = "U/L", range = [0, 1e4] }}\nsex = {{ levels = ["f", "m"] }}\n'
        f'[outcome]\nkind = "time_to_event"\nname = "o"\nevent = "e"\ntime = "t"\nunit = "mo"\nhorizon = {horizon!r}\n'
        f'[splits.{split}]\nkind = "stratified"\nseed = {draw(st.integers(0, 99))}\n'
        f'[models.m]\nsplit = "{split}"\nphases = ["{phases[-1]}"]\n'
        f'factors = [\n  {{ variable = "{variable}", above = 40 }},\n  {{ variable = "sex", equals = "m" }},\n]\n'
    )
