"""Altered and hostile network files: ``python -m tests.attacks.networks --count 300 --seed 1``.

ONNX and TorchScript files that a study brings along, mutated by a seed and made by hand. Wrong is: an error that is
none of the project's, more time than the limits give, a file that is written, and an embedding that is no number.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from schemas.errors import ContractError
from schemas.study.own_sets import NetworkFileSettings
from tests.attacks.made.model_mutations import mutated_bytes
from tests.attacks.made.small_models import zipped
from zoo.networks.process import NetworkProcess, network_process

__all__ = ["attack", "hand_made", "mutants"]

Case = tuple[str, str, bytes]
"""The file's name, what was done, and its content."""

_REGIONS = np.random.default_rng(0).normal(size=(3, 3, 8, 8)).astype(np.float32)
_SECONDS = 4.0
_BAD = ("foreign error", "too long", "no numbers", "written")


def settings(file: str) -> NetworkFileSettings:
    """Return settings of a file, with limits that a test can wait for."""
    return NetworkFileSettings(
        file=file, sha256="0" * 64, regions="r@1", trained_on="none", seconds=_SECONDS, memory_gb=0.5
    )


def onnx_file(
    nodes: Iterable[onnx.NodeProto] | None = None,
    initializers: Iterable[onnx.TensorProto] = (),
    *,
    outputs: tuple[str, ...] = ("embedding",),
    **model: object,
) -> bytes:
    """Return a small ONNX file; the averages of the channels where no nodes are given."""
    own = nodes or [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
    ]
    graph = helper.make_graph(
        list(own),
        "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        list(initializers),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **model)
    return made.SerializeToString()


def torchscript(code: str, *, name: str = "net.pt") -> Case:
    """Return a TorchScript file whose network runs some code on ``images``."""
    source = "def forward(self, images: Tensor):\n" + "".join(f"    {line}\n" for line in code.splitlines())
    module = type("Network", (torch.jit.ScriptModule,), {})()
    module.define(source)
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    return name, code.splitlines()[0], buffer.getvalue()


def _outside(tensor: onnx.TensorProto, location: str) -> onnx.TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def _add(constant: onnx.TensorProto) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Constant", [], ["c"], value=constant),
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("Add", ["flat", "c"], ["embedding"]),
    ]


def _shape(*sides: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(sides, dtype=np.int64), "shape")


