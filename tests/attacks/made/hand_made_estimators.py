"""Altered estimators made by hand: archives, arrays, boosters and weights, each with hashes that fit."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.attacks.made.small_models import ExportedFolder, nodes, zipped
from zoo.saving.files import ESTIMATOR

__all__ = ["archives", "boosters", "estimators", "weights"]

Alter = Callable[[ExportedFolder], None]
Json = dict[str, Any]


def _whole(name: str, content: bytes) -> Alter:
    def change(folder: ExportedFolder) -> None:
        folder.write(name, content)
        folder.seal()

    return change


def _npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def _first_array(content: bytes) -> Alter:
    def change(schema: Json, members: dict[str, bytes]) -> None:
        members[next(name for name in members if name.endswith(".npy"))] = content

    return lambda folder: folder.edit_archive(change)


def _first_node(loader: str, change: Callable[[Json, Json], None]) -> Alter:
    def alter(schema: Json, members: dict[str, bytes]) -> None:
        change(next(node for _, _, node in nodes(schema) if node["__loader__"] == loader), schema)

    return lambda folder: folder.edit_archive(alter)


def _becomes(**node: Any) -> Alter:
    def change(found: Json, schema: Json) -> None:
        found.clear()
        found.update(node)

    return _first_node("JsonNode", change)


def archives() -> Iterator[tuple[str, str, Alter]]:
    """Give archives that are none, or say more than a model's."""

    def rewritten(make: Callable[[dict[str, bytes]], bytes]) -> Alter:
        def alter(folder: ExportedFolder) -> None:
            with zipfile.ZipFile(folder.path / ESTIMATOR) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            folder.write(ESTIMATOR, make(members))
            folder.seal()

        return alter

    def with_member(name: str, content: bytes = b"x") -> Alter:
        return rewritten(lambda members: zipped({**members, name: content}))

    def twice(members: dict[str, bytes]) -> bytes:
        content = zipped({**members, "zchema.json": b"{}"})
        return content.replace(b"zchema.json", b"schema.json")

    def encrypted(members: dict[str, bytes]) -> bytes:
        content = bytearray(zipped(members))
        at = content.rindex(b"PK\x01\x02")
        content[at + 8] |= 1
        return bytes(content)

    def overlapping(members: dict[str, bytes]) -> bytes:
        content = bytearray(zipped({**members, "0.npy": b"x" * 10, "00.npy": b"y" * 10}))
        first = content.index(b"PK\x01\x02" + content[content.rindex(b"PK\x01\x02") + 4 :][:2])
        struct.pack_into("<I", content, first + 24, 2**31)
        return bytes(content)

    lr = "radiomics_lr"
    yield lr, "compressed", rewritten(lambda members: zipped(members, zipfile.ZIP_DEFLATED))
    yield lr, "bomb", rewritten(lambda m: zipped({**m, "0.npy": b"\0" * (300 << 20)}, zipfile.ZIP_DEFLATED))
    yield lr, "schema twice", rewritten(twice)
    yield lr, "encrypted", rewritten(encrypted)
    yield lr, "size that is not there", rewritten(overlapping)
    yield lr, "20,000 members", rewritten(lambda m: zipped({**m, **{f"x{n}.npy": b"" for n in range(20_000)}}))
    yield lr, "no schema", rewritten(lambda m: zipped({k: v for k, v in m.items() if k != "schema.json"}))
    yield lr, "no member", rewritten(lambda m: zipped({"schema.json": m["schema.json"]}))
    yield lr, "schema a list", rewritten(lambda m: zipped({**m, "schema.json": b"[]"}))
    yield lr, "schema nested", rewritten(lambda m: zipped({**m, "schema.json": b"[" * 1_000_000}))
    yield (
        lr,
        "schema of empty lists",
        rewritten(lambda m: zipped({**m, "schema.json": b"[" + b"[]," * (10 << 20) + b"[]]"})),
    )
    yield lr, "schema of 40 MB", rewritten(lambda m: zipped({**m, "schema.json": m["schema.json"] + b" " * (40 << 20)}))
    for name in ("../x.npy", "/x.npy", "a/b.npy", "..\\x.npy", "x.py", "schema.json/x.npy", "C:x.npy", ".npy"):
        yield lr, f"member {name}", with_member(name)
    yield lr, "member that nothing needs", with_member("9999.npy")
    yield lr, "no archive", _whole(ESTIMATOR, b"PK\x03\x04 and so on")
    yield lr, "empty archive", _whole(ESTIMATOR, b"")
    yield lr, "a pickle", _whole(ESTIMATOR, pickle.dumps({"a": 1}))
    for header, body in (
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}", b"\0" * 8),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", b"\0" * 8),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1000000000000000)}", b""),
        ("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000000,)}", b""),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", pickle.dumps([print])),
        ("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
        ("{'descr': '|V8', 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
        ("{'descr': '<c16', 'fortran_order': False, 'shape': (1,)}", b"\0" * 16),
        ("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}", b"\0" * 8),
        ("{'descr': [('a', '<f8', (1000000, 1000000))], 'fortran_order': False, 'shape': ()}", b""),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 40 + ")}", b"\0" * 8),
        ("__import__('os').system('true')", b""),
        ("[" * 1000, b""),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", b"\0" * 15),
    ):
        yield lr, f"array {header[:70]}", _first_array(_npy(header, body))
    yield lr, "array of version 9", _first_array(b"\x93NUMPY\x09\x00" + b"\0" * 20)
    plain = {"content": "1", "is_json": True, "__id__": 987654}
    for name, node in (
        ("os.system", {"__loader__": "FunctionNode", "__module__": "posix", "__class__": "system"}),
        ("eval", {"__loader__": "TypeNode", "__module__": "builtins", "__class__": "eval"}),
        ("partial", {"__loader__": "PartialNode", "__module__": "functools", "__class__": "partial"}),
        ("method", {"__loader__": "MethodNode", "__module__": "builtins", "__class__": "str"}),
        ("attrgetter", {"__loader__": "OperatorFuncNode", "__module__": "operator", "__class__": "attrgetter"}),
        ("sparse", {"__loader__": "SparseMatrixNode", "__module__": "scipy.sparse._csr", "__class__": "csr_matrix"}),
        ("generator", {"__loader__": "RandomGeneratorNode", "__module__": "numpy.random", "__class__": "Generator"}),
        ("tree", {"__loader__": "TreeNode", "__module__": "sklearn.tree._tree", "__class__": "Tree"}),
        ("cached", {"__loader__": "CachedNode", "__module__": "builtins", "__class__": "str", "__id__": 1}),
        ("reduce", {"__loader__": "ConstructorFromReduceNode", "__module__": "pathlib", "__class__": "PosixPath"}),
        ("no loader", {"__loader__": "Nothing", "__module__": "builtins", "__class__": "str"}),
        (
            "text of files",
            {
                "__loader__": "ObjectNode",
                "__module__": "sklearn.feature_extraction.text",
                "__class__": "CountVectorizer",
            },
        ),
        (
            "function",
            {
                "__loader__": "ObjectNode",
                "__module__": "sklearn.preprocessing._function_transformer",
                "__class__": "FunctionTransformer",
            },
        ),
    ):
        yield lr, f"node of {name}", _becomes(**plain | node)
    json_node = {"__loader__": "JsonNode", "__module__": "builtins", "__class__": "str"}
    for content in ("[" * 100_000, "1" * 10_000, "{}", "", 5, "nan", "\ud800"):
        yield lr, f"plain value {str(content)[:20]!r}", _becomes(**json_node | plain | {"content": content})
    yield lr, "contains itself", _first_node("DictNode", lambda node, schema: node.update(__id__=schema["__id__"]))
    yield lr, "keys without types", _first_node("DictNode", lambda node, schema: node.pop("key_types"))
    yield lr, "list without content", _first_node("ListNode", lambda node, schema: node.pop("content"))


def _array_of(owner: str, attribute: str, change: Callable[[np.ndarray], np.ndarray]) -> Alter:
    """Return what changes an array attribute of a class, wherever the archive holds it."""

    def alter(schema: Json, members: dict[str, bytes]) -> None:
        found = [
            node["file"]
            for at, name, node in nodes(schema)
            if (at, name) == (owner, attribute) and node["__loader__"] == "NdArrayNode" and "file" in node
        ]
        assert found, (owner, attribute)
        for file in set(found):
            buffer = io.BytesIO()
            np.save(buffer, change(np.load(io.BytesIO(members[file])).copy()))
            members[file] = buffer.getvalue()

    return lambda folder: folder.edit_archive(alter)


def _filled(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: np.full_like(array, value)


def estimators() -> Iterator[tuple[str, str, Alter]]:
    """Give estimators whose arrays are no numbers, too short, or point elsewhere."""
    for kind, owner, attribute in (
        ("radiomics_lr", "StandardScaler", "mean_"),
        ("radiomics_lr", "StandardScaler", "scale_"),
        ("radiomics_lr", "SimpleImputer", "statistics_"),
        ("radiomics_lr", "LogisticRegression", "coef_"),
        ("radiomics_lr", "LogisticRegression", "intercept_"),
        ("cr", "ClinicalLogisticRegression", "coef_"),
        ("cr", "ClinicalLogisticRegression", "intercept_"),
        ("radiomics_svm", "SVC", "support_vectors_"),
        ("radiomics_svm", "SVC", "_dual_coef_"),
        ("radiomics_knn", "KNeighborsClassifier", "_fit_X"),
    ):
        for value in (np.nan, np.inf, -np.inf):
            yield kind, f"{owner}.{attribute} {value}", _array_of(owner, attribute, _filled(value))
        yield kind, f"{owner}.{attribute} shorter", _array_of(owner, attribute, lambda a: np.atleast_1d(a)[:-1])
        yield kind, f"{owner}.{attribute} of integers", _array_of(owner, attribute, lambda a: a.astype(np.int64))
    zeros = _filled(0)
    yield "radiomics_lr", "scale 0", _array_of("StandardScaler", "scale_", zeros)
    yield "radiomics_lr", "coefficients 0", _array_of("LogisticRegression", "coef_", zeros)
    yield "radiomics_lr", "coefficients huge", _array_of("LogisticRegression", "coef_", _filled(1e308))
    yield "radiomics_lr", "no column kept", _array_of("LassoSelector", "support_", lambda a: a & False)
    yield "radiomics_lr", "all columns kept", _array_of("LassoSelector", "support_", lambda a: a | True)
    for value in (-1, 2**31 - 1, 10**6):
        yield "radiomics_svm", f"support {value}", _array_of("SVC", "support_", _filled(value))
        yield "radiomics_svm", f"numbers of vectors {value}", _array_of("SVC", "_n_support", _filled(value))
        yield "radiomics_knn", f"labels {value}", _array_of("KNeighborsClassifier", "_y", _filled(value))
        yield "radiomics_knn", f"tree {value}", _array_of("KDTree", "", lambda a, v=value: _any(a, v))
    yield "radiomics_mlp", "weights shorter", _array_of("MLPClassifier", "coefs_", lambda a: a[:-1])
    yield "radiomics_mlp", "weights NaN", _array_of("MLPClassifier", "coefs_", _filled(np.nan))


def _any(array: np.ndarray, value: int) -> np.ndarray:
    if array.dtype.names:
        for name in ("idx_start", "idx_end"):
            array[name] = value
    elif array.dtype.kind in "iu":
        array[:] = value
    return array


def boosters() -> Iterator[tuple[str, str, Alter]]:
    """Give boosted trees that are no trees."""

    def replaced(change: Callable[[bytes], bytes]) -> Alter:
        def alter(schema: Json, members: dict[str, bytes]) -> None:
            (name,) = (name for name in members if name.endswith(".bin"))
            members[name] = change(members[name])

        return lambda folder: folder.edit_archive(alter)

    def array(key: bytes, value: int | float, form: str = ">i", every: bool = True) -> Alter:
        def change(content: bytes) -> bytes:
            found, at = bytearray(content), 0
            while (at := content.find(key + b"[$", at)) >= 0:
                begin = at + len(key) + 5
                count = int.from_bytes(content[begin : begin + 8], "big")
                for position in range(count if every else 1):
                    struct.pack_into(form, found, begin + 8 + 4 * position, value)
                at = begin
            return bytes(found)

        return replaced(change)

    def length(key: bytes, value: int) -> Alter:
        def change(content: bytes) -> bytes:
            begin = content.index(key + b"[$") + len(key) + 5
            return content[:begin] + value.to_bytes(8, "big") + content[begin + 8 :]

        return replaced(change)

    def text(old: bytes, new: bytes) -> Alter:
        return replaced(lambda content: content.replace(old, new))

    for key in (b"left_children", b"right_children", b"split_indices", b"parents"):
        for value in (0, 1, 1_000_000, 2**31 - 1, -2):
            yield "radiomics_xgb", f"{key.decode()} {value}", array(key, value)
    for key in (b"split_conditions", b"base_weights"):
        for value in (float("nan"), float("inf"), 0.0):
            yield "radiomics_xgb", f"{key.decode()} {value}", array(key, value, ">f")
    for key in (b"left_children", b"split_indices", b"base_weights"):
        for value in (0, 2**31, 2**62, 2**64 - 1):
            yield "radiomics_xgb", f"{key.decode()} of length {value}", length(key, value)
    yield "radiomics_xgb", "empty", replaced(lambda content: b"")
    yield "radiomics_xgb", "one byte", replaced(lambda content: b"{")
    yield "radiomics_xgb", "cut off", replaced(lambda content: content[: len(content) // 2])
    yield "radiomics_xgb", "zeros", replaced(lambda content: b"\0" * len(content))
    yield "radiomics_xgb", "nested", replaced(lambda content: b"{" * 1_000_000)
    yield "radiomics_xgb", "JSON", replaced(lambda content: b'{"learner": {}}')
    yield "radiomics_xgb", "many columns", text(b"num_featureSL\0\0\0\0\0\0\0\x01", b"num_featureSL\0\0\0\0\0\0\0\x09")
    yield "radiomics_xgb", "other booster", text(b"gbtree", b"gblin_")


def weights() -> Iterator[tuple[str, str, Alter]]:
    """Give networks whose weights are none."""

    def changed_weights(change: Callable[[bytes], bytes]) -> Alter:
        def alter(folder: ExportedFolder) -> None:
            changed = change(folder.read("weights.safetensors"))
            folder.write("weights.safetensors", changed)

            def resealed(schema: Json, members: dict[str, bytes]) -> None:
                for _, _, node in nodes(schema):
                    if node.get("file") == "weights.safetensors":
                        node["sha256"] = hashlib.sha256(changed).hexdigest()

            folder.edit_archive(resealed)

        return alter

    def header(change: Callable[[Json], Json]) -> Alter:
        def changed(content: bytes) -> bytes:
            end = 8 + int.from_bytes(content[:8], "little")
            text = json.dumps(change(json.loads(content[8:end]))).encode()
            return len(text).to_bytes(8, "little") + text + content[end:]

        return changed_weights(changed)

    def each(name: str, value: Any) -> Callable[[Json], Json]:
        return lambda found: {key: {**tensor, name: value} for key, tensor in found.items() if key != "__metadata__"}

    def param(attribute: str, content: str) -> Alter:
        def alter(schema: Json, members: dict[str, bytes]) -> None:
            for owner, name, node in nodes(schema):
                if (owner, name) == ("NetworkClassifier", attribute) and node["__loader__"] == "JsonNode":
                    node["content"] = content

        return lambda folder: folder.edit_archive(alter)

    net = "dl_resnet10"
    yield net, "weights empty", changed_weights(lambda content: b"")
    yield net, "header of 2^60 bytes", changed_weights(lambda content: (2**60).to_bytes(8, "little") + content[8:])
    yield net, "weights cut off", changed_weights(lambda content: content[:-4])
    yield net, "weights NaN", changed_weights(lambda content: content[:-400] + struct.pack("<f", float("nan")) * 100)
    yield net, "weights infinite", changed_weights(lambda content: content[:-4] + struct.pack("<f", float("inf")))
    yield net, "offsets negative", header(each("data_offsets", [-8, 0]))
    yield net, "offsets beyond", header(each("data_offsets", [0, 2**62]))
    yield net, "shape absurd", header(each("shape", [2**40, 2**40]))
    yield net, "type of texts", header(each("dtype", "STR"))
    yield net, "type of halves", header(each("dtype", "F16"))
    yield net, "a tensor less", header(lambda found: dict(list(found.items())[1:]))
    yield net, "no tensor", header(lambda found: {})
    yield net, "a link to the weights", lambda folder: _linked(folder, "weights.safetensors")
    for attribute, content in (
        ("n_slices_", "1000000000"),
        ("n_slices_", "-1"),
        ("size_", "1000000"),
        ("architecture", '"resnet34"'),
        ("architecture", '"nothing"'),
        ("prior_log_odds_", "NaN"),
        ("prior_log_odds_", '"x"'),
        ("device", '"cuda"'),
        ("threads", "1000000"),
        ("batch_size", "0"),
    ):
        yield net, f"{attribute} {content}", param(attribute, content)


def _linked(folder: ExportedFolder, name: str) -> None:
    elsewhere = folder.path.parent / f"moved-{name}"
    elsewhere.unlink(missing_ok=True)
    (folder.path / name).rename(elsewhere)
    (folder.path / name).symlink_to(elsewhere)
