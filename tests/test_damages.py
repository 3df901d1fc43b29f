"""A share of tests/attacks/damages.py: found by verify, never served as an answer, repaired where that is proven."""

import pytest
from attacks.damages import DAMAGES, Range

SHARE = (
    "segment: a bit flipped",
    "datasets: two swapped",
    "model: a foreign file in its folder",
    "leaderboard: one AUC",
    "split member deleted",
)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Return a store to be damaged, its backup and its answers."""
    return Range(tmp_path_factory.mktemp("damages"))


def test_there_are_damages_of_every_kind():
    """The list is long enough to mean something, and no name stands twice."""
    names = [damage.name for damage in DAMAGES]
    assert len(names) == len(set(names)) >= 40
    assert set(SHARE) <= set(names)


@pytest.mark.parametrize("name", SHARE)
def test_a_damage_is_found_and_repaired_and_never_served(field, name):
    """Verify finds it; readers give an error or the right value; what can be repaired is as before."""
    (damage,) = [damage for damage in DAMAGES if damage.name == name]
    assert field.faults(damage) == []
