"""``--help``: which verbs there are, in the order of the work, and of each one the whole docstring of its function."""

import inspect
import re
import shlex
import subprocess
import sys
from importlib import import_module
from itertools import pairwise

import pytest
from builders.command_line import printed, radzoo_run
from rich.console import Console

from flows.cli.help_pages import help_page
from flows.cli.main import app
from flows.cli.verbs import ALL_VERBS, COMPLETION_VERBS, GROUPS, PANELS, VERBS

EXPLAINED = ALL_VERBS | COMPLETION_VERBS


def docstring_of(name):
    """Return the docstring of a verb's function."""
    module, _, function = EXPLAINED[name].target.partition(":")
    return inspect.getdoc(getattr(import_module(module), function))


def words(text):
    """Return a help's text without the frames of its panels and the ends of its lines."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def parts_of(docstring):
    """Return the paragraphs, the parameters' descriptions and the examples of a docstring, each on one line."""
    body, _, rest = docstring.partition("\n\nParameters\n----------\n")
    parameters, _, examples = (rest or body).partition("\n\nExamples\n--------\n")
    body = body.partition("\n\nExamples\n")[0]
    described = re.split(r"^\w+\n", parameters, flags=re.M)[1:] if rest else []
    return [" ".join(each.split()) for each in (*body.split("\n\n"), *described, *examples.splitlines())]


def test_help_lists_every_verb_and_the_exit_codes():
    """``radzoo --help`` names each verb and what each exit code means."""
    done = radzoo_run("--help")
    assert done.returncode == 0
    for verb in (*VERBS, *GROUPS):
        assert re.search(rf"^│ {verb} ", done.stdout, re.M), verb
    text = " ".join(done.stdout.split())
    for meaning in (
        "0 done",
        "2 usage",
        "3 not found",
        "4 contract",
        "5 finished with failures",
        "6 store busy",
        "130",
    ):
        assert meaning in text
    assert done.stderr == ""


def test_verbs_stand_in_the_order_of_the_work(capsys):
    """First the work on a study, then asking, then the store; each verb in one panel, each panel's in their order."""
    _, out, _ = printed(capsys, "--help")
    listed = re.findall(r"^│ ([a-z]+) ", out, re.M)
    assert listed == [name for panel in PANELS.values() for name in panel]
    assert sorted(listed) == sorted({*VERBS, *GROUPS})
    work = ["init", "ingest", "refresh", "train", "bench", "report", "predict", "serve"]
    assert [name for name in listed if name in work] == work
    assert listed.index("serve") < listed.index("sql") < listed.index("features") < listed.index("store")
    titles = re.findall(r"^╭─ (.+?) ─", out, re.M)
    assert titles[: len(PANELS)] == list(PANELS)


@pytest.mark.parametrize("group", GROUPS)
def test_verbs_of_a_group_stand_in_their_order(group, capsys):
    """The list of a group's verbs has their order, and the list of all verbs names them behind the group."""
    code, out, _ = printed(capsys, group)
    assert code == 0
    assert re.findall(r"^│ ([a-z]+) ", out, re.M) == list(GROUPS[group])
    _, everything, _ = printed(capsys, "--help")
    assert f": {', '.join(GROUPS[group])}." in words(everything)


def test_a_bare_command_gives_help():
    """No verb at all, and the group ``store`` alone, list what there is."""
    assert "refresh" in radzoo_run().stdout
    done = radzoo_run("store")
    assert "publish" in done.stdout
    assert done.returncode == 0


def test_listing_verbs_loads_none():
    """The list of all verbs and of a group's are given without a verb's module."""
    code = (
        "import sys; from flows.cli.main import exit_code; from flows.cli.verbs import ALL_VERBS, COMPLETION_VERBS\n"
        "for arguments in (['--help'], [], ['store'], ['store', '--help']): exit_code(arguments)\n"
        "own = {verb.target.partition(':')[0] for verb in (*ALL_VERBS.values(), *COMPLETION_VERBS.values())}\n"
        "print(sorted(own & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", EXPLAINED)
def test_a_summary_is_its_docstrings_first_line(name):
    """What the list of verbs says of one is how the docstring of its function begins."""
    assert docstring_of(name).splitlines()[0] == EXPLAINED[name].summary
    assert EXPLAINED[name].summary.endswith(".")


