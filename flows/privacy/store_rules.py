"""What a study with ``[privacy]`` may not be in a store: mixed with ids, or with dates under another rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from flows.privacy.identities import Identities
from flows.privacy.recorded import recorded_fingerprint
from schemas.errors import ContractError
from schemas.study.file import Study
from schemas.study.toml_lines import line_of
from store.history.snapshot import Snapshot

__all__ = ["refuse_mixture"]


def refuse_mixture(
    recorded: Study,
    text: str,
    study_file: Path,
    identities: Identities,
    before: Snapshot,
    patients: Iterable[str],
    *,
    allow_removals: bool,
) -> None:
    """Refuse a study whose pseudonyms or dates do not go together with what the store has.

    Parameters
    ----------
    recorded, text, study_file : Study, str, Path
        The study as it goes on record, its file's text and where that lies.
    identities : Identities
        Who its patients are in the store.
    before : Snapshot
        The store before this ingest.
    patients : iterable of str
        Their pseudonyms.
    allow_removals : bool
        Another key may take the place of the former one, and all patients with it.

    Raises
    ------
    ContractError
        When the store has the study with ids; its patients under another key; or one of them with dates under
        another rule.
    """

    def fault(message: str, hint: str, *path: str) -> ContractError:
        return ContractError(message, where=f"{study_file}:{line_of(text, path)}", hint=f"{hint}; nothing was written")

    definitions = {row["study"]: json.loads(row["definition"]) for row in before.rows("studies")}
    stored = definitions.get(recorded.id)
    if recorded.privacy is not None and stored is not None and not stored.get("privacy"):
        raise fault(
            f"the store has study '{recorded.id}' without [privacy]: its ids stay in former commits",
            "ingest it into a new store (--store PATH), and remove the old one with its backups",
            "privacy",
        )
    was = None if stored is None else recorded_fingerprint(stored)
    if identities.key_file is not None and was not in (None, identities.fingerprint) and not allow_removals:
        what = f"there is no key '{identities.key_file}'" if identities.is_new else "the key is another one"
        raise fault(
            f"{what}, and the store has the patients of study '{recorded.id}' under that of before: all would get "
            "other pseudonyms",
            "restore the key; where another one is meant, radzoo ingest STUDY.toml --allow-removals",
            "privacy",
            "key",
        )
    own, rule = frozenset(patients), _dates(recorded.model_dump(mode="json"))
    for row in before.rows("study_patients"):
        other = row["study"]
        if other != recorded.id and row["patient"] in own and (theirs := _dates(definitions[other])) != rule:
            raise fault(
                f"the dates of patient '{row['patient']}' would be {rule} here and are {theirs} in study '{other}': "
                "their difference tells by how many days",
                'give both the same dates = "..." under [privacy], or use a store for each',
                *(("privacy", "dates") if recorded.privacy is not None else ("study", "id")),
            )


def _dates(definition: Mapping[str, Any]) -> str:
    privacy = definition.get("privacy")
    is_moved = privacy is not None and privacy.get("dates", "shift") == "shift"
    return f"moved by the key {recorded_fingerprint(definition)}" if is_moved else "as they are"
