"""Variants: models of a study that are built from one member of the zoo and differ in their settings."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.study.models import ModelSettings

__all__ = ["completed_variants"]


def completed_variants(models: Mapping[str, ModelSettings]) -> dict[str, ModelSettings]:
    """Return a study's models, each variant with what its base's table says where its own says nothing.

    A key that a variant writes replaces the base's, a table (``network``, ``words``, ``variables``) as a whole. What
    was completed once stays as it is when it is completed again. A model that names itself as its base is none.

    Parameters
    ----------
    models : mapping of str to ModelSettings
        By name.
    """
    return {name: _completed(name, settings, models) for name, settings in models.items()}


def _completed(name: str, settings: ModelSettings, models: Mapping[str, ModelSettings]) -> ModelSettings:
    if settings.base is None:
        return settings
    if settings.base == name:
        return settings.model_copy(update={"base": None})
    base = models.get(settings.base)
    if base is None or base.base is not None:
        return settings
    own = {key: getattr(settings, key) for key in settings.model_fields_set}
    return base.model_copy(update=own)