@pytest.mark.parametrize("name", EXPLAINED)
def test_a_verbs_help_is_its_whole_docstring(name, capsys, monkeypatch):
    """Nothing of the docstring is lost: each paragraph, each parameter's description, each example."""
    monkeypatch.setattr(app, "console", Console(width=1000))
    code, out, _ = printed(capsys, *name.split(), "--help")
    assert code == 0
    assert out.startswith(f"Usage: radzoo {name} ")
    shown = words(out)
    parts = parts_of(docstring_of(name))
    assert parts
    assert [part for part in parts if part not in shown] == []
    described = re.findall(r"^│\s*(--[a-z-]+)[^│]*?  +(\S[^│]*)│", out, re.M)
    assert {option for option, _ in described} >= {"--store", "--json"}


@pytest.mark.parametrize("name", ALL_VERBS)
def test_an_example_is_a_command_of_its_verb_that_parses(name):
    """Every line of a docstring's examples calls the verb with arguments that it takes."""
    examples = help_page(docstring_of(name)).examples.splitlines()[1:]
    assert examples
    for line in examples:
        tokens = shlex.split(line.split("&&")[0])
        assert tokens[0] == "radzoo"
        assert re.search(rf"\b{name}\b", line)
        command, _, _ = app.meta.parse_args(tokens[1:], print_error=False, exit_on_error=False)
        assert command.__name__ == "_launch"
        left = tokens[3:] if tokens[1] == "--store" else tokens[1:]
        command, _, _ = app.parse_args(left, print_error=False, exit_on_error=False)
        assert command.__name__ == name.split()[-1]


def test_what_cannot_be_undone_is_said(capsys):
    """An erasure is final, and says so in the list of verbs and in its own help; so is looking at held-out patients."""
    assert "cannot be undone" in words(printed(capsys, "store")[1])
    assert "cannot be undone" in words(printed(capsys, "store", "erase", "--help")[1])
    assert "cannot be undone" in words(printed(capsys, "bench", "--help")[1])


def test_the_suites_of_bench_are_explained(capsys):
    """The help of bench says of each suite what it judges by."""
    shown = words(printed(capsys, "bench", "--help")[1])
    suites = re.search(r"\[choices: ([^]]+)\]", shown).group(1).split(", ")
    assert len(suites) == 3
    for suite in suites:
        assert re.search(rf"The {suite} suite judges ", shown), suite


@pytest.mark.parametrize(
    "arguments",
    [
        ("store", "erase", "--help"),
        ("store", "erase", "-h"),
        ("--help", "store", "erase"),
        ("store", "--help", "erase"),
        ("--store", "there", "store", "erase", "P1", "--help"),
        ("store", "--store", "there", "erase", "-h"),
        ("--json", "store", "--json", "erase", "P1", "--yes", "--help"),
    ],
)
def test_help_is_the_verbs_wherever_the_flag_stands(arguments, capsys):
    """``--help`` behind, between or before the words gives the verb's own help, and runs nothing."""
    code, out, err = printed(capsys, *arguments)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: radzoo store erase ")


def test_help_of_a_verb_that_does_not_exist_is_refused(capsys):
    """A mistyped verb is answered with the nearest one, not with the help of something else."""
    code, out, err = printed(capsys, "store", "erse", "--help")
    assert (code, out) == (2, "")
    assert 'Did you mean "erase"?' in err


def test_a_paragraph_is_wrapped_by_the_terminal(capsys, monkeypatch):
    """Lines of a description end where the terminal's do, not where the docstring's did."""
    monkeypatch.setattr(app, "console", Console(width=60))
    _, out, _ = printed(capsys, "bench", "--help")
    body = out.partition("\n\n")[2].partition("╭")[0]
    assert max(map(len, out.splitlines())) <= 60
    paragraphs = [each.splitlines() for each in body.strip().split("\n\n")]
    for lines in paragraphs:
        assert all(len(first.rstrip()) + 1 + len(then.split()[0]) > 60 for first, then in pairwise(lines))


def test_a_list_in_a_docstring_keeps_its_lines():
    """Paragraphs flow; the items of a list stay lines of their own; other sections keep their titles."""
    page = help_page("""Do it.

    One sentence that
    goes on:
    - this
    - that

    Parameters
    ----------
    name
        What it is.

    Notes
    -----
    Mind
    this.

    Examples
    --------
    radzoo do it
    radzoo do it twice
    """)
    assert page.description == "Do it.\n\nOne sentence that goes on:\n- this\n- that\n\nNotes\n\nMind this."
    assert page.examples == "Examples\n  radzoo do it\n  radzoo do it twice"


@pytest.mark.parametrize("arguments", ["", "--help", "store", "store erase --help"])
def test_a_reader_of_help_who_has_had_enough_is_no_fault(arguments):
    """Help whose reader closes the pipe leaves with 0 and says nothing."""
    command = f"set -o pipefail; {sys.executable} -m radzoo {arguments} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
