"""Embeddings by a study's own network: computed once, named by content, refused where the file is another."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from builders.study import counts
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from flows.cli.main import exit_code
from flows.refresh.run import refresh, stored_study
from schemas.errors import ContractError, NotFoundError
from store.rows.regions import stored_regions
from store.verification.verify import store_verification
from zoo.registry import model_spec
from zoo.tables.inputs import model_inputs
from zoo.tables.model_table import model_table

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

SETS = """
[define.crops.regions]
size = 8
registration.method = "none"

[define.foreign]
description = "a network from elsewhere"

[define.foreign.network]
file = "{file}"
{hash}regions = "crops"
trained_on = "{trained_on}"
mean = [0.5]
std = [2.0]
"""


class Shallow(nn.Module):
    """One convolution with stride 2 and the averages of what is positive; no number where a pixel is over a bound."""

    def __init__(self, bound: float = float("inf")) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.convolution = nn.Conv2d(3, 4, 3, stride=2)
        self.bound = bound

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return four numbers a region."""
        found = torch.relu(self.convolution(images)).mean(dim=(2, 3))
        is_over = images.amax(dim=(1, 2, 3)) > self.bound
        return torch.where(is_over[:, None], torch.nan, found)


def write_network(folder, name, module):
    """Write a network beside the study file and return its hash."""
    file = folder / name
    if name.endswith(".pt"):
        torch.jit.save(torch.jit.trace(module.eval(), torch.zeros(2, 3, 8, 8)), file)
    else:
        weights = {"kernel": module.convolution.weight, "bias": module.convolution.bias}
        nodes = [
            helper.make_node("Conv", ["images", "kernel", "bias"], ["convolved"], strides=[2, 2]),
            helper.make_node("Relu", ["convolved"], ["positive"]),
            helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["embedding"]),
        ]
        graph = helper.make_graph(
            nodes,
            "shallow",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 8, 8])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 4])],
            [numpy_helper.from_array(tensor.detach().numpy(), key) for key, tensor in weights.items()],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def with_network(study, name="own.pt", *, module=None, trained_on="none", digest=None):
    """Let a study ask for regions and for the embeddings of a network, and return the network's hash."""
    found = write_network(study.folder, name, module or Shallow())
    study.edit('feature_sets = ["quick"]', 'feature_sets = ["crops", "foreign"]')
    sha256 = f'sha256 = "{digest or found}"\n'
    study.file.write_text(study.file.read_text() + SETS.format(file=name, hash=sha256, trained_on=trained_on))
    return found


def refreshed(study, **options):
    """Ingest, compute the regions in this process, refresh, and return the report of the network's set."""
    study.ingest()
    study.stage()
    *_, report = refresh(study.store, study.study_id, workers=1, **options)
    return report


@pytest.mark.parametrize("name", ["own.pt", "own.onnx"])
def test_every_region_gets_the_networks_numbers_once(small_study, name):
    """Embeddings are those of the module on the stored, normalised regions; a second refresh computes nothing."""
    digest = with_network(small_study, name)
    report = refreshed(small_study)
    assert (report.feature_set, report.features, counts(report)) == ("foreign@1", 4, (8, 0, 0, 0))
    rows = small_study.sql("from embeddings order by patient, phase")
    assert len(rows) == 8
    assert {row["weights_sha256"] for row in rows} == {digest}
    assert {(row["in_training"], row["split_sha256"], row["fold"]) for row in rows} == {(None, None, None)}
    regions = {(row["patient"], row["phase"]): row["extraction_id"] for row in small_study.sql("from crops")}
    stored = stored_regions(small_study.snapshot, "crops@1", regions.values())
    for row in rows:
        pixels = torch.from_numpy((stored[regions[row["patient"], row["phase"]]] - 0.5) / 2)
        with torch.inference_mode():
            expected = Shallow()(pixels[None])[0].numpy()
        np.testing.assert_allclose(row["embedding"], expected, rtol=1e-4, atol=1e-6)
    again = refreshed(small_study)
    assert (counts(again), again.commit_id) == ((0, 0, 0, 8), None)
    assert store_verification(small_study.store, quick=True).is_clean


