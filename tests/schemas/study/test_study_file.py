"""The study file: what is accepted, and on which line a fault is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import study_texts

import flows
from flows.study.template import STUDY_TEMPLATE
from schemas.errors import ContractError
from schemas.study.file import Study
from schemas.study.models import FactorRule
from schemas.study.outcomes import EventOutcome
from schemas.study.text import parsed_study
from schemas.study.thresholds import CostThreshold, SensitivityThreshold

DEMO = (Path(flows.__file__).parent / "demo" / "study.toml").read_text(encoding="utf-8")


def fault_of(text: str) -> tuple[str, int]:
    """Return the message and the line of the fault of a study text."""
    with pytest.raises(ContractError) as caught:
        parsed_study(text, "my.toml")
    assert caught.value.exit_code == 4
    assert caught.value.hint
    file, _, line = str(caught.value.where).rpartition(":")
    assert file == "my.toml"
    return caught.value.message, int(line)


def demo_fault(old: str, new: str) -> tuple[str, int, int]:
    """Return message and line of the fault that a replacement causes, and the line where ``>>>`` marks it."""
    assert old in DEMO
    marked = DEMO.replace(old, new, 1)
    assert ">>>" in marked
    expected = marked[: marked.index(">>>")].count("\n") + 1
    return (*fault_of(marked.replace(">>>", "")), expected)


def test_demo_study_is_valid():
    """The study that ships with radzoo has three phases, three readings and 18 factors of the clinical model."""
    study = parsed_study(DEMO, "study.toml")
    assert study.id == "hcc-early-recurrence"
    assert list(study.phases) == ["AP", "PVP", "DP"]
    assert [(each.reader, each.reading) for each in study.readings] == [("1", 1), ("1", 2), ("2", 1)]
    assert len(study.models["cr"].factors) == 18


def test_template_of_init_is_valid():
    """What `radzoo init` writes is accepted as it is, and so it is with its commented examples switched on."""
    parsed_study(STUDY_TEMPLATE, "study.toml")
    examples = ("# [clinical", "# unit", "# levels", "# exam_", "# reference_", "# observed_", "# window_")
    switched_on = "\n".join(line[2:] if line.startswith(examples) else line for line in STUDY_TEMPLATE.splitlines())
    assert set(parsed_study(switched_on, "study.toml").clinical.variables) == {"afp", "sex"}


@settings(max_examples=40, deadline=None)
@given(study_texts())
def test_a_valid_study_survives_its_json(text):
    """The catalogue keeps a study as JSON: what is read back is equal."""
    study = parsed_study(text, "my.toml")
    assert Study.model_validate_json(study.model_dump_json()) == study


@settings(max_examples=40, deadline=None)
@given(study_texts(), st.data())
def test_an_unknown_key_in_any_table_is_named_with_its_line(text, data):
    """A key that no table has is refused after any line that can take one, whatever the study's names are."""
    lines = text.splitlines()
    variables = lines.index("[clinical.variables]")
    # Under [clinical.variables] any key is a variable's name; inside the factors' array none can stand.
    allowed = [
        at for at in range(1, len(lines)) if at not in range(variables + 1, variables + 4) and lines[at][:1] not in " ]"
    ]
    at = data.draw(st.sampled_from(allowed))
    message, line = fault_of("\n".join([*lines[:at], "zz_unknown = 1", *lines[at:]]))
    assert line == at + 1
    assert message.endswith("zz_unknown: unknown key")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("feature_sets =", ">>>zz = 1\nfeature_sets =", "zz"),
        ("[study]", "[study]\n>>>zz = 1", "study.zz"),
        ("[cohort]", "[cohort]\n>>>zz = 1", "cohort.zz"),
        ("[phases.PVP]", "[phases.PVP]\n>>>zz = 1", "phases.PVP.zz"),
        ('where = "reread"', '>>>wher = "reread"', "readings.1.wher"),
        ("[clinical]", "[clinical]\n>>>zz = 1", "clinical.zz"),
        ('alt = { unit = "U/L" }', '>>>alt = { unit = "U/L", zz = 1 }', "clinical.variables.alt.zz"),
        ("[outcome]", "[outcome]\n>>>zz = 1", "outcome.zz"),
        ("[splits.paper]", "[splits.paper]\n>>>zz = 1", "splits.paper.zz"),
        ("[models.cr]", "[models.cr]\n>>>zz = 1", "models.cr.zz"),
        ('{ variable = "alb", above', '>>>{ variable = "alb", abov', "models.cr.factors.8.abov"),
        ("[models.cr]", "[define.own]\nradiomics = {}\n>>>zz = 1\n[models.cr]", "define.own.zz"),
        ("[models.cr]", "[define.own.radiomics]\n>>>zz = 1\n[models.cr]", "define.own.radiomics.zz"),
        ("[models.cr]", ">>>[zz]\n[models.cr]", "zz"),
    ],
)
def test_unknown_key_at_every_level(old, new, key):
    """An unknown key is refused with its path and its own line, in every table."""
    message, line, expected = demo_fault(old, new)
    assert (message.partition("; nearest")[0], line) == (f"{key}: unknown key", expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'subgroups = ["field_strength_t"]',
            '>>>subgroups = ["field_strength"]',
            "subgroups.0: subgroups names 'field_strength', no variable of [clinical]",
        ),
        (
            'primary_comparisons = [["rcr", "cr"]]',
            '>>>primary_comparisons = [["rcr", "clinical"]]',
            "primary_comparisons.0: primary_comparisons names 'clinical', no model of [models]",
        ),
        (
            'primary_comparisons = [["rcr", "cr"]]',
            '>>>primary_comparisons = [["rcr", "cr"], ["cr", "rcr"]]',
            "primary_comparisons.1: cr and rcr are compared once, one with the other",
        ),
        (
            'primary_comparisons = [["rcr", "cr"]]',
            ">>>net_benefit_range = [0.6, 0.2]",
            "net_benefit_range: the lowest threshold comes first, the highest behind it",
        ),
        (
            'alt = { unit = "U/L" }',
            '>>>alt = { unit = "furlong/L" }',
            "clinical.variables.alt.unit: 'furlong/L' is not a UCUM",
        ),
        (
            'afp = { unit = "[IU]/mL" }',
            '>>>afp = { unit = "mm" }',
            "clinical.variables.afp.unit: 'mm' measures no alpha-fetoprotein",
        ),
        ('unit = "mo"', '>>>unit = "months"', "outcome.unit: 'months' is not a UCUM unit"),
        (
            '[outcome]\nname = "early_recurrence"\nkind = "time_to_event"',
            '>>>[outcome]\nname = "x"\nkind = "other"',
            "outcome: Input tag 'other'",
        ),
        ('[splits.paper]\nkind = "column"', '>>>[splits.paper]\nkind = "random"', "splits.paper: Input tag 'random'"),
        ('[splits.paper]\nkind = "column"', ">>>[splits.paper]", "splits.paper: Unable to extract tag"),
        ("horizon = 24", ">>>horizon = 0", "outcome.horizon: Input should be greater than 0"),
        ("horizon = 24", ">>>horizon = inf", "outcome.horizon: Input should be a finite number"),
        ('event = "recurrence"', ">>>event = 1", "outcome.event: Input should be a valid string"),
        (
            '{ variable = "afp", above',
            '>>>{ variable = "afpp", above',
            "models.cr.factors.3.variable: model 'cr' reads 'afpp'",
        ),
        ('equals = "male"', '>>>equals = "man"', "models.cr.factors.1.equals: model 'cr': 'man' is no level of 'sex'"),
        (
            '{ variable = "sex", equals = "male" }',
            '>>>{ variable = "sex" }',
            "models.cr.factors.1.variable: model 'cr': 'sex' is a category",
        ),
        (
            '{ variable = "alb", above = 40 }',
            '>>>{ variable = "alb", above = 40, equals = "x" }',
            "models.cr.factors.8: give 'above' or 'equals'",
        ),
        (
            "[models.cr]",
            '[models.cr]\n>>>phases = ["AP", "T9"]',
            "models.cr.phases: model 'cr' reads phase 'T9', which [phases] lacks",
        ),
        (
            "[models.cr]",
            '[models.cr]\n>>>split = "other"',
            "models.cr.split: model 'cr' uses split 'other', which [splits] lacks",
        ),
        (
            "[models.cr]",
            '>>>[models.cr]\nicc_bound = "lower"',
            "models.cr: 'icc_bound' says what 'minimum_icc' is compared with, and there is none",
        ),
        (
            "[models.radiomics_svm]",
            '[models.radiomics_svm]\n>>>harmonise = "scanner"',
            "models.radiomics_svm.harmonise: model 'radiomics_svm' harmonises by 'scanner', no variable of [clinical]",
        ),
        (
            "[models.cr]",
            "[models.dl_resnet10.network]\n>>>epochs = 0\n[models.cr]",
            "models.dl_resnet10.network.epochs: Input should be greater than 0",
        ),
        (
            "[models.cr]",
            "[models.dlrcr.network.augmentation]\n>>>zoom = 0.2\n[models.cr]",
            "models.dlrcr.network.augmentation.zoom",
        ),
        (
            "[models.radiomics_svm]",
            '[models.radiomics_svm]\n>>>correction = "bonferroni"',
            "models.radiomics_svm.correction: Input should be 'none' or 'benjamini-hochberg'",
        ),
        (
            'image = "images/{patient}',
            '>>>image = "images/{patiend}',
            "phases.AP.image: unknown field {patiend}; known are",
        ),
        ('image = "images/{patient}', '>>>image = "images/{}', "phases.AP.image: unknown field {}"),
        (
            'image = "images/{patient}',
            '>>>image = "images/{patient',
            "phases.AP.image: it has a brace that belongs to no field",
        ),
        ('mask = "masks/{patient}', '>>>mask = "masks/{patient.name}', "phases.AP.mask: unknown field {patient.name}"),
        ("[phases.AP]", '>>>[phases."A P"]', "phases.A P: 'A P' is not allowed: letters and digits"),
        (
            'id = "hcc-early-recurrence"',
            '>>>id = "hcc early"',
            "study.id: 'hcc early' is not allowed: letters and digits",
        ),
        (
            'feature_sets = ["hcc-cemri@1", "tumour-regions"]',
            '>>>feature_sets = ["hcc-cemri@first"]',
            "feature_sets.0: 'hcc-cemri@first' is not allowed",
        ),
        (
            'feature_set = "hcc-cemri@1"',
            '>>>feature_set = "HCC"',
            "models.radiomics_lr.feature_set: 'HCC' is not allowed",
        ),
        (
            "[models.cr]",
            ">>>[define.masks.radiomics]\n[models.cr]",
            "define.masks: 'masks' is the name of another view",
        ),
        ('table = "patients.csv"\n', "", "cohort.table: is missing"),
        (
            '[[readings]]\nreader = "1"\nreading = 2',
            '[[readings]]\nreader = "1"\n>>>reading = 0',
            "readings.1.reading: Input should be",
        ),
        ("window_days = [-30, 0]", ">>>window_days = [-30, 5]", "clinical.window_days: the window [-30, 5] ends after"),
        (
            "exam_window_days = [-14, 0]",
            ">>>exam_window_days = [0, -14]",
            "cohort.exam_window_days: the window [0, -14]",
        ),
        (
            'ast = { unit = "U/L" }',
            '>>>ast = { unit = "U/L", window_days = [1, 2] }',
            "clinical.variables.ast.window_days: the window [1, 2] ends after",
        ),
        ("horizon = 24", ">>>horizon = ", "not valid TOML: Invalid value"),
        ("[models.cr]", ">>>[splits.paper]\n[models.cr]", "not valid TOML: Cannot declare"),
    ],
)
def test_faults_and_their_lines(old, new, message):
    """A wrong unit, tag, reference, pattern, name or syntax is named with the line it stands on."""
    marked = new if ">>>" in new else new + ">>>"
    if new == "":  # what is missing is reported where its table stands
        found, line = fault_of(DEMO.replace(old, ""))
        expected = DEMO[: DEMO.index("[cohort]")].count("\n") + 1
    else:
        found, line, expected = demo_fault(old, marked)
    assert (found[: len(message)], line) == (message, expected)


