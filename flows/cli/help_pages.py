"""What ``--help`` prints of a verb: its function's docstring, all of it, with lines as long as the terminal."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, NamedTuple

from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel, InlineText
from rich.text import Text

if TYPE_CHECKING:
    from cyclopts import App
    from rich.console import Console, ConsoleOptions

__all__ = ["HelpPage", "help_page", "print_verb_help"]

_HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
_NO_VALUE = ("False", "()", "[]")


class HelpPage(NamedTuple):
    """A verb's docstring without its parameters, which stand in a panel of their own."""

    description: str
    examples: str
    """Its section "Examples": commands, one a line. They stand last, above the next prompt."""


def help_page(docstring: str) -> HelpPage:
    """Return a numpydoc docstring as a page: a paragraph is one line, which the terminal wraps.

    A line of a paragraph that is indented, or begins as the item of a list does, stays a line of its own.
    """
    body, *titled = _HEADING.split(inspect.cleandoc(docstring))
    sections = {title: text.strip("\n") for title, text in zip(titled[::2], titled[1::2], strict=True)}
    sections.pop("Parameters", None)
    examples = sections.pop("Examples", "")
    parts = [_flowing(body), *(f"{title}\n\n{_flowing(text)}" for title, text in sections.items())]
    shown = "\n".join(f"  {line}" for line in examples.splitlines())
    return HelpPage("\n\n".join(parts).strip(), f"Examples\n{shown}" if shown else "")


def print_verb_help(app: App, verb: str) -> None:
    """Print the help of a verb, which is loaded for it.

    Parameters
    ----------
    app : App
        The command line.
    verb : str
        Its words, such as ``store erase``.
    """
    command = app
    for word in verb.split():
        command = command[word]
    page = help_page(inspect.getdoc(command.default_command) or "")
    # For the list of verbs these were the summary alone, which is known without loading the verb.
    command.help, command.help_epilogue = page.description, page.examples
    command.help_formatter = _FlowingFormatter()
    app.help_print(verb.split())


class _FlowingFormatter(DefaultFormatter):
    """Parameters whose descriptions are wrapped by the terminal, not where the docstring's lines end."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        super().__call__(console, options, panel.copy(entries=[_entry(each) for each in panel.entries]))


def _entry(entry: HelpEntry) -> HelpEntry:
    """Return an option's line; that a flag is off and a list is empty need not be said of each."""
    text = entry.description.primary_renderable if isinstance(entry.description, InlineText) else None
    described = InlineText(Text(_flowing(text.plain))) if isinstance(text, Text) else entry.description
    return entry.copy(description=described, default=None if entry.default in _NO_VALUE else entry.default)


def _flowing(text: str) -> str:
    """Return a text with each paragraph on one line."""
    return re.sub(r"(?<=\S)\n(?=[^\s-])", " ", text.strip())