def _loop(trips: int) -> list[onnx.NodeProto]:
    """Return a loop that passes its state on, and never says that it is done."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go2"]), helper.make_node("Sin", ["x"], ["x2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x2", TensorProto.FLOAT, None),
        ],
    )
    count = numpy_helper.from_array(np.array(trips, dtype=np.int64), "trips")
    yes = numpy_helper.from_array(np.array(True), "yes")
    return [
        helper.make_node("Constant", [], ["trips"], value=count),
        helper.make_node("Constant", [], ["yes"], value=yes),
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("Loop", ["trips", "yes", "flat"], ["embedding"], body=body),
    ]


def _onnx_cases() -> Iterator[Case]:
    for location in ("weights.bin", "../weights.bin", "/etc/passwd", "", "a\0b"):
        small = numpy_helper.from_array(np.ones(4, dtype=np.float32), "w")
        yield "n.onnx", f"weights in {location!r}", onnx_file(initializers=[_outside(small, location)])
    constant = numpy_helper.from_array(np.ones(1, dtype=np.float32), "w")
    yield "n.onnx", "constant outside", onnx_file(_add(_outside(constant, "w.bin")))
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["y"], value=_outside(constant, "w.bin"))],
        "b",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    yield (
        "n.onnx",
        "constant outside, in a branch",
        onnx_file([helper.make_node("If", ["yes"], ["embedding"], then_branch=branch, else_branch=branch)], [yes]),
    )
    for trips in (10**12, 2**62):
        yield "n.onnx", f"loop of {trips}", onnx_file(_loop(trips))
    for sides in ((10**12,), (10**5, 10**5), (2**62,), (-5,)):
        filled = [helper.make_node("ConstantOfShape", ["shape"], ["embedding"])]
        yield "n.onnx", f"constant of shape {sides}", onnx_file(filled, [_shape(*sides)])
    one = numpy_helper.from_array(np.ones((1, 1), dtype=np.float32), "one")
    for kind in ("Expand", "Tile"):
        grown = [helper.make_node(kind, ["one", "shape"], ["embedding"])]
        yield "n.onnx", f"{kind} to 40 GB", onnx_file(grown, [one, _shape(10**5, 10**5)])
    own = helper.make_node("Own", ["images"], ["embedding"], domain="own.ops")
    yield "n.onnx", "operator of nobody", onnx_file([own])
    yield (
        "n.onnx",
        "log of a negative",
        onnx_file(
            [
                helper.make_node("Neg", ["images"], ["a"]),
                helper.make_node("Abs", ["a"], ["b"]),
                helper.make_node("Neg", ["b"], ["c"]),
                helper.make_node("Log", ["c"], ["d"]),
                helper.make_node("Flatten", ["d"], ["embedding"]),
            ]
        ),
    )
    yield "n.onnx", "output of another length", onnx_file([helper.make_node("Constant", [], ["embedding"], value=one)])
    yield "n.onnx", "output that is not there", onnx_file(outputs=("other",))
    yield "n.onnx", "no output", onnx_file(outputs=())
    yield "n.onnx", "the runtime's other format", b"\x18\0\0\0ORTM" + b"\0" * 100
    yield "n.onnx", "nothing", b""
    yield "n.onnx", "one byte", b"\x08"
    yield "n.onnx", "endless number", b"\xff" * 100
    yield "n.onnx", "length beyond the end", b"\x3a\xff\xff\xff\xff\x0f"
    yield "n.onnx", "a group", b"\x0b" * 1000
    nested = b""
    for _ in range(20_000):
        nested = b"\x32" + _length(nested) + nested  # an attribute's graph
        if len(nested) > 60_000:
            break
    yield "n.onnx", "graphs in graphs", b"\x3a" + _length(nested) + nested
    yield "n.onnx", "many empty parts", b"\x3a" + _length(b"\x0a\x00" * 3_000_000) + b"\x0a\x00" * 3_000_000
    yield "n.onnx", "a zip", zipped({"a": b"a"})


def _length(content: bytes) -> bytes:
    left, found = len(content), bytearray()
    while True:
        found.append((left & 0x7F) | (0x80 if left > 0x7F else 0))
        left >>= 7
        if not left:
            return bytes(found)


def _torchscript_cases(target: str) -> Iterator[Case]:
    for code in (
        "while True:\n    images = images + 1\nreturn images",
        "x = torch.zeros([100000, 100000])\nreturn x",
        "x = images.flatten(1)\nfor i in range(60):\n    x = torch.cat([x, x], 1)\nreturn x",
        "a = [images]\nwhile True:\n    a.append(images + 1)\nreturn a[0]",
        f'x = torch.from_file("{target}", True, 1000)\nreturn images.flatten(1) + x.sum()',
        'x = torch.from_file("/etc/hostname", False, 1)\nreturn images.flatten(1) + x.sum()',
        "raise RuntimeError('\33[2Jcleared')\nreturn images",
        "return 'text'",
        "return images.flatten(1).log()",
        "return images[:1].flatten(1)",
        "return images.sum()",
        "return torch.empty([0, 0])",
        "return images.flatten(1) * torch.ones([3000000000])",
        "return images.flatten(1).view([-1, 1]) + images.flatten()",
        "x = images.reshape(-1)\nreturn torch.as_strided(x, [3, 5], [100000000, 1])",
        "return torch.empty([3, 4]).fill_(float('nan'))",
    ):
        yield torchscript(code)
    yield "net.pt", "nothing", b""
    yield "net.pt", "a bomb", zipped({"net/data.pkl": b"\0" * (400 << 20)}, zipfile.ZIP_DEFLATED)
    yield "net.pt", "a pickle", b"\x80\x02cposix\nsystem\nX\x04\0\0\0true\x85R."


def _averages() -> bytes:
    class Averages(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3))

    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(Averages(), torch.zeros(2, 3, 8, 8)), buffer)
    return buffer.getvalue()


def hand_made(target: str) -> Iterator[Case]:
    """Give every file that was made by hand; none of them may write ``target``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _onnx_cases()
        yield from _torchscript_cases(target)


def mutants(seed: int, count: int) -> Iterator[Case]:
    """Give mutated files; the same for the same seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = {"n.onnx": onnx_file(), "net.pt": _averages()}
    for number in range(count):
        draw = random.Random(1_000_003 * seed + number)  # noqa: S311
        file = draw.choice(list(whole))
        yield file, f"{seed}/{number}", mutated_bytes(draw, whole[file])


def attack(cases: Iterable[Case], target: Path, *, say: Callable[[str], None] = print) -> Counter:
    """Ask every network for the embeddings of a few regions, and return how often what came of it."""
    outcomes: Counter = Counter()
    processes = {suffix: network_process(settings(f"n.{suffix}")) for suffix in ("onnx", "pt")}
    try:
        for file, name, content in cases:
            process = processes[file.rpartition(".")[2]]
            process.call(int)
            began = time.monotonic()
            try:
                with NetworkProcess(content, settings(file), process) as network:
                    found = network.embeddings(_REGIONS)
                fine = all(isinstance(each, str) or np.isfinite(each).all() for each in found)
                answers = "embeddings" if any(not isinstance(each, str) for each in found) else "reasons"
                outcome, words = (answers if fine else "no numbers"), str(found[:1])[:200]
            except ContractError as error:
                outcome, words = "refused", str(error)
            except Exception:
                outcome, words = "foreign error", traceback.format_exc()
            if target.exists() and target.stat().st_size != 4000:
                outcome = "written"
            # One region, the batch, and three one by one: each within its limit.
            if time.monotonic() - began > 5 * _SECONDS + 10:
                outcome = "too long"
            outcomes[outcome] += 1
            if outcome in _BAD:
                say(f"{file} {name}: {outcome} after {time.monotonic() - began:.1f} s: {words}")
    finally:
        for process in processes.values():
            process.close()
    return outcomes


def main() -> int:
    """Run the attack, print the counts, and return 1 where one is bad."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "target"
        target.write_bytes(b"\0" * 4000)
        by_hand = attack(hand_made(str(target)), target)
        print("made by hand:", dict(by_hand))
        drawn = attack(mutants(given.seed, given.count), target)
        print("mutants:", dict(drawn))
    return int(any((by_hand + drawn)[name] for name in _BAD))


if __name__ == "__main__":
    sys.exit(main())
