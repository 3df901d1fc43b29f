"""``radzoo models zoo``: every member with a line, and nothing heavy loaded for it."""

from __future__ import annotations

import json
import subprocess
import sys

from flows.cli.main import exit_code
from zoo.registry import REGISTRY


def test_every_member_has_a_line_with_what_it_is_reads_and_needs(capsys):
    """The list is the registry's, in its order: inputs, whether a network, one sentence, what the study file needs."""
    assert exit_code(["models", "zoo"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines[: len(REGISTRY)]] == list(REGISTRY)
    for line, spec in zip(lines, REGISTRY.values(), strict=False):
        assert spec.description in line
        assert (" yes " in line) == spec.is_network
        assert line.endswith(spec.needs)
    assert "radzoo bench" in lines[-1]


def test_the_list_is_data_too(capsys):
    """--json has the variables of a published score with their units."""
    assert exit_code(["--json", "models", "zoo"]) == 0
    rows = {row["model"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(REGISTRY)
    assert rows["albi"]["variables"] == {"tbil": "umol/L", "alb": "g/L"}
    assert rows["dlrcr"]["needs"] == "factors, a feature set, a set of regions"
    assert rows["dlrcr"]["network"] is True
    assert rows["cr"]["variables"] == {}


def test_the_list_loads_no_library_of_learning():
    """scikit-learn, torch and the like are not imported to list names, nor is Prefect or a table library."""
    heavy = ("sklearn", "torch", "xgboost", "prefect", "polars", "numpy", "duckdb", "SimpleITK")
    code = (
        "import sys; from flows.cli.main import exit_code; assert exit_code(['models', 'zoo']) == 0; "
        f"print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []
