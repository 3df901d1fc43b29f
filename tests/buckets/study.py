"""A folder of a bucket that a test writes to, and a study whose images move there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import boto3
from builders.study import SmallStudy

from store.remote_folder import remote_folder

__all__ = ["Bucket", "copies", "move_to_bucket"]


@dataclass
class Bucket:
    """A folder of a bucket, written to directly: the tests' own way to it."""

    url: str
    """Its URL, options behind a question mark."""

    def of(self, name: str) -> str:
        """Return the URL of an object, or of a pattern, below it."""
        place, _, options = self.url.partition("?")
        return f"{place}/{name}?{options}"

    def put(self, name: str, content: bytes) -> None:
        """Write an object."""
        filesystem, path = remote_folder(self.url)
        with filesystem.open_output_stream(f"{path}/{name}", compression=None) as sink:
            sink.write(content)

    def put_raw(self, name: str, content: bytes) -> None:
        """Write an object of any key, also of one that pyarrow takes for no path."""
        place, _, options = self.url.removeprefix("s3://").partition("?")
        bucket, _, folder = place.partition("/")
        server = {key: value[0] for key, value in parse_qs(options).items()}
        address = f"{server['scheme']}://{server['endpoint_override']}"
        client = boto3.client("s3", endpoint_url=address, region_name=server["region"])
        client.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=content)

    def remove(self, name: str) -> None:
        """Remove an object."""
        filesystem, path = remote_folder(self.url)
        filesystem.delete_file(f"{path}/{name}")

    def put_folder(self, folder: Path, name: str) -> None:
        """Write all files of a folder."""
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            self.put(f"{name}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def move_to_bucket(study: SmallStudy, bucket: Bucket) -> None:
    """Bring a study's images and masks into a bucket, and its patterns with them."""
    text = study.file.read_text()
    for name in ("images", "masks"):
        bucket.put_folder(study.folder / name, name)
        shutil.rmtree(study.folder / name)
        for phase in study.phases:
            written = f'"{name}/{{patient}}_{phase}.nii.gz"'
            assert written in text
            text = text.replace(written, f'"{bucket.of(f"{name}/{{patient}}_{phase}.nii.gz")}"')
    study.file.write_text(text)


def copies(cache: Path) -> list[Path]:
    """Return the copies of images and masks on this machine."""
    return [each for each in cache.glob("*") if each.is_dir()]
