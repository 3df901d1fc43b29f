"""Study files that hold what no key of one can have: a fault with its line, before anything is made of them."""

import pytest

from schemas.errors import ContractError
from schemas.nearest import nearest_names
from schemas.shown_text import shown_text
from schemas.study.text import study_reading

TEXT = '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "p.csv"\n[clinical.variables.age]\nunit = "a"\n'


def faults(text: str) -> list[tuple[str, str]]:
    """Return place and words of each fault of a text."""
    return [(str(each.where), each.message) for each in study_reading(text, "study.toml").faults]


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ("x = " + "[" * 100_000, 8, "50 brackets in a row"),
        ("x = " + "{a=" * 100, 8, "not valid TOML"),
        ("x = " + "[" * 30 + "]" * 30, 8, "nested more than 12 deep"),
        ("a." * 100_000 + "a = 1", 8, "a name of 50 parts"),
        ("[" + "a." * 100_000 + "a]", 8, "a name of 50 parts"),
        ("x = " + "9" * 5_000, None, "a number or a date is beyond what can be read"),
        ("x = 0x" + "f" * 5_000, 8, "age.x: "),
        ("x = '" + "y" * 30_000 + "'", 8, "age.x: "),
        ('"\\u001b[2J" = 1', 8, "age.\\x1b[2J: "),
        ('x = "\\u202e"', 8, "age.x: "),
        ("n" * 300 + " = 1", 8, "nnn"),
    ],
)
def test_what_no_study_has_is_named_with_its_line(more, line, words):
    """Depth, length, numbers beyond 64 bits and control characters are faults; none reaches the terminal."""
    found = faults(f"{TEXT}{more}\n")
    assert 0 < len(found) < 5
    where, message = found[0]
    assert where == ("study.toml" if line is None else f"study.toml:{line}")
    assert words in message
    assert len(message) < 6_000
    assert message.isprintable()


def test_keys_without_number_are_one_fault():
    """A hundred thousand keys are counted, and not looked at one by one."""
    assert faults(TEXT + "[x]\n" + "".join(f"k{number} = 1\n" for number in range(100_000))) == [
        ("study.toml:1", "it has more than 20,000 keys")
    ]


@pytest.mark.parametrize(
    "setting",
    [
        "[models.dl_resnet10.network]\nepochs = 1000000000000",
        "[models.dl_resnet10.network]\nbatch_size = 1000000000",
        "[define.x.radiomics]\nbin_count = 1000000000",
        "[define.x.radiomics]\npad_distance_voxels = 1000000",
        "[define.x.radiomics]\nresampled_spacing_mm = [1e-9, 1, 1]",
        "[splits.x]\nkind = 'stratified'\nseed = 4294967296",
        "[splits.x]\nkind = 'stratified'\nseed = -1",
        "[[readings]]\nreading = 1000000000000",
        "[models.cr]\nfactors = [{ variable = 'age', above = inf }]",
    ],
)
def test_settings_that_no_run_would_end_with_are_refused(setting):
    """Counts and sizes have bounds far above what anybody uses, and a number is finite."""
    ((where, message),) = faults(f"{TEXT}{setting}\n")
    assert where.startswith("study.toml:")
    assert "should be" in message or "finer than" in message


def test_an_error_has_a_bounded_message_without_control_characters():
    """Whoever words it, no error moves a cursor, turns a line or fills a screen."""
    error = ContractError("'" + "\x1b[2J\u202e" * 10_000 + "' is no number", where="a\nb\x07:1", hint="c\x1b")
    assert len(str(error)) < 40_000
    assert not {"\x1b", "\u202e", "\x07"} & set(str(error))
    assert error.where == "a\\nb\\x07:1"
    assert shown_text("é 住院号", 20) == "é 住院号"


def test_long_names_are_near_none():
    """A name of a megabyte is not compared letter by letter."""
    assert nearest_names("x" * 1_000_000, ["x" * 999_999, "y"]) == []


@pytest.mark.parametrize("unit", ["(" * 10_000, "m" + ".m" * 5_000, "(" * 39 + "a" + ")" * 39])
def test_a_unit_that_no_quantity_has_is_refused_or_read_at_once(unit):
    """The grammar of units is asked for short texts alone."""
    found = faults(TEXT.replace('unit = "a"', f'unit = "{unit}"'))
    assert all(where == "study.toml:7" for where, _ in found)
    assert bool(found) == (len(unit) > 80)
