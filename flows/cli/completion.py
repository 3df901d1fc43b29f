"""``--install-completion`` and ``--show-completion``: a shell completes verbs and options and starts no process.

Cyclopts writes the shell's script, with all verbs, options and choices in it, and three places are corrected. So no
verb is loaded when a name is completed; all are loaded once, for the script, which is written again after an update.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from cyclopts.completion import ShellDetectionError, detect_shell

from flows.cli.outcome import CommandResult
from flows.cli.verbs import GROUPS
from schemas.errors import UsageError

__all__ = ["Shell", "completion_file", "completion_script", "install_completion", "show_completion"]

Shell = Literal["bash", "zsh", "fish"]


def install_completion(shell: Shell | None = None, /) -> CommandResult:
    """Have bash, zsh or fish complete verbs and options.

    Writes a script where the shell looks for it, and for bash and zsh a line into .bashrc or .zshrc that loads it. A
    new shell completes by it: radzoo, then the Tab key. Completing starts no process and reads no store. Run it
    again after an update. To take it back, delete the script and the line; both are named.

    Parameters
    ----------
    shell
        The shell; the one in use where not given.

    Examples
    --------
    radzoo --install-completion
    radzoo --install-completion zsh
    """
    chosen = shell or _this_shell("--install-completion")
    script = completion_script(chosen)
    file = completion_file(chosen, os.environ)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(script, encoding="utf-8")
    startup = _loaded_at_start(chosen, file, os.environ)
    lines = [f"wrote {file}", *([] if startup is None else [f"loaded by {startup}"])]
    data = {"shell": chosen, "script": str(file), "startup_file": None if startup is None else str(startup)}
    return CommandResult("\n".join([*lines, f"next: start a new {chosen}"]), data)


def show_completion(shell: Shell | None = None, /) -> CommandResult:
    """Print the script that a shell completes by, to install it yourself.

    Nothing is written. The script goes to stdout.

    Parameters
    ----------
    shell
        The shell; the one in use where not given.

    Examples
    --------
    radzoo --show-completion bash > radzoo.bash && source radzoo.bash
    radzoo --show-completion fish > ~/.config/fish/completions/radzoo.fish
    """
    chosen = shell or _this_shell("--show-completion")
    script = completion_script(chosen)
    return CommandResult(script.rstrip("\n"), {"shell": chosen, "script": script})


def completion_script(shell: Shell) -> str:
    """Return the script that a shell completes radzoo's verbs, options and choices by."""
    # Imported here: that module names this one.
    from flows.cli.main import app

    script: str = app.generate_completion(shell=shell)
    return _CORRECTED[shell](script)


def _bash_script(script: str) -> str:
    """Return Cyclopts' script, in which the argument of a verb may be called as another verb is: init demo."""
    is_second_word = f'${{#cmd_path[@]}} -eq 0 || " {" ".join(GROUPS)} " =~ " ${{cmd_path[*]}} "'
    test = '[[ " $all_commands " =~ " $word "'
    return script.replace(f"{test} ]]", f"{test} && ( {is_second_word} ) ]]")


def _zsh_script(script: str) -> str:
    """Return Cyclopts' script, in which a verb that takes any number of words completes its options too."""
    return re.sub(r"^( +'\*:(?:[^'\n]|'\\'')*)' \\$", r"\1:_default' \\", script, flags=re.MULTILINE)


def _fish_script(script: str) -> str:
    """Return Cyclopts' script, which knows verbs behind --store too, an argument from a verb, and no file as a verb."""
    path = "__fish_radzoo_using_command"
    groups = " ".join(GROUPS)
    test = 'if string match -q -- "* $word *" " $all_commands "'
    is_second_word = f'test (count $subcommands) -eq 0; or string match -q -- "* $subcommands *" " {groups} "'
    script = script.replace(f"{test}\n", f"{test}; and begin; {is_second_word}; end\n")
    script = script.replace("-n __fish_use_subcommand ", f"-n {path} ")
    # Of choices that are marks, fish reads a quotation mark as the beginning of a text: it offers the others.
    script = re.sub(r"( -a '[^'\n]*)'\\''' ", r"\1' ", script)
    no_files = [f"complete -c radzoo -f -n '{path} {words}'" for words in ("", *GROUPS)]
    return script + "\n".join(["# A verb is no file", *no_files, ""])


_CORRECTED: dict[Shell, Callable[[str], str]] = {"bash": _bash_script, "zsh": _zsh_script, "fish": _fish_script}


def completion_file(shell: Shell, environment: Mapping[str, str]) -> Path:
    """Return where a shell looks for the script of one account, as its own variables say."""
    home = Path.home()
    if shell == "fish":
        return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / "radzoo.fish"
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    if shell == "zsh":
        # Zsh finds the function by its file's name, and Cyclopts calls it so.
        return data / "zsh" / "site-functions" / "_cyclopts_radzoo"
    own = environment.get("BASH_COMPLETION_USER_DIR")
    return (Path(own) if own else data / "bash-completion") / "completions" / "radzoo"


def _loaded_at_start(shell: Shell, file: Path, environment: Mapping[str, str]) -> Path | None:
    """Have a shell's start-up file load the script, once; return that file, None for fish, which needs none."""
    if shell == "fish":
        return None
    home = Path.home()
    startup = home / ".bashrc" if shell == "bash" else Path(environment.get("ZDOTDIR") or home) / ".zshrc"
    before = startup.read_bytes() if startup.exists() else b""
    place = shlex.quote(str(file if shell == "bash" else file.parent))
    line = f"[ -f {place} ] && . {place}" if shell == "bash" else f"fpath=({place} $fpath)"
    if line.encode() in before:
        return startup
    if shell == "bash":
        with startup.open("ab") as end:
            end.write((b"" if before[-1:] in (b"", b"\n") else b"\n") + f"# radzoo's completion\n{line}\n".encode())
        return startup
    # The folder must be named before completion is set up; where nothing does that, this does.
    is_set_up = any(name in before for name in (b"compinit", b"oh-my-zsh", b"prezto"))
    lines = [line] if is_set_up else [line, "autoload -Uz compinit && compinit"]
    startup.write_bytes("".join(f"{each}\n" for each in ("# radzoo's completion", *lines)).encode() + before)
    return startup


def _this_shell(flag: str) -> Shell:
    try:
        found = detect_shell()
    except ShellDetectionError:
        raise UsageError("which shell?", hint=f"radzoo {flag} bash, zsh or fish") from None
    if found == "powershell":
        raise UsageError("bash, zsh and fish can complete radzoo", hint=f"radzoo {flag} bash, zsh or fish")
    return found
