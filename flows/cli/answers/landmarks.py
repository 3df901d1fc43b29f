"""Landmarks as the study file takes them."""

from __future__ import annotations

import json

from flows.refresh.landmarks import LearntLandmarks

__all__ = ["landmarks_toml"]


def landmarks_toml(found: LearntLandmarks) -> str:
    """Return the tables of a study file that give a feature set its landmarks; numbers in full."""
    parts = []
    for each in found.landmarks:
        # Texts and lists of numbers are written alike in JSON and TOML; names hold nothing that would differ.
        lines = [f"{name} = {json.dumps(value)}" for name, value in each.model_dump(mode="json").items()]
        parts.append("\n".join([f"[[define.{found.feature_set}.radiomics.landmarks]]", *lines]))
    return "\n" + "\n\n".join(parts)
