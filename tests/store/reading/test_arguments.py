"""Arguments of the Python API: what could be taken for something else is refused before anything is read."""

import pytest
from builders.store import FEATURE_SET

from schemas.errors import UsageError
from store import open_store


@pytest.fixture
def reader(shared_store):
    """Give the small store, opened to read."""
    with open_store(shared_store.root) as opened:
        yield opened


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"primary": "no"}, "primary is True or False, not 'no'"),
        ({"wide": 1}, "wide is True or False, not 1"),
        ({"columns": [1]}, "columns are names, not 1"),
        ({"phases": 5}, "phases are names, not 5"),
    ],
)
def test_other_values_are_refused(reader, options, message):
    """What is no flag, or no name, ends with the argument's name and what to write."""
    with pytest.raises(UsageError, match=message) as refusal:
        reader.features(FEATURE_SET, **options)
    assert refusal.value.hint


def test_texts_are_texts(reader):
    """A query, a set, a dataset, a model: each is a text."""
    for ask in (reader.sql, reader.features, reader.dataset, reader.model):
        for value in (None, 5):
            with pytest.raises(UsageError, match=f"is a text, not {value!r}"):
                ask(value)


@pytest.mark.parametrize("path", [None, 5, b"store", "a\0b"])
def test_a_store_is_named_by_its_folder(path):
    """What is no path is said as such, before anything is opened."""
    with pytest.raises(UsageError, match="path is the path of a folder"):
        open_store(path)


@pytest.mark.parametrize("parameters", [[1], "n", {1: 2}])
def test_parameters_are_values_by_name(reader, parameters):
    """Lists, texts and numbers in place of names are refused."""
    with pytest.raises(UsageError, match=r"parameters are values by name|a parameter is a text"):
        reader.sql("select $n", parameters)