def test_another_study_and_another_path_reuse_what_is_there(small_study):
    """The file's content counts, not where it lies; a changed network or normalisation is a new version."""
    digest = with_network(small_study)
    refreshed(small_study)
    second = small_study.another()
    with_network(second, "renamed.pt", digest=digest)
    # TorchScript holds the name it was saved under: the same content is a copy.
    shutil.copy(small_study.folder / "own.pt", second.folder / "renamed.pt")
    assert counts(refreshed(second)) == (0, 8, 0, 0)
    second.edit("mean = [0.5]", "mean = [0.25]")
    report = refreshed(second)
    assert (report.feature_set, counts(report)) == ("foreign@2", (8, 0, 0, 0))


def test_a_region_without_numbers_is_a_failure_row(small_study):
    """What the network gives no number for is one failure with its reason, tried again only when asked."""
    stated = with_network(small_study)
    small_study.ingest()
    small_study.stage()
    refresh(small_study.store, "small", feature_set="crops", workers=1)
    regions = {(row["patient"], row["phase"]): row["extraction_id"] for row in small_study.sql("from crops")}
    stored = stored_regions(small_study.snapshot, "crops@1", regions.values())
    highest = sorted((float(stored[identity].max()), key) for key, identity in regions.items())
    bound = ((highest[-2][0] + highest[-1][0]) / 2 - 0.5) / 2
    small_study.edit(stated, write_network(small_study.folder, "own.pt", Shallow(bound)))
    report = refreshed(small_study)
    assert counts(report) == (7, 0, 1, 0)
    (failure,) = small_study.sql("from failures where stage = 'refresh'")
    assert (failure["patient"], failure["phase"]) == highest[-1][1]
    assert failure["reason"] == "the embedding holds values that are no numbers"
    assert counts(refreshed(small_study)) == (0, 0, 1, 7)
    assert counts(refreshed(small_study, retry_failed=True)) == (0, 0, 1, 7)


def test_another_file_than_stated_is_not_loaded(small_study):
    """A hash that does not match, and a file that is not there, end the refresh before anything is loaded."""
    with_network(small_study, digest="0" * 64)
    with pytest.raises(ContractError, match="is another than the study file says"):
        refreshed(small_study)
    (small_study.folder / "own.pt").unlink()
    with pytest.raises(NotFoundError, match="is not there"):
        refreshed(small_study)
    assert small_study.sql("from embeddings") == []


@pytest.mark.parametrize(("trained_on", "refused"), [("none", False), ("these patients", True)])
def test_a_model_may_learn_from_a_network_that_saw_no_label(small_study, trained_on, refused):
    """Embeddings of a foreign network are columns of a model's table; one trained on these patients is refused."""
    with_network(small_study, trained_on=trained_on)
    small_study.file.write_text(small_study.file.read_text() + '\n[models.radiomics_lr]\nfeature_set = "foreign"\n')
    refreshed(small_study)
    study = stored_study(small_study.snapshot, "small")
    inputs = model_inputs(study, model_spec("radiomics_lr"))
    if refused:
        assert {row["in_training"] for row in small_study.sql("from embeddings")} == {True}
        with pytest.raises(ContractError, match="trained on this patient's label"):
            model_table(small_study.snapshot, study, inputs)
    else:
        table = model_table(small_study.snapshot, study, inputs)
        assert table.columns == [f"{phase}__embedding_{n:04}" for phase in ("AP", "DP") for n in range(4)]
        assert table.frame.height == 4


def test_a_dry_run_counts_and_a_selected_set_is_the_only_one(small_study, capsys):
    """--dry-run tells what would be computed once the regions are there, and the verb's JSON has the set's line."""
    with_network(small_study)
    small_study.ingest()
    small_study.stage()
    refresh(small_study.store, "small", feature_set="crops", workers=1)
    where = ["--store", str(small_study.store_root), "--json", "refresh", "--feature-set", "foreign"]
    assert exit_code([*where, "--dry-run"]) == 0
    (line,) = json.loads(capsys.readouterr().out)["feature_sets"]
    assert (line["feature_set"], line["computed"]) == ("foreign@1", 8)
    assert small_study.sql("from embeddings") == []
    assert exit_code(where) == 0
    assert len(small_study.sql("from embeddings")) == 8


def test_a_network_that_reads_no_regions_of_the_study_is_refused(small_study):
    """The study file names the set of regions among its own; the error has the line."""
    with_network(small_study)
    small_study.edit('regions = "crops"', 'regions = "quick"')
    with pytest.raises(ContractError, match="no set of regions among feature_sets"):
        small_study.ingest()
