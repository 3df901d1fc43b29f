"""The pseudonym of somebody who is known by the id: what a person needs who asks to be forgotten."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from flows.privacy.identities import Identities, UnknownIdError, opened_identities
from flows.privacy.recorded import recorded_fingerprint
from flows.privacy.secret_files import read_key, refuse_within
from schemas.errors import NotFoundError, UsageError
from schemas.fault_list import FaultList
from schemas.keys import Pseudonym
from schemas.privacy.keyed import key_fingerprint, keyed_pseudonym
from schemas.study.text import parsed_study
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["pseudonym_by_key", "pseudonym_by_study"]

_id: TypeAdapter[str] = TypeAdapter(Pseudonym)


def pseudonym_by_study(study_file: Path, text: str, store_root: Path, written: str) -> str:
    """Return what the store calls somebody whom a study's tables call ``written``.

    Parameters
    ----------
    study_file, text : Path, str
        The study file; without ``[privacy]`` the pseudonym is the id after the study's prefix.
    store_root : Path
        The store's folder.
    written : str
        The id.

    Raises
    ------
    NotFoundError
        When there is no key, or no pseudonym of this id.
    ContractError
        When the study file, its key or its map is at fault.
    """
    study, faults = parsed_study(text, str(study_file)), FaultList()
    identities = opened_identities(study, text, study_file, store_root, faults)
    faults.raise_any(str(study_file))
    if identities.is_new and identities.of_id is None:
        raise _without_key(str(identities.key_file))
    return _stored(identities, written)


def pseudonym_by_key(store: Store, key_file: Path, written: str) -> str:
    """Return what a store calls somebody by a key: the pseudonym of the studies that were ingested with it.

    Raises
    ------
    NotFoundError
        When there is no such key, or the store has no study by it.
    UsageError
        When its studies put different prefixes before pseudonyms: different people may have the id.
    """
    refuse_within(key_file, store.root, "key", "--key")
    key = read_key(key_file, "--key")
    if key is None:
        raise _without_key(str(key_file))
    definitions = [json.loads(row["definition"]) for row in Snapshot(store).rows("studies")]
    own = [
        each
        for each in definitions
        if recorded_fingerprint(each) == key_fingerprint(key) and each["privacy"]["pseudonyms"] == "hash"
    ]
    if not own:
        raise NotFoundError(
            "the store has no study whose pseudonyms this key made",
            where=str(key_file),
            hint="--study-file STUDY.toml names the patient's study and so its key or map",
        )
    prefixes = {each["cohort"]["prefix"] for each in own}
    if len(prefixes) > 1:
        raise UsageError(
            "studies by this key put different prefixes before pseudonyms, and different people may have the id",
            where=str(key_file),
            hint="--study-file STUDY.toml names the study that is meant",
        )
    return f"{prefixes.pop()}{keyed_pseudonym(key, _checked(written))}"


def _stored(identities: Identities, written: str) -> str:
    try:
        return identities.stored(_checked(written))
    except UnknownIdError as error:
        raise NotFoundError(str(error), hint="correct the id, or give the pseudonym") from error


def _checked(written: str) -> str:
    try:
        return _id.validate_python(written)
    except ValidationError as error:
        raise UsageError(
            "this is no id: ids are letters, digits and . _ : -",
            where="--id",
            hint="give it as the study's tables write it",
        ) from error


def _without_key(key_file: str) -> NotFoundError:
    return NotFoundError("there is no such key", where=key_file, hint="restore it, or give the pseudonym")