def test_a_table_for_one_that_is_written_inline_is_told_how_to_be_written():
    """What radzoo prints to be appended fits a table under a header alone: the next step says so, not TOML's words."""
    text = DEMO + "\n[define]\nown = { radiomics = { standardize = true } }\n[[define.own.radiomics.landmarks]]\n"
    with pytest.raises(ContractError, match="immutable namespace") as refused:
        parsed_study(text, "study.toml")
    assert "under a header [...] of its own" in (refused.value.hint or "")


REFERENCE, EXAM = 'reference_date = "resection_date"', 'exam_date = "mri_date"\n'


@pytest.mark.parametrize(
    ("without", "key", "message"),
    [
        ([REFERENCE], "exam_window_days", "cohort.exam_window_days: exam_window_days compares exam_date"),
        ([EXAM], "exam_window_days", "cohort.exam_window_days: exam_window_days compares exam_date"),
        (['observed_at = "lab_date"'], "window_days = [-30", "clinical.window_days: window_days needs the dates"),
        (
            [REFERENCE, EXAM, "exam_window_days = [-14, 0]"],
            "window_days = [-30",
            "clinical.window_days: window_days needs reference_date or exam_date",
        ),
    ],
    ids=["no reference", "no exam date", "no dates of values", "neither date"],
)
def test_a_window_without_the_dates_it_compares_is_refused(without, key, message):
    """A window that nothing could be compared with would be silently without effect: it is named with its line."""
    text = DEMO
    for line in without:
        assert text.count(line) == 1
        text = text.replace(line, "")
    found, line = fault_of(text)
    assert found.startswith(message)
    assert key in text.splitlines()[line - 1]


