"""What a study's feature sets are meant for, and a sentence where its images are declared to be something else."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.features.modalities import modalities_in
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.region_settings import RegionSettings
from schemas.features.sets import BUILT_IN, BuiltIn, ComputedSettings, FeatureSetRef
from schemas.study.file import Study

__all__ = ["intended_modalities", "modality_warnings"]

_SCALES = {"CT": "Hounsfield units", "PT": "uptake values"}
"""Modalities whose intensities have a unit, which a normalisation takes from them."""


def intended_modalities(study: Study, feature_set: str) -> tuple[str, ...]:
    """Return the modalities that one of a study's feature sets is meant for; none where it declares none.

    Parameters
    ----------
    study : Study
        The study.
    feature_set : str
        ``name`` or ``name@N``.
    """
    ref = FeatureSetRef.parse(feature_set)
    if ref.name in study.define:
        return study.define[ref.name].modality
    built_in = _built_in(ref)
    return built_in.modalities if built_in is not None else ()


def modality_warnings(study: Study, only: str | None = None) -> list[str]:
    """Return one sentence for each feature set that does not fit the modality of one of the study's phases.

    A phase without a modality, or with a word that is none, fits every set.

    Parameters
    ----------
    study : Study
        The study.
    only : str, optional
        One of its feature sets, ``name`` or ``name@N``; all where absent.
    """
    wanted = None if only is None else FeatureSetRef.parse(only)
    found = []
    for asked in study.feature_sets:
        name, version = FeatureSetRef.parse(asked)
        is_wanted = wanted is None or (wanted.name == name and wanted.version in (None, version))
        if is_wanted and not study.is_of_network(asked):
            found += _warnings_of(study, asked, name)
    return found


def _warnings_of(study: Study, feature_set: str, name: str) -> list[str]:
    settings = _settings(study, feature_set)
    if isinstance(settings, RadiomicsSettings) and settings.shuffled_voxels:
        return []  # a control is of another set, which is warned of
    phases = settings.phases if isinstance(settings, RegionSettings) and settings.phases else tuple(study.phases)
    declared = {phase: modalities_in(study.phases[phase].modality) for phase in phases}
    meant = intended_modalities(study, feature_set)
    if meant:
        others = {phase: codes for phase, codes in declared.items() if codes and not codes & set(meant)}
        if not others:
            return []
        return [
            f"{feature_set} is meant for {' or '.join(meant)}, and {_named(others)}: {_advice(study, name, others)}"
        ]
    if not isinstance(settings, RadiomicsSettings) or (taking := _taking_units(settings)) is None:
        return []
    scaled = {phase: codes for phase, codes in declared.items() if codes and codes <= set(_SCALES)}
    if not scaled:
        return []
    codes = sorted({code for each in scaled.values() for code in each})
    units = " and ".join(_SCALES[code] for code in codes)
    return [
        f"{feature_set} {taking[0]}, and {_named(scaled)}: that takes away {units}; "
        f'leave out {taking[1]}, or declare modality = "{codes[0]}" under [define.{name}] where it is meant'
    ]


def _taking_units(settings: RadiomicsSettings) -> tuple[str, str] | None:
    """Return what takes intensities' unit away, in words and by its key; None where nothing does."""
    if settings.normalize:
        region = "the whole image" if settings.normalize_region == "image" else "the body"
        return f"normalises by {region}", "normalize"
    if settings.standardize:
        return "brings intensities to a standard scale", "standardize"
    if settings.bias_field is not None:
        return "divides by an estimated bias field", "bias_field"
    return None


def _settings(study: Study, feature_set: str) -> ComputedSettings | None:
    ref = FeatureSetRef.parse(feature_set)
    if ref.name in study.define:
        return study.define[ref.name].settings
    built_in = _built_in(ref)
    return built_in.settings if built_in is not None else None


def _built_in(ref: FeatureSetRef) -> BuiltIn | None:
    versions = BUILT_IN.get(ref.name, {})
    return versions.get(ref.version or max(versions, default=0))


def _advice(study: Study, name: str, others: Mapping[str, frozenset[str]]) -> str:
    """Return what to do about phases that a set is not meant for."""
    codes = frozenset(code for each in others.values() for code in each)
    asked = [each for each in study.feature_sets if codes & set(intended_modalities(study, each))]
    fitting = [phase for phase in study.phases if phase not in others]
    if asked and fitting:
        listed = ", ".join(f'"{phase}"' for phase in fitting)
        return f"let models read its other phases alone, phases = [{listed}] under [models.NAME]"
    own = f"declare its modality under [define.{name}]" if name in study.define else "define a set of your own"
    if study.is_of_regions(name):
        return own
    instead = [each for each in ("mr", "ct") if set(BUILT_IN[each][max(BUILT_IN[each])].modalities) & codes]
    return "".join(f"take {each}@{max(BUILT_IN[each])}, or " for each in instead) + own


def _named(phases: dict[str, frozenset[str]]) -> str:
    parts = [f"phase {phase} is declared {'/'.join(sorted(codes))}" for phase, codes in phases.items()]
    return ", ".join(parts)
