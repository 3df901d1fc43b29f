"""A dynamic series is split into its times, or refused."""

import numpy as np
import pytest
from archives.unpacking import unpack
from builders.dicom.refusals import series_refusal
from builders.dicom.written import numbered, voxels, write_series
from pydicom.uid import generate_uid

from flows.imaging.dicom.volumes import read_series
from schemas.study.dicom_parts import SeriesRule

VOLUMES = [numbered(3, 4, 5) + 1000 * t for t in range(3)]


def write_dynamic(folder, elements_of, count=3):
    """Write volumes of one series; the elements of a slice follow from time t and place k."""
    uid = generate_uid()
    for t in reversed(range(count)):
        write_series(
            folder / f"{9 - t}", VOLUMES[t], uid=uid,
            change=lambda k, each, t=t: [setattr(each, name, value) for name, value in elements_of(t, k).items()],
        )  # fmt: skip


@pytest.fixture(scope="module")
def breast(shared_data, tmp_path_factory):
    """Give the folder of a real dynamic series: three times, told apart by ContentTime alone."""
    folder = tmp_path_factory.mktemp("breast")
    unpack(shared_data("dce_breast_mr") / "UCSF-BR-06.tar.xz", folder)
    return folder


def test_a_real_dynamic_series_is_three_volumes_in_order(breast):
    """AcquisitionNumber is 1, 2, 2 and splits it unevenly; the agent is taken up from the first to the second."""
    volumes = [voxels(read_series(breast, SeriesRule(time=time))) for time in (1, 2, 3)]
    assert [volume.shape for volume in volumes] == [(60, 256, 256)] * 3
    before, early, late = (float(volume.mean()) for volume in volumes)
    assert before < early < late
    assert "3 times of 60 slices" in series_refusal(breast)


@pytest.mark.parametrize(
    "elements_of",
    [
        lambda t, k: {"TemporalPositionIdentifier": t + 1},
        lambda t, k: {"TemporalPositionIdentifier": 1, "AcquisitionNumber": 10 * t + 5},
        lambda t, k: {"AcquisitionNumber": 2, "TriggerTime": 70.5 * t},
        lambda t, k: {"AcquisitionNumber": max(t, 1), "AcquisitionTime": f"10{t:02}{k:02}.5"},
        lambda t, k: {"AcquisitionTime": "100000", "ContentTime": f"10{t:02}{k:02}"},
        lambda t, k: {
            "AcquisitionDate": f"202001{2 if t == 0 else 3:02}",
            "AcquisitionTime": f"{'2359' if t == 0 else f'000{t}'}{k:02}",
        },
    ],
    ids=["position", "number", "trigger", "acquisition", "content", "midnight"],
)
def test_times_are_told_apart_by_the_first_that_splits_evenly(tmp_path, elements_of):
    """Position, number, trigger, then the times at each place."""
    write_dynamic(tmp_path, elements_of)
    for t, volume in enumerate(VOLUMES):
        assert np.array_equal(voxels(read_series(tmp_path, SeriesRule(time=t + 1))), volume)


def test_a_dynamic_series_without_a_time_is_refused(tmp_path):
    """The hint says how one is chosen; a fourth of three is none."""
    write_dynamic(tmp_path, lambda t, k: {"TemporalPositionIdentifier": t + 1})
    said = series_refusal(tmp_path)
    assert "is a dynamic series of 3 times of 3 slices, and the rule chooses none" in said
    assert "next: write time = 1" in said
    assert "time = 4 is asked for, and the series has 3 volumes" in series_refusal(tmp_path, time=4)


def test_one_volume_is_its_own_first_time(tmp_path):
    """A series with one slice at each place is not dynamic."""
    write_series(tmp_path, VOLUMES[0])
    assert np.array_equal(voxels(read_series(tmp_path, SeriesRule(time=1))), VOLUMES[0])
    assert "time = 2 is asked for, and the series has one volume" in series_refusal(tmp_path, time=2)


def test_seconds_choose_the_volume_that_began_in_them(tmp_path):
    """From the start of the contrast agent to the volume's first slice."""
    write_dynamic(tmp_path, lambda t, k: {"AcquisitionTime": f"10{t:02}{k:02}", "ContrastBolusStartTime": "095930"})
    assert np.array_equal(voxels(read_series(tmp_path, SeriesRule(seconds=(80, 100)))), VOLUMES[1])
    assert np.array_equal(voxels(read_series(tmp_path, SeriesRule(seconds=(80, 200), time=2))), VOLUMES[1])
    assert "2 volumes of the series began within 80 to 200 seconds" in series_refusal(tmp_path, seconds=(80, 200))
    assert "its 3 began at 30, 90, 150 s" in series_refusal(tmp_path, seconds=(1, 2))
    assert "volume 3 did not begin within 80 to 100 seconds" in series_refusal(tmp_path, seconds=(80, 100), time=3)


def test_a_time_that_lacks_a_slice_is_refused(tmp_path):
    """A place with fewer slices than the others belongs to a transfer that broke off."""
    write_dynamic(tmp_path, lambda t, k: {"TemporalPositionIdentifier": t + 1})
    next((tmp_path / "8").glob("*-1.dcm")).unlink()
    assert "has 3 different slices at 2 of its 3 places and fewer at the others" in series_refusal(tmp_path, time=1)


@pytest.mark.parametrize(
    "elements_of",
    [
        lambda t, k: {},
        lambda t, k: {"AcquisitionTime": "100000"},
        lambda t, k: {"AcquisitionTime": f"10{k:02}{t:02}"},
        lambda t, k: {"AcquisitionTime": f"10{t:02}00"} if k else {},
    ],
    ids=["nothing", "equal", "interleaved", "partly"],
)
def test_times_that_are_not_told_apart_are_refused(tmp_path, elements_of):
    """Volumes follow one another: a slice of a later one is not acquired before one of an earlier."""
    write_dynamic(tmp_path, elements_of)
    assert "nothing tells their times apart" in series_refusal(tmp_path, time=1)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("EchoTime", (1.2, 2.4, 3.6)),
        ("ImageType", (["DERIVED", "P", "W"], ["DERIVED", "P", "F"], ["DERIVED", "P", "IP"])),
    ],
)
def test_echoes_and_reconstructions_are_no_times(tmp_path, keyword, values):
    """Dixon images have times of their own, and are not a dynamic series for that."""
    write_dynamic(tmp_path, lambda t, k: {keyword: values[t], "ContentTime": f"10{t:02}00"})
    assert f"slices at one place that differ in {keyword}" in series_refusal(tmp_path, time=1)


def test_an_order_that_contradicts_the_times_is_refused(tmp_path):
    """AcquisitionNumber that runs against AcquisitionTime is no order."""
    write_dynamic(tmp_path, lambda t, k: {"AcquisitionNumber": 9 - t, "AcquisitionTime": f"10{t:02}00"})
    assert "by AcquisitionNumber contradicts that of AcquisitionTime" in series_refusal(tmp_path, time=1)