def test_a_variables_own_window_comes_before_the_studys():
    """The study's window holds for every variable that has none of its own; without either, all time before counts."""
    own = DEMO.replace('ast = { unit = "U/L" }', 'ast = { unit = "U/L", window_days = [-7, -1] }')
    clinical = parsed_study(own, "study.toml").clinical
    assert (clinical.window("ast"), clinical.window("alt")) == ((-7, -1), (-30, 0))
    clinical = parsed_study(own.replace("window_days = [-30, 0]\n", ""), "study.toml").clinical
    assert (clinical.window("ast"), clinical.window("alt")) == ((-7, -1), (None, 0))


def test_a_text_that_ends_too_early():
    """A string that is never closed is reported at the end of the document."""
    message, line = fault_of('[study]\nid = "a"\ntitle = """x\ny')
    assert (message.startswith("not valid TOML: "), line) == (True, 4)


def faults_of(text: str) -> list[tuple[str, str]]:
    """Return where and what each of several faults of a study text is."""
    with pytest.raises(ContractError) as caught:
        parsed_study(text, "my.toml")
    assert str(caught.value).startswith(f"my.toml: {len(caught.value.faults)} faults")
    return [(str(fault.where), fault.message) for fault in caught.value.faults]


def test_all_faults_of_a_text_are_reported_with_their_lines():
    """Unknown keys, values that are not allowed and names that refer to nothing are listed by line, in one error."""
    text = DEMO.replace('title = "', 'zz = 1\ntitle = "', 1).replace("[cohort]", "[cohort]\nprefxi = 2", 1)
    text = text.replace('\nkind = "column"', '\nkind = "columns"', 1)
    lines = text.splitlines()
    zz, prefix = lines.index("zz = 1") + 1, lines.index("prefxi = 2") + 1
    found = faults_of(text)
    assert found[:2] == [
        (f"my.toml:{zz}", "study.zz: unknown key"),
        (f"my.toml:{prefix}", "cohort.prefxi: unknown key; nearest: prefix"),
    ]
    assert [where for where, _ in found[2:]] == [f"my.toml:{lines.index('[splits.paper]') + 1}"]


