"""docs/write_hashes.py: which files of a version get a hash."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def hashes():
    """Give the script."""
    spec = importlib.util.spec_from_file_location("write_hashes", ROOT / "docs" / "write_hashes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("filename", "is_usable"),
    [
        ("iniconfig-2.3.1-py3-none-any.whl", True),
        ("toml-0.10.2-py2.py3-none-any.whl", True),
        ("markupsafe-3.0.4-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", True),
        ("cryptography-50.0.2-cp311-abi3-win_amd64.whl", True),
        ("cryptography-50.0.2-cp37-abi3-manylinux_2_28_aarch64.whl", True),
        ("markupsafe-3.0.4-cp311-cp311-macosx_11_0_arm64.whl", True),
        ("markupsafe-3.0.4-cp310-cp310-win_amd64.whl", False),
        ("markupsafe-3.0.4-cp313-cp313t-win_amd64.whl", False),
        ("cryptography-50.0.2-cp314-abi3-win_amd64.whl", False),
        ("markupsafe-3.0.4-cp312-cp312-manylinux_2_17_ppc64le.whl", False),
        ("old-1.0-py2-none-any.whl", False),
        ("docopt-0.6.2.tar.gz", False),
    ],
)
def test_wheels_of_our_pythons_and_platforms_are_taken(hashes, filename, is_usable):
    """A wheel is taken where Python 3.11, 3.12 or 3.13 installs it on Linux, macOS or Windows."""
    assert hashes.is_usable_wheel(filename) is is_usable


def test_a_version_has_the_hashes_of_its_own_files(hashes):
    """Other versions, yanked files and the source beside a wheel are left out; without a wheel the source counts."""
    files = [
        {"filename": "a_b-1.0-py3-none-any.whl", "hashes": {"sha256": "1" * 64}},
        {"filename": "a-b-1.0.tar.gz", "hashes": {"sha256": "2" * 64}},
        {"filename": "a_b-1.0.1-py3-none-any.whl", "hashes": {"sha256": "3" * 64}},
        {"filename": "a_b-1.0-py3-none-win_amd64.whl", "hashes": {"sha256": "4" * 64}, "yanked": True},
        {"filename": "a_b_c-1.0-py3-none-any.whl", "hashes": {"sha256": "5" * 64}},
    ]
    assert hashes.requirement("A.b", "1.0", files) == ["A.b==1.0 \\", f"    --hash=sha256:{'1' * 64}"]
    assert hashes.requirement("a-b", "1.0", files[1:]) == ["a-b==1.0 \\", f"    --hash=sha256:{'2' * 64}"]
    with pytest.raises(SystemExit, match="names no file"):
        hashes.requirement("a-b", "2.0", files)


def test_what_is_pinned_is_read_and_no_index_is_written_down(hashes):
    """Each line of constraints.txt is a package and its version; the script names no address of an index."""
    text = (ROOT / "constraints.txt").read_text()
    pinned = list(hashes.pinned(text))
    assert len(pinned) == sum(not line.startswith("#") for line in text.splitlines())
    assert {name for name, _ in pinned} >= {"prefect", "torch", "numpy"}
    assert "http" not in (ROOT / "docs" / "write_hashes.py").read_text()
