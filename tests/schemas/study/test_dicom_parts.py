"""What a study file may say of a series."""

import pytest
from pydantic import ValidationError

from schemas.study.dicom_parts import SeriesRule


def test_a_rule_survives_its_json():
    """A window of seconds, which JSON has as a list, too."""
    rule = SeriesRule(description="T1*", number=5, uid="1.2.840", modality="MR", order=1, time=2, seconds=(20, 40.5))
    assert SeriesRule.model_validate_json(rule.model_dump_json()) == rule


@pytest.mark.parametrize(
    "rule",
    [{"order": 0}, {"time": 0}, {"uid": "1.2.x"}, {"seconds": (40, 20)}, {"seconds": (0, float("nan"))}, {"name": "x"}],
)
def test_a_rule_without_meaning_is_refused(rule):
    """Counts begin at 1, a window runs forwards, a key is one of the rule's."""
    with pytest.raises(ValidationError):
        SeriesRule(**rule)
