"""Networks from files: TorchScript and ONNX give the numbers of the module they were made of, faults have reasons."""

from __future__ import annotations

import builtins
import io

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from schemas.errors import ContractError, UsageError
from schemas.study.own_sets import NetworkFileSettings
from zoo.networks.external import embedded, loaded_network, network_input, network_libraries
from zoo.networks.process import NetworkProcess, network_process

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

SHA = "0" * 64


class Tiny(nn.Module):
    """One convolution, ReLU, and a linear layer on the averages."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.convolution = nn.Conv2d(3, 6, 3, padding=1)
        self.linear = nn.Linear(6, 5)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the maps and the embedding."""
        maps = torch.relu(self.convolution(images))
        return {"embedding": self.linear(maps.mean(dim=(2, 3))), "maps": maps}


def torchscript(module: nn.Module = None) -> bytes:
    """Return a module as a TorchScript file."""
    buffer = io.BytesIO()
    module = (module or Tiny()).eval()
    torch.jit.save(torch.jit.trace(module, torch.zeros(2, 3, 8, 8), strict=False), buffer)
    return buffer.getvalue()


def onnx_file(module: Tiny | None = None) -> bytes:
    """Return the same network as an ONNX file, its graph written by hand."""
    module = module or Tiny()
    weights = {
        "kernel": module.convolution.weight,
        "bias": module.convolution.bias,
        "matrix": module.linear.weight,
        "shift": module.linear.bias,
    }
    nodes = [
        helper.make_node("Conv", ["images", "kernel", "bias"], ["convolved"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["convolved"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix", "shift"], ["embedding"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 5]),
            helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", 6, "h", "w"]),
        ],
        [numpy_helper.from_array(tensor.detach().numpy(), name) for name, tensor in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


CONTENT = {"net.pt": torchscript, "net.onnx": onnx_file}


def settings(file: str = "net.pt", **given) -> NetworkFileSettings:
    """Return settings of a file."""
    return NetworkFileSettings(file=file, sha256=SHA, regions="hcc-regions@1", trained_on="none", **given)


REGIONS = np.random.default_rng(0).normal(size=(5, 3, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("file", CONTENT)
def test_both_formats_give_the_modules_numbers(file):
    """Embeddings of a file are those of the PyTorch module, whichever way it was written, in any batches."""
    network = loaded_network(CONTENT[file](), settings(file))
    with torch.inference_mode():
        expected = Tiny().eval()(torch.from_numpy(REGIONS))
    for batch_size in (1, 2, 16):
        found = embedded(network, REGIONS, settings(file, batch_size=batch_size))
        np.testing.assert_allclose(np.stack(found), expected["embedding"].numpy(), rtol=1e-4, atol=1e-6)
    # Of maps the embedding is each channel's average.
    maps = loaded_network(CONTENT[file](), settings(file, output="maps"))
    found = np.stack(embedded(maps, REGIONS, settings(file, output="maps")))
    np.testing.assert_allclose(found, expected["maps"].mean(dim=(2, 3)).numpy(), rtol=1e-4, atol=1e-6)
    assert found.dtype == np.float32


def test_inputs_are_chosen_resized_and_normalised():
    """Slices or the middle one thrice, bilinear with antialiasing, one mean and deviation or one a channel."""
    plain = network_input(REGIONS, settings())
    np.testing.assert_array_equal(plain, REGIONS)
    middle = network_input(REGIONS[:, :2], settings(channels="middle", mean=(0.5,), std=(2.0,)))
    np.testing.assert_allclose(middle, np.repeat((REGIONS[:, 1:2] - 0.5) / 2, 3, axis=1), rtol=1e-6)
    each = network_input(REGIONS, settings(mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 4.0)))
    np.testing.assert_allclose(each[:, 2], (REGIONS[:, 2] - 3) / 4, rtol=1e-6)
    small = network_input(REGIONS, settings(size=8))
    reference = functional.interpolate(torch.from_numpy(REGIONS), (8, 8), mode="bilinear", antialias=True)
    np.testing.assert_array_equal(small, reference.numpy())
    with pytest.raises(ContractError, match="mean has 2 numbers"):
        network_input(REGIONS, settings(mean=(1.0, 2.0)))


class Moody(nn.Module):
    """Gives no number for a region whose first pixel is negative, and refuses one that is all zero."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return two numbers."""
        if bool((images == 0).flatten(1).all(dim=1).any()):
            raise ValueError("an empty region")
        return images[:, 0, 0, :2].log()


def test_a_fault_of_one_region_costs_one_embedding():
    """What is no number, and what the network refuses, has a reason; the others of its batch keep their numbers."""
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Moody()), buffer)
    regions = np.abs(REGIONS[:4]).copy()
    regions[1, 0, 0, 0] = -1
    regions[2] = 0
    found = embedded(loaded_network(buffer.getvalue(), settings()), regions, settings())
    assert found[1] == "the embedding holds values that are no numbers"
    assert "an empty region" in found[2]
    for position in (0, 3):
        np.testing.assert_allclose(found[position], np.log(regions[position, 0, 0, :2]), rtol=1e-6)


@pytest.mark.parametrize("file", CONTENT)
def test_files_that_are_no_networks_and_outputs_that_are_not_there(file):
    """Neither is guessed: the error names the format, or the outputs that there are."""
    with pytest.raises(ContractError, match="the file is no"):
        loaded_network(b"nothing of the kind", settings(file))
    wanted = settings(file, output="other")
    if file.endswith("onnx"):
        with pytest.raises(ContractError, match="no output 'other'; it has embedding, maps"):
            loaded_network(onnx_file(), wanted)
    else:
        assert embedded(loaded_network(torchscript(), wanted), REGIONS[:1], wanted) == [
            "the network has no output 'other'; it has embedding, maps"
        ]


def test_without_onnx_runtime_the_error_names_the_extra(monkeypatch):
    """An ONNX file needs an optional package: what to install is said, and TorchScript needs none."""
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as caught:
        loaded_network(onnx_file(), settings("net.onnx"))
    assert caught.value.hint == "pip install 'radzoo[onnx]'"
    with pytest.raises(UsageError):
        network_libraries(settings("net.onnx"))
    assert set(network_libraries(settings("net.pt"))) == {"torch"}


def test_what_a_study_file_may_say():
    """TorchScript needs its hash, a file a known ending, and every network a word on what it was trained on."""
    whole = {"file": "net.onnx", "regions": "hcc-regions", "trained_on": "none"}
    assert NetworkFileSettings(**whole).format == "onnx"
    for wrong, said in (
        (whole | {"file": "net.pt"}, "give its sha256"),
        (whole | {"file": "net.h5"}, "neither TorchScript nor ONNX"),
        (whole | {"sha256": "abc"}, "sha256"),
        ({name: value for name, value in whole.items() if name != "trained_on"}, "trained_on"),
        (whole | {"std": (0.0,)}, "std"),
        (whole | {"mean": ()}, "one number, or one for each channel"),
    ):
        with pytest.raises(ValidationError, match=said):
            NetworkFileSettings(**wrong)


def test_path_and_batch_do_not_decide_an_embedding():
    """What is hashed into the definition leaves out where the file lies and how many regions go together."""
    first = settings("a/net.onnx", batch_size=1)
    assert first.deciding() == settings("b/net.onnx", batch_size=64).deciding()
    assert first.deciding() != settings("a/net.onnx", size=8).deciding()


def test_weights_in_other_files_are_refused():
    """An ONNX file that names other files is refused, in a constant of a node too, before ONNX Runtime reads it."""
    model = onnx.load_from_string(onnx_file())
    tensor = model.graph.initializer[0]
    node = model.graph.node.add(op_type="Constant", output=["constant"])
    node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor)
    for outside in (tensor, node.attribute[0].t):
        changed = onnx.ModelProto()
        outside.data_location = TensorProto.EXTERNAL
        outside.external_data.add(key="location", value="/etc/passwd")
        changed.CopyFrom(model)
        outside.data_location = TensorProto.DEFAULT
        del outside.external_data[:]
        with pytest.raises(ContractError, match="keeps weights in other files"):
            loaded_network(changed.SerializeToString(), settings("net.onnx"))
    assert loaded_network(model.SerializeToString(), settings("net.onnx")) is not None


def test_a_hostile_program_ends_within_its_limits(tmp_path):
    """A TorchScript file cannot write, and one that never ends is refused after its seconds; another one answers."""
    target = tmp_path / "target"
    target.write_bytes(bytes(4000))
    program = settings("net.pt", seconds=2)
    with network_process(program) as process:
        for code in (
            f'x = torch.from_file("{target}", True, 1000).fill_(1.0)\nreturn images.flatten(1) + x.sum()',
            "while True:\n    images = images + 1\nreturn images",
        ):
            module = type("Network", (torch.jit.ScriptModule,), {})()
            lines = "".join(f"    {line}\n" for line in code.splitlines())
            module.define(f"def forward(self, images: Tensor):\n{lines}")
            buffer = io.BytesIO()
            torch.jit.save(module, buffer)
            with NetworkProcess(buffer.getvalue(), program, process) as network:
                if "while" in code:
                    with pytest.raises(ContractError, match="cannot be applied: it takes longer than 2 s"):
                        network.embeddings(REGIONS[:1])
                else:
                    (reason,) = network.embeddings(REGIONS[:1])
                    assert "Permission denied" in reason
    assert target.read_bytes() == bytes(4000)
