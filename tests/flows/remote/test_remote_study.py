"""A study whose images lie in a bucket is the same study, and its faults are told apart."""

from __future__ import annotations

import shutil
import urllib.request
from urllib.parse import urlencode

import pytest
from buckets.study import Bucket, copies, move_to_bucket
from builders.study import counts
from clusters.runs import content
from pyarrow.fs import S3FileSystem
from servers import free_port, running_s3

from flows.remote.faults import BucketError
from schemas.errors import ContractError
from store.erasure.files import naming_files


def test_a_bucket_gives_what_files_give(small_study, remote_study, cache):
    """Features and their rows are the same to the bit; the catalogue has URLs, and copies have no patient's name."""
    for each in (small_study, remote_study):
        report = each.ingest()
        assert [failure["reason"] for failure in report.failures] == []
        assert report.masks == 8
        each.refresh_without_prefect()
    assert content(remote_study.store) == content(small_study.store)
    for table in ("scans", "masks"):
        without = f"select * exclude (source) from {table} order by all"
        assert remote_study.sql(without) == small_study.sql(without)
    (row,) = remote_study.sql("select source from scans where patient = 'P1' and phase = 'AP'")
    assert row["source"].startswith("s3://radzoo/")
    assert row["source"].partition("?")[0].endswith("/images/P1_AP.nii.gz")
    assert len(copies(cache)) == 16
    assert cache.stat().st_mode & 0o777 == 0o700
    assert not [file for file in cache.rglob("*") if "P1" in file.name]


def test_what_is_unchanged_is_not_fetched_again(remote_study, bucket, cache):
    """Of an object that changed its new content alone is fetched, with the mask that lies on it; the rest is known."""
    remote_study.ingest()
    shutil.rmtree(cache)
    assert remote_study.ingest().commit_id is None
    assert not cache.exists()
    remote_study.image_file("P1").parent.mkdir()
    remote_study.write_image("P1", seed=5)
    bucket.put("images/P1_AP.nii.gz", remote_study.image_file("P1").read_bytes())
    report = remote_study.ingest()
    assert report.commit_id == 2
    assert len(copies(cache)) == 2


def test_an_object_that_is_missing_costs_its_own_rows(remote_study, bucket):
    """An image and a mask that are not there, or no image, are failures with their URLs; the others go on."""
    bucket.remove("images/P1_AP.nii.gz")
    bucket.remove("masks/P2_DP.nii.gz")
    bucket.put("masks/P3_AP.nii.gz", b"no image")
    report = remote_study.ingest()
    assert report.masks == 5
    found = {row["patient"]: row["reason"].replace(bucket.url.partition("?")[0], "BUCKET") for row in report.failures}
    assert found == {
        "P1": "image BUCKET/images/P1_AP.nii.gz: there is no such object",
        "P2": "mask BUCKET/masks/P2_DP.nii.gz: there is no such object",
        "P3": "mask BUCKET/masks/P3_AP.nii.gz: cannot be read as an image: its first bytes are none of NIfTI, NRRD, "
        "MetaImage, Analyze and DICOM",
    }


def test_a_refresh_computes_on_nothing_but_what_was_ingested(remote_study, bucket):
    """An object that changed or went since is the failure of its rows, and no other's."""
    remote_study.ingest()
    remote_study.image_file("P1").parent.mkdir()
    remote_study.write_image("P1", seed=5)
    bucket.put("images/P1_AP.nii.gz", remote_study.image_file("P1").read_bytes())
    bucket.remove("masks/P2_DP.nii.gz")
    receipts = {
        (each.planned.key.patient, each.planned.key.phase): each.failure for each in remote_study.stage_every_set()
    }
    assert "P1_AP.nii.gz: differs from what was ingested: run radzoo ingest again" in receipts.pop(("P1", "AP"))
    assert receipts.pop(("P2", "DP")).endswith("/masks/P2_DP.nii.gz: there is no such object")
    assert set(receipts.values()) == {None}


def test_a_pattern_that_names_nothing_is_one_fault(remote_study, bucket):
    """The study file's line and the URL that was tried are named; nothing is written."""
    remote_study.edit("images/{patient}_AP", "pictures/{patient}_AP")
    with pytest.raises(ContractError, match=r"pictures/P1_AP.nii.gz' is no object of its bucket") as refused:
        remote_study.ingest()
    assert str(refused.value.where).endswith(f":{remote_study.line_of('pictures/')}")
    assert not remote_study.store_root.exists()


def test_a_server_that_does_not_answer_ends_the_verb(remote_study, bucket, capsys):
    """No image is at fault, so that none is a failure: exit code 4, the place without options, and what to look at."""
    text = remote_study.file.read_text()
    address = bucket.url.partition("endpoint_override=")[2].partition("&")[0]
    remote_study.file.write_text(text.replace(address, f"127.0.0.1%3A{free_port()}"))
    code, _, said = remote_study.ask(capsys, "ingest", remote_study.file, "--workers", 1)
    assert code == 4
    assert "the bucket's server does not answer (NETWORK_CONNECTION)" in said
    assert "endpoint_override" in said.partition("next:")[2]
    assert not remote_study.store_root.exists()


