"""Mutations of exported models, drawn by a seed: bytes, JSON, archives, arrays, boosters, weights."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import struct
from typing import Any

import numpy as np

from tests.attacks.made.small_models import ExportedFolder, nodes
from zoo.saving.files import CARD, MANIFEST, RECORD

__all__ = ["MUTATIONS", "mutate", "mutated_bytes"]

_NASTY = (
    *(None, True, "", "x", "\x1b[2J", "../../etc/passwd", "a" * 5000, [], {}, [[]], -1, 0, 1, 2**31, 2**63, 10**30),
    *(-0.5, 1e308, 1e-308, float("nan"), float("inf"), float("-inf"), "nan", ["x"], {"x": "x"}, [None] * 50),
)
_BOOSTER_KEYS = (
    *("left_children", "right_children", "parents", "split_indices", "split_conditions", "base_weights"),
    *("loss_changes", "sum_hessian", "default_left", "split_type", "num_nodes", "num_feature", "num_trees"),
    *("size_leaf_vector", "tree_info", "iteration_indptr", "num_parallel_tree", "base_score", "num_class", "id"),
    *("categories", "categories_nodes", "categories_segments", "categories_sizes", "num_deleted", "version", "nthread"),
)
_BOOSTER_VALUES = (-1, 0, 1, 2, 3, 127, 255, 2**15, 2**31 - 1, -(2**31))


def mutated_bytes(draw: random.Random, content: bytes) -> bytes:
    """Return bytes with one to four changes: flipped, replaced, removed, doubled, cut off."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at = draw.randrange(len(changed) + 1)
        length = draw.choice((1, 1, 2, 4, 8, 64))
        match draw.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << draw.randrange(8)
            case 1:
                changed[at : at + length] = draw.randbytes(length)
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case 4:
                changed[at : at + length] = draw.choice((b"\xff", b"\x00", b"\x7f")) * length
            case _:
                del changed[at:]
    return bytes(changed)


def _damage(draw: random.Random, folder: ExportedFolder) -> None:
    """Change bytes of a file, and no hash."""
    name = draw.choice([file.name for file in folder.path.iterdir()])
    folder.write(name, mutated_bytes(draw, folder.read(name)))


def _forge_bytes(draw: random.Random, folder: ExportedFolder) -> None:
    """Change bytes of a file, and write hashes that fit."""
    name = draw.choice([file.name for file in folder.path.iterdir() if file.name not in (MANIFEST, CARD)])
    folder.write(name, mutated_bytes(draw, folder.read(name)))
    folder.seal()


def _forge_record(draw: random.Random, folder: ExportedFolder) -> None:
    record = json.loads(folder.read(RECORD))
    _mutate_value(draw, record)
    folder.write(RECORD, _written(draw, record))
    folder.seal()


def _change_manifest(draw: random.Random, folder: ExportedFolder) -> None:
    manifest = json.loads(folder.read(MANIFEST))
    _mutate_value(draw, manifest)
    folder.write(MANIFEST, _written(draw, manifest))


def _written(draw: random.Random, value: Any) -> bytes:
    text = json.dumps(value)
    if draw.random() < 0.1:  # a key twice
        text = text[:-1] + ', "format": 3, "format": 3}'
    return text.encode("utf-16" if draw.random() < 0.02 else "utf-8")


def _mutate_value(draw: random.Random, value: Any) -> None:
    """Change, remove or add something in a JSON value, somewhere below it."""
    places = []
    stack = [value]
    while stack:
        each = stack.pop()
        keys = list(each) if isinstance(each, dict) else list(range(len(each)))
        places += [(each, key) for key in keys]
        stack += [each[key] for key in keys if isinstance(each[key], dict | list)]
    holder, key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[draw.choice(("x", "", "columns", "format"))] = draw.choice(_NASTY)
        case 2:
            other, at = draw.choice(places)
            with contextlib.suppress(IndexError, KeyError):
                holder[key] = json.loads(json.dumps(other[at]))
        case _:
            holder[key] = draw.choice(_NASTY)


def _forge_schema(draw: random.Random, folder: ExportedFolder) -> None:
    def change(schema: dict[str, Any], members: dict[str, bytes]) -> None:
        found = [node for _, _, node in nodes(schema)]
        node, other = draw.choice(found), draw.choice(found)
        match draw.randrange(7):
            case 0:
                key = draw.choice(("__class__", "__module__", "__loader__"))
                node[key] = draw.choice((other[key], "system", "posix", "builtins", "eval", "FunctionNode", ""))
            case 1:
                node["__id__"] = draw.choice((other.get("__id__"), schema.get("__id__"), -1, 0, None, "1", 1.5))
            case 2 if "content" in node:
                node["content"] = draw.choice((other.get("content"), None, [], {}, "", "NaN", "[" * 5000, "1e999"))
            case 3 if "file" in node and members:
                node["file"] = draw.choice((*members, "../x.npy", "schema.json", "", None))
            case 4:
                node.clear()
                node.update(json.loads(json.dumps(other)))
            case 5 if node.get("__loader__") == "JsonNode":
                node["content"] = json.dumps(draw.choice(_NASTY))
            case _:
                node.pop(draw.choice(list(node)))

    folder.edit_archive(change)


