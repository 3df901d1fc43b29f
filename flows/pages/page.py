"""One HTML file that needs nothing beside it, made from templates and swapped in whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from flows.pages import words
from schemas.foreign_text import printable, without_folders

__all__ = ["page_text", "write_page"]

_FILTERS: dict[str, Callable[..., str]] = {
    "compact": words.compact,
    "decimals": words.decimals,
    "duration": words.duration,
    "facts": words.facts,
    "moment": words.moment,
    "p": words.p_value,
    "plural": words.plural,
    "unit": words.readable_unit,
    "variable": words.readable_variable,
    "words": words.readable_name,
}


def page_text(package: str, contents: Mapping[str, Any]) -> str:
    """Return the text of a page.

    Parameters
    ----------
    package : str
        The package below ``flows`` whose ``templates/page.html.jinja`` the page is; its templates may use those
        of ``flows/pages/templates`` by their names.
    contents : mapping
        What the templates show; a name that they use and that is missing is an error.
    """
    return _environment(package).get_template("page.html.jinja").render(contents)


def write_page(file: Path, text: str) -> Path:
    """Write a page and return its file; a browser that reloads meanwhile finds the old page, not half of the new.

    A device or a pipe is written to as it is.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not file.is_file():
        file.write_text(text, encoding="utf-8")
        return file
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return file


def _shown(value: Any) -> Any:
    """Return a value as a page may have it: nothing that turns text round, and of absolute paths the names."""
    # What is a part of a page already was made of such texts.
    return without_folders(printable(value)) if type(value) is str else value


@cache  # with the templates that were compiled: a quarter of a second a page
def _environment(package: str) -> Environment:
    def source(name: str) -> str:
        own = files("flows").joinpath(package, "templates", name)
        shared = files("flows").joinpath("pages", "templates", name)
        return (own if own.is_file() else shared).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment
