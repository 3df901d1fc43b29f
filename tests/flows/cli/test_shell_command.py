"""The next command that the demonstration names is one that this shell runs."""

import os
import sys

import pytest

from flows.cli.demo import shell_command


@pytest.fixture(autouse=True)
def no_path(monkeypatch, tmp_path):
    """Let the shell find no program by its name."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_path_is_called_again_by_its_path(monkeypatch, tmp_path):
    """Called as .venv/bin/radzoo, it is named so, from the folder where the user stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv" / "bin" / "radzoo")])
    assert shell_command() == ".venv/bin/radzoo"


def test_a_module_is_called_again_as_a_module(monkeypatch, tmp_path):
    """Called as python -m radzoo, it is named so, and not by the file that Python runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "radzoo" / "__main__.py")])
    assert shell_command() == f"{os.path.relpath(sys.executable)} -m radzoo"


def test_a_program_on_the_path_is_called_by_its_name(monkeypatch, tmp_path):
    """Where the shell finds radzoo, its name is enough."""
    program = tmp_path / "radzoo"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", ["/elsewhere/radzoo"])
    assert shell_command() == "radzoo"
