"""The keys that a table of the study file may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from schemas.study.file import Study

__all__ = ["keys_at"]


def keys_at(location: Sequence[int | str]) -> list[str]:
    """Return the keys that the table at a location may have.

    Parameters
    ----------
    location : sequence of str or int
        Keys and positions from the root, as pydantic gives them in ``loc``; a union's tag may be among them.
    """
    models: list[type[BaseModel]] = [Study]
    skips_name = False
    for part in location:
        fields = [model.model_fields[part] for model in models if isinstance(part, str) and part in model.model_fields]
        if skips_name or not fields:  # the name of an entry, a position, or a union's tag
            skips_name = False
            continue
        annotations = [field.annotation for field in fields]
        models = [model for annotation in annotations for model in _models_in(annotation)]
        skips_name = any(_is_container(annotation) for annotation in annotations)
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models_in(each)]


def _is_container(annotation: Any) -> bool:
    return get_origin(annotation) in (dict, list, tuple) or any(_is_container(each) for each in get_args(annotation))