def test_references_to_nothing_are_all_reported_beside_unknown_keys():
    """Two models that read what is not there are two faults, and an unknown key beside them is a third."""
    text = DEMO.replace("[models.cr]", '[models.cr]\nzz = 1\nsplit = "nope"\nphases = ["XX"]', 1)
    assert [message for _, message in faults_of(text)] == [
        "models.cr.zz: unknown key",
        "models.cr.split: model 'cr' uses split 'nope', which [splits] lacks",
        "models.cr.phases: model 'cr' reads phase 'XX', which [phases] lacks",
    ]


def test_a_value_that_is_refused_makes_no_further_fault_of_what_refers_to_it():
    """A variable without a unit is one fault; the factors that read it are none."""
    text = DEMO.replace('alt = { unit = "U/L" }', "alt = { }", 1)
    message, _ = fault_of(text)
    assert message.startswith("clinical.variables.alt: ")


def test_a_missing_table_is_reported_at_the_top():
    """What stands nowhere is reported at line 1."""
    message = "phases: a study has images ([phases.NAME]), [imported.NAME] or clinical variables"
    assert fault_of("\n\n[study]\nid = 'a'\ntitle = 'b'\n[cohort]\ntable = 'p.csv'\n") == (message, 1)
    assert faults_of("") == [("my.toml:1", "study: is missing"), ("my.toml:1", "cohort: is missing")]


TABLE = """[study]
id = "a"
title = "b"
[cohort]
table = "p.csv"
[imported.quick]
table = "f.csv"
"""


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ('phase = "p"\nphases = { A = "A_" }', ("imported.quick: give 'phase', a column, or 'phases'", 6)),
        ('phases = { A = "A_", B = "A_" }', ("imported.quick: prefix 'A_' is also the start of another phase's", 6)),
        ('phases = { A = "A", B = "AB" }', ("imported.quick: prefix 'A' is also the start of another phase's", 6)),
        ('phases = { "A__B" = "A" }', ("imported.quick.phases.A__B: 'A__B' is not allowed", 8)),
        ("colums = {}", ("imported.quick.colums: unknown key", 8)),
        (
            '[models.radiomics_lr]\nphases = ["AP"]',
            ("models.radiomics_lr.phases: model 'radiomics_lr' reads phase 'AP'", 9),
        ),
        ("[define.quick]\nradiomics = {}", ("imported.quick: a feature set that radzoo computes has this name", 6)),
        ('[imported.hcc-cemri]\ntable = "x.csv"', ("imported.hcc-cemri: a feature set that radzoo computes", 8)),
        ('[imported.clinical]\ntable = "x.csv"', ("imported.clinical: 'clinical' is the name of another view", 8)),
    ],
)
def test_a_fault_of_an_imported_table_is_told_with_its_line(added, expected):
    """What an imported table says twice, wrongly or under a taken name is refused where it stands."""
    message, line = fault_of(f"{TABLE}{added}\n")
    assert (message[: len(expected[0])], line) == expected


def test_an_imported_set_is_not_computed():
    """A set that comes from a table is no entry of feature_sets."""
    message, line = fault_of(f'feature_sets = ["quick@2"]\n{TABLE}')
    assert (message, line) == ("feature_sets: 'quick' is imported, not computed: leave it out", 1)


def test_the_first_feature_set_is_a_computed_one_else_an_imported_one():
    """Models that name no feature set read the first computed one; without any, the first imported one."""
    study = parsed_study(TABLE, "study.toml")
    assert study.first_feature_set == "quick"
    assert study.imported_table(None) is study.imported["quick"]
    assert study.imported_table("quick@3") is study.imported["quick"]
    both = parsed_study('feature_sets = ["hcc-cemri@1"]\n' + TABLE, "study.toml")
    assert both.first_feature_set == "hcc-cemri@1"
    assert both.imported_table(None) is None


