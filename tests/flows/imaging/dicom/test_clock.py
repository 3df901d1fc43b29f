"""Dates and times of headers as seconds."""

import pytest
from pydicom.dataset import Dataset

from flows.imaging.dicom.clock import bolus_delay, moment
from schemas.errors import ContractError


def header(**elements):
    """Return a header with elements."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 36000), ("1011", 36660), ("101112", 36672), ("101112.25", 36672.25), ("235960", 86400)],
)
def test_a_time_may_leave_out_its_end(text, seconds):
    """Hours alone, minutes, seconds and parts of them (DICOM PS3.5, section 6.2)."""
    assert moment(header(AcquisitionTime=text), "Acquisition") == seconds


def test_a_date_counts_where_it_is_known():
    """The first minute of a day follows the last one of the day before; a date with a time says the same."""
    late = moment(header(ContentDate="20240228", ContentTime="235930"), "Content")
    early = moment(header(ContentDate="20240229", ContentTime="000030"), "Content")
    joined = moment(header(AcquisitionDateTime="20240229000030.0+0100"), "Acquisition")
    assert early - late == 60
    assert joined == early
    assert moment(header(ContentDate="20240229"), "Content") is None


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("AcquisitionTime", "2561"),
        ("AcquisitionTime", "noon"),
        ("AcquisitionDate", "20240230"),
        ("AcquisitionDate", "x"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_what_is_no_time_is_refused_and_not_repeated(keyword, value):
    """The message has the element's name alone."""
    with pytest.raises(ContractError, match=f"{keyword} is no") as error:
        moment(header(**({"AcquisitionTime": "10"} | {keyword: value})), "Acquisition")
    assert value not in error.value.message or len(value) == 1


@pytest.mark.parametrize(
    ("started", "acquired", "delay"),
    [("101000", "101030.5", 30.5), ("235950", "000010", 20), ("000010", "235950", -20), ("101000", "101000", 0)],
)
def test_the_delay_is_counted_over_midnight(started, acquired, delay):
    """ContrastBolusStartTime has no date."""
    dataset = header(ContrastBolusStartTime=started, AcquisitionDate="20240101", AcquisitionTime=acquired)
    assert bolus_delay(dataset, moment(dataset, "Acquisition")) == delay
    assert bolus_delay(header(), 1.0) is None
    assert bolus_delay(dataset, None) is None
