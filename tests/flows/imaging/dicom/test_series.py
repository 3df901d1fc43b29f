"""Which series of a folder a rule chooses, and what is said where it chooses none or several."""

import pytest
from builders.dicom.refusals import series_refusal
from builders.dicom.written import CT, MR, PT, STRUCTURES, image_dataset, numbered, voxels, write_series
from pydicom.uid import generate_uid

from flows.imaging.dicom.volumes import read_series
from schemas.study.dicom_parts import SeriesRule

UIDS = {name: generate_uid() for name in ("native", "arterial", "venous", "ct")}
VALUES = dict(zip(UIDS, (0, 1000, 2000, 3000), strict=True))


@pytest.fixture
def folder(tmp_path):
    """Give a folder with a native, an arterial and a venous MR series, a CT and a localizer."""
    series = (
        ("native", MR, 4, "T1 vibe native", "100000"),
        ("arterial", MR, 9, "T1 vibe post", "101030"),
        ("venous", MR, 7, "T1 VIBE post", "101130.5"),
        ("ct", CT, 5, "Abdomen [1]", "090000"),
    )
    for name, sop_class, number, description, time in series:
        write_series(
            tmp_path / "images", numbered(2, 3, 4) + VALUES[name], sop_class=sop_class, number=number, uid=UIDS[name],
            SeriesDescription=description, AcquisitionDate="20200102", AcquisitionTime=time,
            **({"ContrastBolusStartTime": "101000"} if name in ("arterial", "venous") else {}),
        )  # fmt: skip
    write_series(tmp_path / "images", numbered(2, 3, 4), number=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    for number, kind in enumerate((STRUCTURES, "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.7")):
        image_dataset(kind, numbered(2, 2)).save_as(tmp_path / f"other-{number}.dcm")
    return tmp_path


def chosen(folder, **rule):
    """Return the name of the series that a rule chooses."""
    first = int(voxels(read_series(folder, SeriesRule(**rule)))[0, 0, 0]) + 100
    return next(name for name, value in VALUES.items() if value == first)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ({"number": 4}, "native"),
        ({"description": "*NATIVE"}, "native"),
        ({"description": "T1 vibe ????", "number": 7}, "venous"),
        ({"description": "abdomen [1]"}, "ct"),
        ({"modality": "ct"}, "ct"),
        ({"uid": UIDS["arterial"]}, "arterial"),
        ({"description": "t1 vibe post", "order": 1}, "arterial"),
        ({"description": "t1 vibe post", "order": 2}, "venous"),
        ({"modality": "MR", "order": 1}, "native"),
        ({"modality": "MR", "seconds": (20, 40)}, "arterial"),
        ({"modality": "MR", "seconds": (60, 120)}, "venous"),
        ({"number": 9, "seconds": (30, 30)}, "arterial"),
        ({"modality": "MR", "seconds": (0, 120), "order": 2}, "venous"),
    ],
)
def test_each_key_of_a_rule_chooses(folder, rule, name):
    """All that are given must hold; a pattern has * and ? alone, and upper and lower case are the same."""
    assert chosen(folder, **rule) == name


def test_several_that_fit_are_listed_with_the_key_that_chooses(folder):
    """Number, description, modality and count of images are shown, and nothing else."""
    said = series_refusal(folder, description="*post")
    assert not any(uid in said for uid in UIDS.values())
    assert "2 series fit description = '*post', and one must be left" in said
    assert "number 7, 'T1 VIBE post', 'MR', 2 images; number 9, 'T1 vibe post', 'MR', 2 images" in said
    assert said.endswith("next: add to series: number = 7, for one")


def test_what_is_there_is_listed_where_none_fits(folder):
    """The localizer is not among them."""
    said = series_refusal(folder, number=8, modality="MR")
    assert "none of its 4 series fits number = 8 and modality = 'MR'; there are number 4" in said
    assert "number 1," not in said


def test_five_candidates_are_listed_at_most(tmp_path):
    """A folder of hundreds of series gives no page of text; its descriptions are short and printable."""
    for number in range(8):
        write_series(tmp_path, numbered(2, 3, 4), number=number, SeriesDescription="\x1b[31mred " * 5)
    said = series_refusal(tmp_path)
    assert said.count("2 images") == 5
    assert "and 3 more" in said
    assert "\x1b" not in said
    assert len(said) < 800


def test_a_localizer_is_chosen_by_its_uid_alone(tmp_path):
    """It is an image, and seldom the one that is meant."""
    uid = generate_uid()
    write_series(tmp_path, numbered(2, 3, 4), uid=uid, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert "none of them is an image" in series_refusal(tmp_path, number=5)
    assert chosen(tmp_path, uid=uid) == "native"


@pytest.mark.parametrize(("keyword", "owners"), [("PatientID", "patients"), ("StudyInstanceUID", "studies")])
def test_two_patients_or_studies_in_one_folder_are_refused(tmp_path, keyword, owners):
    """A baseline and a follow-up are not told apart by order; a uid chooses, and a number that only one has."""
    write_series(tmp_path, numbered(2, 3, 4), number=1, AcquisitionTime="10")
    other = {"PatientID": "P-SECRET-2", "StudyInstanceUID": generate_uid()}[keyword]
    uid = generate_uid()
    write_series(tmp_path, numbered(2, 3, 4), number=2, uid=uid, AcquisitionTime="11", **{keyword: other})
    assert f"holds images of several {owners} that fit ({keyword} differs)" in series_refusal(tmp_path, order=1)
    assert chosen(tmp_path, uid=uid) == "native"
    assert chosen(tmp_path, number=2) == "native"


def test_two_patients_in_one_series_are_refused(tmp_path):
    """Files of one SeriesInstanceUID belong to one person."""
    write_series(
        tmp_path, numbered(2, 3, 4), uid=UIDS["ct"], change=lambda k, each: setattr(each, "PatientID", f"P-SECRET-{k}")
    )
    assert "several patients" in series_refusal(tmp_path, uid=UIDS["ct"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"AcquisitionTime": "235900"}, {"AcquisitionTime": "000200"}),
        ({"AcquisitionTime": "120000", "AcquisitionDate": "20200102"}, {"AcquisitionTime": "130000"}),
    ],
)
def test_times_without_dates_give_no_order_over_midnight(tmp_path, first, second):
    """A time of the evening and one after midnight, or a dated and an undated one, may be either way round."""
    for number, elements in enumerate((first, second), start=1):
        write_series(tmp_path, numbered(2, 3, 4), number=number, **elements)
    assert "the order of the 2 series that fit is not known" in series_refusal(tmp_path, order=1)


def test_an_order_that_is_not_known_is_refused(tmp_path):
    """Two series without times, or with the same, have no order; and the third of two is none."""
    write_series(tmp_path, numbered(2, 3, 4), number=1, sop_class=MR)
    write_series(tmp_path, numbered(2, 3, 4), number=2, sop_class=PT)
    assert "the order of the 2 series that fit is not known" in series_refusal(tmp_path, order=1)
    assert "order = 3 is asked for, and 2 series fit" in series_refusal(tmp_path, order=3)


def test_seconds_without_a_bolus_are_refused_in_words(folder):
    """Where the header lacks it, when the agent was given is not known."""
    assert "its header lacks ContrastBolusStartTime" in series_refusal(folder, number=4, seconds=(20, 40))
    assert "no volume of the series began within 0 to 10 seconds" in series_refusal(folder, number=9, seconds=(0, 10))
