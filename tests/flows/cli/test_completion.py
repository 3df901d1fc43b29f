"""``--install-completion`` and ``--show-completion``: what real shells complete by the script, and what is written."""

import json
import os
import pty
import select
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from flows.cli.completion import completion_script
from flows.cli.main import exit_code
from flows.cli.verbs import COMPLETION_VERBS, GROUPS, VERBS

SHELLS = ("bash", "zsh", "fish")
LINES = {
    "a verb": ("radzoo refr", "refresh"),
    "a group": ("radzoo sto", "store"),
    "a verb of a group": ("radzoo store ver", "verify"),
    "a verb behind options": ("radzoo --json --store there ben", "bench"),
    "a verb of a group behind options": ("radzoo --store there models expl", "explain"),
    "an option": ("radzoo bench --sui", "--suite"),
    "an option behind arguments": ("radzoo train cr radiomics_lr --stu", "--study"),
    "an option of a verb with any number of words": ("radzoo features search entropy --al", "--all"),
    "an option of every verb": ("radzoo store log --js", "--json"),
    "an option of radzoo": ("radzoo --install", "--install-completion"),
    "a choice": ("radzoo sql question --format parq", "parquet"),
    "an argument called as a verb": ("radzoo init demo --he", "--help"),
    "arguments called as a verb and a group": ("radzoo models export zoo store --stu", "--study"),
    "a value called as a verb": ("radzoo --store report store er", "erase"),
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Return a file with the script of each shell, by the shell."""
    folder = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        (folder / shell).write_text(completion_script(shell), encoding="utf-8")
    return {shell: folder / shell for shell in SHELLS}


def bash_candidates(script, line):
    """Return what bash's programmable completion offers for the last word of a line; no program can be started."""
    words = line.split(" ")
    code = (
        f". {script}; PATH=/nowhere; COMP_WORDS=({shlex.join(words)}); "
        f"COMP_CWORD={len(words) - 1}; $(complete -p radzoo | {{ read -r _ _ name _; echo $name; }}); "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "--norc", "--noprofile", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def fish_candidates(script, line):
    """Return what fish offers for the last word of a line."""
    code = f"source {script}; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [each.partition("\t")[0] for each in done.stdout.splitlines()]


def typed(command, home, text, setup=()):
    """Type a text and Tab into an interactive shell in a terminal, and return the line that stands there then."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    terminal, end = pty.openpty()
    with subprocess.Popen(
        command, stdin=end, stdout=end, stderr=end, cwd=home, env=environment, start_new_session=True
    ) as process:
        os.close(end)
        try:
            for line in (*setup, "echo REA''DY"):
                os.write(terminal, f"{line}\n".encode())
            read_until(terminal, b"READY")
            # Behind Tab: to the start of the line, and to its end, so that the whole of it is echoed.
            os.write(terminal, f"{text}\t\x01echo 'LINE \x05 EN''D'\n".encode())
            shown = read_until(terminal, b" END\r\n")
        finally:
            process.kill()
            os.close(terminal)
    return shown.rpartition(b"LINE ")[2].removesuffix(b" END\r\n").decode().rstrip()


def read_until(terminal, mark):
    """Return what a terminal shows up to a mark."""
    shown = b""
    while mark not in shown:
        assert select.select([terminal], [], [], 60)[0], shown
        shown += os.read(terminal, 65536)
    return shown[: shown.index(mark) + len(mark)]


def needs(shell):
    """Skip a test on a machine that lacks the shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"this machine has no {shell}")


@pytest.mark.parametrize(("line", "completed"), LINES.values(), ids=LINES.keys())
def test_bash_completes(line, completed, scripts):
    """In bash the beginning of a verb, an option or a choice has one completion, and nothing is started for it."""
    assert bash_candidates(scripts["bash"], line) == [completed]


@pytest.mark.parametrize(("line", "completed"), LINES.values(), ids=LINES.keys())
def test_fish_completes(line, completed, scripts):
    """In fish the same."""
    needs("fish")
    assert fish_candidates(scripts["fish"], line) == [completed]


@pytest.mark.parametrize(("line", "completed"), LINES.values(), ids=LINES.keys())
def test_zsh_completes(line, completed, scripts, tmp_path):
    """In zsh the same, typed into a terminal."""
    needs("zsh")
    shutil.copy(scripts["zsh"], tmp_path / "_cyclopts_radzoo")
    setup = (f"fpath=({tmp_path} $fpath); autoload -Uz compinit && compinit -u; PS1='> '",)
    done = typed(["zsh", "-f", "-i"], tmp_path, line, setup)
    assert done == " ".join([*line.split(" ")[:-1], completed])


def test_all_names_are_offered(scripts):
    """Nothing typed gives every verb; a group gives its own; and no more."""
    offers = [(bash_candidates, scripts["bash"])]
    offers += [(fish_candidates, scripts["fish"])] if shutil.which("fish") is not None else []
    for candidates, script in offers:
        assert sorted(candidates(script, "radzoo ")) == sorted([*VERBS, *GROUPS])
        for group, verbs in GROUPS.items():
            assert sorted(candidates(script, f"radzoo {group} ")) == sorted(verbs)


def test_a_folder_is_completed_by_folders(scripts, tmp_path, monkeypatch):
    """What names a file or a folder, the store among it, is completed by those that are there."""
    (tmp_path / "my-study").mkdir()
    monkeypatch.chdir(tmp_path)
    for line in ("radzoo ingest my", "radzoo --store my", "radzoo sql question --out my"):
        assert bash_candidates(scripts["bash"], line) == ["my-study"]


@pytest.mark.parametrize("shell", SHELLS)
def test_an_installed_completion_works_in_a_new_shell(shell, tmp_path, monkeypatch, capsys):
    """After the command a new shell completes; the files are named; a second call changes nothing."""
    needs(shell)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "BASH_COMPLETION_USER_DIR", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    own = b"# mine, in Latin-1: \xe4"
    startup = tmp_path / f".{shell}rc"
    if shell != "fish":
        startup.write_bytes(own)
    assert exit_code(["--json", "--install-completion", shell]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["startup_file"] == (None if shell == "fish" else str(startup))
    files = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    assert set(files) == {Path(data["script"]), *([] if shell == "fish" else [startup])}
    if shell == "fish":
        assert fish_candidates(data["script"], "radzoo store ver") == ["verify"]
    else:
        assert own in files[startup]
        setup = ("PS1='> '",)
        assert typed([shell, "-i"], tmp_path, "radzoo store ver", setup) == "radzoo store verify"
    assert exit_code(["--install-completion", shell]) == 0
    assert {each: each.read_bytes() for each in files} == files


def test_each_shells_own_folders_are_used(tmp_path, monkeypatch, capsys):
    """Variables that move a shell's files move these too."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ZDOTDIR", str(tmp_path / "z"))
    monkeypatch.delenv("BASH_COMPLETION_USER_DIR", raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "z").mkdir()
    for shell in SHELLS:
        assert exit_code(["--install-completion", shell]) == 0
    capsys.readouterr()
    assert (tmp_path / "data/bash-completion/completions/radzoo").is_file()
    assert (tmp_path / "data/zsh/site-functions/_cyclopts_radzoo").is_file()
    assert (tmp_path / "config/fish/completions/radzoo.fish").is_file()
    assert "site-functions" in (tmp_path / "z/.zshrc").read_text()


def test_the_shell_need_not_be_named(scripts, monkeypatch, capsys):
    """Without a name the script is that of the shell that radzoo was started from; one of another shell is refused."""
    monkeypatch.delenv("ZSH_VERSION", raising=False)
    monkeypatch.delenv("BASH_VERSION", raising=False)
    monkeypatch.setenv("FISH_VERSION", "3.6")
    assert exit_code(["--show-completion"]) == 0
    assert capsys.readouterr().out == scripts["fish"].read_text()
    assert exit_code(["--show-completion", "tcsh"]) == 2
    assert '"bash", "zsh", "fish"' in capsys.readouterr().err


def test_completion_flags_are_named_in_their_faults(capsys):
    """A fault of theirs leads to their own help."""
    assert exit_code(["--install-completion", "bash", "zsh"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "next: radzoo --install-completion --help"
    assert set(COMPLETION_VERBS) == {"--install-completion", "--show-completion"}
