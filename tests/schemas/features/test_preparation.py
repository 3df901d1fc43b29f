"""How a scan is prepared: what contradicts itself is refused, and landmarks fit what they were learnt under."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.features.radiomics_settings import RadiomicsSettings

LANDMARKS = {
    "phase": "AP",
    "percentiles": (1.0, 50.0, 99.0),
    "values": (0.0, 40.0, 100.0),
    "study": "teachers",
    "split": "fixed",
    "split_sha256": "a" * 64,
    "patients": 12,
    "prepared_sha256": RadiomicsSettings(standardize=True).prepared_sha256,
}


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"normalize": True, "standardize": True}, "a z-score before the landmarks changes nothing"),
        ({"standardize": True, "remove_outliers": 3.0}, "belong to normalize"),
        ({"standardize": True, "normalize_scale": 100.0}, "belong to normalize"),
        ({"landmarks": (LANDMARKS,)}, "landmarks are the standard scale of standardize"),
        ({"normalize_region": "body"}, "set normalize or standardize"),
        ({"bias_field": {}}, "N4 finding a field up to a factor"),
        ({"bias_field": {"shrink_factor": 0}, "normalize": True}, "greater than or equal to 1"),
        ({"bias_field": {"iterations": ()}, "normalize": True}, "at least 1 item"),
        ({"resample_first": True, "normalize": True}, "set resampled_spacing_mm"),
        ({"resample_first": True, "normalize": True, "resampled_spacing_mm": (0, 0, 0)}, "set resampled_spacing_mm"),
        ({"resample_first": True, "resampled_spacing_mm": (1, 1, 1)}, "and normalize or standardize"),
        ({"standardize": True, "landmarks": (LANDMARKS, LANDMARKS)}, "phase 'AP' has landmarks twice"),
        ({"standardize": True, "normalize_region": "body", "landmarks": (LANDMARKS,)}, "prepared in another way"),
        ({"standardize": True, "bias_field": {}, "landmarks": (LANDMARKS,)}, "prepared in another way"),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(written, reason):
    """A key that would do nothing, or undo another one, is a fault and no silence."""
    with pytest.raises(ValidationError, match=reason):
        RadiomicsSettings.model_validate(written)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"values": (0.0, 40.0)}, "as many values as percentiles"),
        ({"values": (0.0, 40.0, 40.0)}, "each above the one before"),
        ({"percentiles": (1.0, 1.0, 99.0)}, "each above the one before"),
        ({"percentiles": (1.0, 50.0, 101.0)}, "less than or equal to 100"),
        ({"patients": 0}, "greater than or equal to 1"),
        ({"split_sha256": "abc"}, "match pattern"),
    ],
)
def test_landmarks_rise_and_say_who_taught_them(change, reason):
    """No line can be drawn between equal landmarks, and none is without the patients it was learnt from."""
    with pytest.raises(ValidationError, match=reason):
        RadiomicsSettings.model_validate({"standardize": True, "landmarks": (LANDMARKS | change,)})


def test_what_does_not_touch_an_image_before_its_scale_keeps_its_landmarks():
    """Bins, filters and a grid that comes second leave landmarks as they are; a grid that comes first does not."""
    known = {"standardize": True, "landmarks": (LANDMARKS,), "bin_count": 32, "log_sigma_mm": (2.0,)}
    settings = RadiomicsSettings.model_validate(known | {"resampled_spacing_mm": (1, 1, 1)})
    assert settings.landmarks_of("AP") is settings.landmarks[0]
    assert settings.landmarks_of("DP") is None
    with pytest.raises(ValidationError, match="prepared in another way"):
        RadiomicsSettings.model_validate(known | {"resampled_spacing_mm": (1, 1, 1), "resample_first": True})


def test_settings_with_landmarks_are_hashable():
    """Two equal settings are one key, landmarks and all."""
    written = {"standardize": True, "landmarks": (LANDMARKS,), "bias_field": None}
    assert len({RadiomicsSettings.model_validate(written) for _ in range(2)}) == 1