def test_a_refused_account_ends_the_verb(small_study, cache, monkeypatch):
    """What the server refuses is said with the variables that have the keys, and never a key."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    with running_s3() as address:
        options = {"endpoint_override": address, "scheme": "http", "region": "us-east-1"}
        S3FileSystem(allow_bucket_creation=True, **options).create_dir("closed")
        move_to_bucket(small_study, Bucket(f"s3://closed/folder?{urlencode(options)}"))
        # From here on moto refuses whom it does not know.
        request = urllib.request.Request(f"http://{address}/moto-api/reset-auth", data=b"0", method="POST")
        request.add_header("Content-Type", "text/plain")
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310  (a server of our own)
        with pytest.raises(BucketError, match=r"refuses access \(ACCESS_DENIED\)") as refused:
            small_study.ingest()
    assert "AWS_ACCESS_KEY_ID" in str(refused.value.hint)
    assert "a-secret" not in str(refused.value)


def test_patients_of_a_bucket_who_are_in_no_table_are_named(remote_study, bucket):
    """As those are whose files lie in a folder; a mask's object is none of an image."""
    bucket.put("images/P9_AP.nii.gz", b"")
    bucket.put("images/other.txt", b"")
    assert "1 patient has an image of phase AP and is not in the cohort table: P9" in remote_study.ingest().warnings


def test_an_erased_patient_leaves_no_copy(remote_study, cache, capsys):
    """Copies of the patient's images and masks go with the rows, those of others stay; the bucket is the user's."""
    remote_study.ingest()
    before = set(copies(cache))
    code, _, said = remote_study.ask(capsys, "store", "erase", "P1", "--yes")
    assert (code, said) == (0, "")
    gone = before - set(copies(cache))
    assert len(gone) == 4
    assert naming_files(remote_study.store, "P1") == []


def test_pictures_and_plans_need_no_file_of_this_machine(remote_study, cache, capsys):
    """An ingest that only reads makes no store, a plan fetches nothing, and pictures are drawn from copies."""
    code, _, said = remote_study.ask(capsys, "ingest", remote_study.file, "--dry-run")
    assert code == 0, said
    assert not remote_study.store_root.exists()
    remote_study.ingest()
    shutil.rmtree(cache)
    code, printed, said = remote_study.ask(capsys, "refresh", "--dry-run")
    assert code == 0, said
    assert "8" in printed
    assert not cache.exists()
    assert remote_study.ask(capsys, "look")[0] == 0
    assert len(copies(cache)) == 16


@pytest.mark.slow
def test_a_refresh_by_children_fetches_for_them(remote_study, cache, prefect_server):
    """The processes that compute have no way to a bucket, and need none."""
    remote_study.ingest()
    shutil.rmtree(cache)
    assert counts(remote_study.refresh()) == (8, 0, 0, 0)
    assert len(copies(cache)) == 16


def test_a_study_that_keeps_its_paths_has_no_url_in_the_store(small_study, bucket, cache):
    """With [privacy] URLs are what paths are: known to this user, and in no file of the store."""
    move_to_bucket(small_study, bucket)
    small_study.file.write_text(small_study.file.read_text() + '\n[privacy]\npseudonyms = "hash"\nkey = "../key"\n')
    assert small_study.ingest().masks == 8
    token = bucket.url.partition("?")[0].rpartition("/")[2].encode()
    assert not [file for file in small_study.store_root.rglob("*") if file.is_file() and token in file.read_bytes()]
    small_study.refresh_without_prefect()
    assert len(small_study.sql("from quick_v1")) == 8


def test_keys_are_taken_as_the_bucket_has_them(remote_study, bucket):
    """Blanks and per cent signs stand for themselves."""
    key = "100%41 of them/P1_AP.nii.gz"
    remote_study.keep("P1")
    image = remote_study.image_file("P1")
    image.parent.mkdir()
    remote_study.write_image("P1")
    bucket.put(key, image.read_bytes())
    remote_study.edit(bucket.of("images/{patient}_AP.nii.gz"), bucket.of(key.replace("P1", "{patient}")))
    assert [row["reason"] for row in remote_study.ingest().failures] == []


def test_images_in_two_objects_and_tables_in_a_bucket_are_refused(remote_study, bucket, capsys):
    """Each says what is read instead; so does a draft of a study file."""
    bucket.put("images/P1.hdr", b"\0" * 348)
    remote_study.keep("P1")
    remote_study.edit("images/{patient}_AP.nii.gz", "images/{patient}.hdr")
    (failure,) = remote_study.ingest().failures
    assert "of a bucket only images in one object are read" in failure["reason"]
    remote_study.edit('table = "patients.csv"', f'table = "{bucket.of("patients.csv")}"')
    with pytest.raises(ContractError, match="only images and masks may lie in buckets"):
        remote_study.ingest()
    code, _, said = remote_study.ask(capsys, "init", remote_study.folder / "new", "--from", "s3://bucket/folder")
    assert code == 2
    assert "a file or folder of this machine is asked for, not a URL" in said
    assert "patterns of a study file" in said


@pytest.mark.parametrize("url", ["s3://key:word@bucket/{patient}.nii", "s3://bucket/{patient}.nii?secret_key=word"])
def test_no_password_of_a_url_is_read_or_shown(small_study, url, capsys):
    """The fault names its line and repeats nothing of the URL."""
    small_study.edit("images/{patient}_AP.nii.gz", url)
    code, printed, said = small_study.ask(capsys, "ingest", small_study.file)
    assert code == 4
    assert f"study.toml:{small_study.line_of('s3://')}" in said
    assert "word@" not in printed + said
    assert "=word" not in printed + said