def _forge_array(draw: random.Random, folder: ExportedFolder) -> None:
    def change(schema: dict[str, Any], members: dict[str, bytes]) -> None:
        files = [name for name in members if name.endswith(".npy")]
        if not files:
            return
        name = draw.choice(files)
        if draw.random() < 0.2:
            members[name] = mutated_bytes(draw, members[name])
            return
        array = np.load(io.BytesIO(members[name])).copy()
        buffer = io.BytesIO()
        np.save(buffer, _altered_array(draw, array))
        members[name] = buffer.getvalue()

    folder.edit_archive(change)


def _altered_array(draw: random.Random, array: np.ndarray) -> np.ndarray:
    kind = draw.randrange(7)
    if kind == 0:
        return np.concatenate([np.atleast_1d(array), np.atleast_1d(array)])
    if kind == 1:
        return np.atleast_1d(array)[:-1]
    if kind == 2:
        return array[None] if draw.random() < 0.5 else np.ravel(array)
    if kind == 3 and array.dtype.kind in "fiub":
        return array.astype(draw.choice((np.float32, np.int64, np.int32, bool, np.uint8, np.float64, "U5")))
    if array.dtype.kind in "fiu" and array.size:
        nasty = (np.nan, np.inf, -np.inf, 0, -1, 1e308, 1e-308, 5, 1e6)
        value = draw.choice(nasty if array.dtype.kind == "f" else (-1, 0, 1, 7, 10**6, 2**31 - 1, 2**31))
        flat = array.reshape(-1)
        with np.errstate(all="ignore"), contextlib.suppress(OverflowError):
            if draw.random() < 0.3:
                flat[:] = value
            else:
                flat[draw.randrange(flat.size)] = value
        return flat.reshape(array.shape)
    if array.dtype.kind == "b":
        return ~array
    return array[::-1] if array.ndim else array


def _forge_booster(draw: random.Random, folder: ExportedFolder) -> None:
    def change(schema: dict[str, Any], members: dict[str, bytes]) -> None:
        files = [name for name in members if name.endswith(".bin")]
        if not files:
            return
        content = bytearray(members[files[0]])
        if draw.random() < 0.3:
            members[files[0]] = mutated_bytes(draw, bytes(content))
            return
        key = draw.choice(_BOOSTER_KEYS).encode()
        places = [at for at in range(len(content)) if content.startswith(key, at)]
        if not places:
            return
        # The key's value: a typed array ``[$l#L`` with eight bytes of length, or a plain value.
        at = draw.choice(places) + len(key)
        packed = content[at : at + 2] == b"[$"
        begin = at + 13 if packed and draw.random() < 0.9 else at
        offset = begin + 4 * draw.randrange(8)
        value = draw.choice(_BOOSTER_VALUES)
        form = draw.choice((">i", ">f", ">h", ">b"))
        with contextlib.suppress(struct.error):
            written = struct.pack(form, value)
            content[offset : offset + len(written)] = written
        members[files[0]] = bytes(content)

    folder.edit_archive(change)


def _forge_weights(draw: random.Random, folder: ExportedFolder) -> None:
    files = [file.name for file in folder.path.iterdir() if file.name.endswith(".safetensors")]
    if not files:
        return
    content = folder.read(files[0])
    head = 8 + int.from_bytes(content[:8], "little")
    match draw.randrange(3):
        case 0:
            changed = mutated_bytes(draw, content[:head]) + content[head:]
        case 1:
            at = head + 4 * draw.randrange((len(content) - head) // 4)
            written = struct.pack("<f", draw.choice((float("nan"), float("inf"), 1e38, -1.0, 0.0)))
            changed = content[:at] + written + content[at + 4 :]
        case _:
            changed = mutated_bytes(draw, content)
    folder.write(files[0], changed)

    def change(schema: dict[str, Any], members: dict[str, bytes]) -> None:
        for _, _, node in nodes(schema):
            if node.get("file") == files[0]:
                node["sha256"] = hashlib.sha256(changed).hexdigest()

    folder.edit_archive(change)


MUTATIONS = {
    "damage": _damage,
    "manifest": _change_manifest,
    "bytes": _forge_bytes,
    "record": _forge_record,
    "schema": _forge_schema,
    "array": _forge_array,
    "booster": _forge_booster,
    "weights": _forge_weights,
}
"""By name; ``damage`` and ``manifest`` leave hashes as they are, the others write hashes that fit."""


def mutate(draw: random.Random, folder: ExportedFolder, kind: str) -> str:
    """Alter a folder, and return what was done."""
    fitting = [
        name
        for name in MUTATIONS
        if (name != "booster" or kind == "radiomics_xgb") and (name != "weights" or kind == "dl_resnet10")
    ]
    name = draw.choice([*fitting, *(["booster"] * 3 if kind == "radiomics_xgb" else []), "array", "schema"])
    MUTATIONS[name](draw, folder)
    return name