OUTCOME = EventOutcome(kind="time_to_event", name="er", event="e", time="t", unit="mo", horizon=24)


@pytest.mark.parametrize(
    ("event", "time", "label"),
    [
        (True, 0.0, 1),
        (True, 23.9, 1),
        (True, 24.0, 1),
        (True, 24.1, 0),
        (False, 24.1, 0),
        (False, 24.0, 0),
        (False, 23.9, None),
        (False, 0.0, None),
    ],
)
def test_label_at_the_horizon(event, time, label):
    """An event counts up to and at the horizon, later ones do not; who is censored before it has no label."""
    found, reason = OUTCOME.label(event=event, time=time)
    assert found == label
    assert (reason is None) == (label is not None)
    if reason is not None:
        assert reason == f"censored at {time:g} mo, before the horizon of 24 mo"


@given(event=st.booleans(), time=st.floats(0, 1e4), longer=st.floats(0, 1e4))
def test_label_never_returns_to_unknown_with_more_follow_up(event, time, longer):
    """A patient followed for longer without an event keeps label 0; the label of an event is always known."""
    label, _ = OUTCOME.label(event=event, time=time)
    assert label is not None or not event
    if not event and label == 0:
        assert OUTCOME.label(event=False, time=time + longer)[0] == 0


def test_stored_patient_has_the_prefix():
    """Two studies that use one pseudonym for two people are told apart by their prefix."""
    study = parsed_study(DEMO.replace("[cohort]", '[cohort]\nprefix = "a:"'), "s.toml")
    assert study.stored_patient("p1") == "a:p1"
    assert parsed_study(DEMO, "s.toml").stored_patient("p1") == "p1"


@pytest.mark.parametrize(
    ("rule", "label"),
    [
        (FactorRule(variable="afp", above=400), "afp>400"),
        (FactorRule(variable="sex", equals="male"), "sex=male"),
        (FactorRule(variable="age"), "age"),
        (FactorRule(variable="age", above=0.5, name="old"), "old"),
    ],
)
def test_label_of_a_factor(rule, label):
    """A factor is called by its name where it has one, else by its rule."""
    assert rule.label == label


def test_a_misspelt_key_is_named_before_the_one_it_leaves_out() -> None:
    """Of ``titel`` for ``title`` the line of ``titel`` is reported, as an unknown key."""
    text = DEMO.replace("title = ", "titel = ", 1)
    with pytest.raises(ContractError) as caught:
        parsed_study(text, "study.toml")
    line = next(number for number, each in enumerate(text.splitlines(), start=1) if each.startswith("titel"))
    assert caught.value.where == f"study.toml:{line}"
    assert "unknown key" in caught.value.message


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ('"youden-training"', "youden-training"),
        ("0.35", 0.35),
        ("{ sensitivity = 0.9 }", SensitivityThreshold(sensitivity=0.9)),
        ("{ missed_cost = 4 }", CostThreshold(missed_cost=4)),
    ],
)
def test_a_model_says_where_its_threshold_comes_from(written, rule):
    """Each way of saying it is read, and no other; nothing said is Youden's, and not on record, as before."""
    study = parsed_study(DEMO.replace("[models.bclc]\n", f"[models.bclc]\nthreshold = {written}\n"), "study.toml")
    assert study.settings_of("bclc").threshold == rule
    assert study.settings_of("radiomics_lr").threshold == "youden"
    assert "threshold" not in study.settings_of("radiomics_lr").model_dump()
    assert "threshold" in study.settings_of("bclc").model_dump()
    for wrong in (
        "1.5",
        "1",
        "true",
        '"0.5"',
        '"best"',
        "{ sensitivity = 90 }",
        "{ missed_cost = -1 }",
        "{ cost = 2 }",
    ):
        with pytest.raises(ContractError, match=r'models.bclc.threshold: a threshold is "youden", "youden-training"'):
            parsed_study(DEMO.replace("[models.bclc]\n", f"[models.bclc]\nthreshold = {wrong}\n"), "study.toml")
