"""The verb ``expect``."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, table_text
from schemas.errors import NotFoundError
from schemas.nearest import nearest_words
from store.history.studies import stored_study
from store.history.tags import snapshot_as_of
from store.home import Store

__all__ = ["expect"]

_NOT_ALL_HOLD = 5
_COLUMNS = ("expectation", "policy", "status", "broken_rows", "detail", "description")


def expect(
    name: str | None = None,
    *,
    study: str | None = None,
    as_of: str | None = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    context: Annotated[Context, Parameter(parse=False)],
) -> CommandResult:
    """Say which expectations of a study hold, as its last ingest or refresh found them.

    What is expected stands in the study file ([expectations.NAME], docs/expectations.md). Ingest looks at every
    expectation before its commit lands, refresh at those that read features. The store stays as it is.

    Parameters
    ----------
    name
        Only this one, with the SQL that gives the rows that break it.
    study
        The study's id; may be left out where the store has one study.
    as_of
        What was found as of this commit, its number or a tag.
    check
        Leave with exit code 5 where one is broken or was not checked.

    Examples
    --------
    radzoo expect --study my-study --check
    radzoo expect afp-plausible
    """
    # Imported here: help needs no DuckDB.
    from flows.pages.questions import Questions
    from store.analyst.query import snapshot_connection

    snapshot = snapshot_as_of(Store(context.store), as_of)
    stored = stored_study(snapshot, study)
    with snapshot_connection(snapshot, {"expectations"}) as connection:
        every = Questions(connection, "expect", study=stored.id).ask("expectations").rows
    rows = [row for row in every if name in (None, row["expectation"])]
    if name is not None and not rows:
        known = [row["expectation"] for row in every]
        raise NotFoundError(
            f"study '{stored.id}' has no expectation '{name}'{nearest_words(name, known)}",
            where=f"[expectations] of study '{stored.id}'",
            hint=f"radzoo expect --study {stored.id} lists them",
        )
    code = _NOT_ALL_HOLD if check and any(row["status"] != "held" for row in rows) else 0
    return CommandResult(_text(stored.id, rows, in_full=name is not None), rows, code)


def _text(study: str, rows: list[dict[str, Any]], *, in_full: bool) -> str:
    if not rows:
        return f"study '{study}' has no expectation; docs/expectations.md says how to write one"
    lines = [table_text(rows, _COLUMNS)]
    if in_full:
        return "\n".join([*lines, "", table_text(rows, ["question"], with_breaks=True)])
    broken = [row["expectation"] for row in rows if row["status"] == "broken"]
    held = sum(row["status"] == "held" for row in rows)
    lines += ["", f"{held} of {len(rows)} hold"]
    if broken:
        lines.append(f"next: radzoo expect {broken[0]} --study {study} has the SQL of the rows that break it")
    return "\n".join(lines)
