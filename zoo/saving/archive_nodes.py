"""What an estimator's archive may say: the types, arrays and numbers of a saved model, and nothing else.

skops trusts every estimator of scikit-learn and every array it can unpack. A model of the zoo needs thirty types;
what is not on this list is refused before any object is made of it.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.saving.type_names import OWN_TYPES

__all__ = ["LIBRARY_TYPES", "ArchiveFault", "ForeignTypesFault", "refuse_foreign_nodes"]

_FOREIGN_TYPES = (
    "numpy.dtype",
    # The calibrated machine of models of before zoo.radiomics.platt, the neighbours' search tree and the boosted trees:
    # arrays behind scikit-learn's and XGBoost's own classes, whose private modules skops does not trust by itself.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._kd_tree.KDTree",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
)
"""Types of libraries that a model may hold and that skops does not trust by itself."""

_SCIKIT_LEARN = (
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.feature_selection._variance_threshold.VarianceThreshold",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.linear_model._logistic.LogisticRegressionCV",
    "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.svm._classes.SVC",
)
LIBRARY_TYPES: tuple[str, ...] = (*_FOREIGN_TYPES, *_SCIKIT_LEARN)
"""Types of libraries that a model may hold."""

_NUMPY_SCALARS = (
    *("numpy.bool", "numpy.bool_", "numpy.float32", "numpy.float64", "numpy.str_"),
    *("numpy.int8", "numpy.int16", "numpy.int32", "numpy.int64"),
    *("numpy.uint8", "numpy.uint16", "numpy.uint32", "numpy.uint64"),
)
_TYPES: Mapping[str, frozenset[str]] = {
    "BytearrayNode": frozenset({"builtins.bytearray"}),
    "BytesNode": frozenset({"builtins.bytes"}),
    "DTypeNode": frozenset({"numpy.dtype"}),
    "DictNode": frozenset({"builtins.dict"}),
    "JsonNode": frozenset({"builtins.str"}),
    "ListNode": frozenset({"builtins.list"}),
    "NdArrayNode": frozenset({"numpy.ndarray", *_NUMPY_SCALARS}),
    "ObjectNode": frozenset({*LIBRARY_TYPES, *OWN_TYPES} - {"numpy.dtype"}),
    "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
    "TupleNode": frozenset({"builtins.tuple"}),
    "TypeNode": frozenset({"builtins.str", "builtins.int", "builtins.float", "builtins.bool"}),
}
_MAY_BE_NO_NUMBER = frozenset(
    {
        # What stands for a missing value in a table.
        ("SimpleImputer", "missing_values"),
        ("XGBClassifier", "missing"),
        # Records of a training, which decide no probability: a bound, a test or a score may have come out undefined.
        *((name, None) for name in ("FactorEffect", "ExcludedFactor", "EliminationStep")),
        *(("UnivariableSelector", name) for name in ("p_values_", "adjusted_p_values_")),
        *(("LogisticRegressionCV", name) for name in ("scores_", "coefs_paths_")),
        ("LassoSelector", "deviance_"),
        *(("MLPClassifier", name) for name in ("best_loss_", "loss_curve_", "validation_scores_")),
        ("NetworkClassifier", "history_"),
        ("TunedClassifier", "best_score_"),
    }
)
_DEEPEST = 60
_MOST_HEADER = 4096
_MOST_BYTEARRAY = 64 << 20
"""skops makes a list of its numbers first, eight bytes for each."""
_LONGEST_SIDE = 1 << 31


class ArchiveFault(ValueError):  # noqa: N818  (an error's phrase, raised again with the file's name)
    """Why an archive is no saved model; the message is a phrase."""


class ForeignTypesFault(ArchiveFault):
    """The archive holds types that no model of the zoo needs."""


@dataclass
class _Walk:
    members: Mapping[str, bytes]
    finite: bool
    objects: frozenset[str]
    foreign: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)


def refuse_foreign_nodes(
    schema: Any, members: Mapping[str, bytes], *, finite: bool, types: frozenset[str] = frozenset()
) -> None:
    """Refuse an archive that says more than a saved model does.

    Parameters
    ----------
    schema : JSON value
        The archive's ``schema.json``, with the names that saved models have.
    members : mapping of str to bytes
        Its other files, and the weights beside it.
    finite : bool
        Whether a number that is NaN or infinite is refused too, but for those that decide nothing.
    types : frozenset of str
        Types that the model's package adds to the list.

    Raises
    ------
    ForeignTypesFault
        If it holds types that are not on the list; the message names them.
    ArchiveFault
        If a node is not built as skops builds it, refers to itself, or an array is other than its header says.
    """
    walk = _Walk(members, finite, types)
    _node(schema, walk, ("", None), (), 0)
    if walk.foreign:
        raise ForeignTypesFault(", ".join(sorted(walk.foreign)))
    if unused := sorted(members.keys() - walk.used):
        raise ArchiveFault(f"it holds a file that nothing in it needs: {unused[0][:60]}")


_Attribute = tuple[str, str | None]
"""The class and the attribute of it that a node belongs to."""


def _node(node: Any, walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    if not isinstance(node, dict):
        raise ArchiveFault("a part of it is no object of skops")
    loader, module, name = (node.get(key) for key in ("__loader__", "__module__", "__class__"))
    if not (isinstance(loader, str) and isinstance(module, str) and isinstance(name, str)):
        raise ArchiveFault("a part of it has no type")
    if depth > _DEEPEST:
        raise ArchiveFault(f"it is nested more than {_DEEPEST} deep")
    is_of_package = loader == "ObjectNode" and f"{module}.{name}" in walk.objects
    if not is_of_package and f"{module}.{name}" not in _TYPES.get(loader, frozenset()):
        walk.foreign.add(f"{module}.{name}"[:120] if loader in _LOADERS or loader in _FOREIGN else f"{loader[:60]}")
        _descend(node, walk, above, depth)
        return
    identity = node.get("__id__")
    if identity is not None:
        if not isinstance(identity, int) or isinstance(identity, bool):
            raise ArchiveFault("a part of it has no number")
        if identity in above:
            raise ArchiveFault("a part of it contains itself")
        above = (*above, identity)
    _LOADERS[loader](node, walk, attribute, above, depth + 1)


_FOREIGN = frozenset(
    {
        *("CachedNode", "ConstructorFromReduceNode", "DefaultDictNode", "FunctionNode", "LossNode", "MaskedArrayNode"),
        *("MethodNode", "OperatorFuncNode", "PartialNode", "RandomGeneratorNode", "SetNode", "SparseMatrixNode"),
        *("TreeNode", "QuantileForestNode"),
    }
)
"""Loaders of skops that no model needs."""


def _descend(node: Mapping[str, Any], walk: _Walk, above: tuple[int, ...], depth: int) -> None:
    """Look for more foreign types below one, so that the message names them all."""
    if depth > _DEEPEST:
        return
    for value in node.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                if "__loader__" in each:
                    try:
                        _node(each, walk, ("", None), above, depth + 1)
                    except ArchiveFault:
                        continue
                else:
                    _descend(each, walk, above, depth + 1)


def _list(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    for each in _content(node, list):
        _node(each, walk, attribute, above, depth)


def _dict(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    content, types = _content(node, dict), node.get("key_types")
    _node(types, walk, ("", None), above, depth)
    if types["__loader__"] != "ListNode" or len(types["content"]) != len(content):  # type: ignore[index]
        raise ArchiveFault("a dictionary has other numbers of keys and of their types")
    for each in types["content"]:  # type: ignore[index]
        if each["__loader__"] != "TypeNode":
            raise ArchiveFault("a dictionary's keys have no types")
    for key, value in content.items():
        # An object's attributes are the keys of its own dictionary; what stands in one of them is still of it.
        of = (attribute[0], key) if attribute[0] and attribute[1] is None else attribute
        _node(value, walk, of, above, depth)


def _object(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    if node.get("content") is not None:
        _node(node["content"], walk, (str(node["__class__"]), None), above, depth)


def _plain(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    content = _content(node, str)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArchiveFault("a plain value in it is no JSON") from error
    if isinstance(value, list | dict):
        raise ArchiveFault("a plain value in it is a list or an object")
    if isinstance(value, int) and not -(1 << 64) < value < 1 << 64:
        raise ArchiveFault("a whole number in it has more than 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        _refuse_no_number(walk, attribute)


def _array(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    kind = node.get("type")
    if kind == "json":
        content, shape = _content(node, list), node.get("shape")
        for each in content:
            _node(each, walk, attribute, above, depth)
        _node(shape, walk, ("", None), above, depth)
        sides = shape["content"] if shape["__loader__"] == "TupleNode" else []  # type: ignore[index]
        if [side.get("content") for side in sides] != [str(len(content))] or node["__class__"] != "ndarray":
            raise ArchiveFault("an array of objects is not as long as it says")
        return
    if kind != "numpy":
        raise ArchiveFault("an array in it is of no kind that skops writes")
    array = _read_array(_member(node, walk))
    if node["__class__"] != "ndarray" and array.shape != ():
        raise ArchiveFault("a single number in it is an array")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        _refuse_no_number(walk, attribute)


def _read_array(content: bytes) -> np.ndarray[Any, Any]:
    """Return an array of numbers or texts whose header says exactly what follows it."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(stream, max_header_size=_MOST_HEADER)
    except Exception as error:  # numpy parses the header as Python and raises what that raises
        raise ArchiveFault("an array in it has no header that can be read") from error
    kinds = {dtype.fields[name][0].kind for name in dtype.names or ()} if dtype.fields else {dtype.kind}
    if dtype.hasobject or dtype.subdtype is not None or not kinds <= set("biufU"):
        raise ArchiveFault(f"an array in it is of type {str(dtype)[:60]}, which no model has")
    count = math.prod(shape)
    here = len(content) - stream.tell()
    is_absurd = len(shape) > 8 or any(not 0 <= side < _LONGEST_SIDE for side in shape)
    if is_absurd or count * dtype.itemsize != here or (count and not dtype.itemsize):
        raise ArchiveFault(
            f"an array in it says that it has {count} values of {dtype.itemsize} bytes, and {here} bytes follow"
        )
    flat = np.frombuffer(content, dtype=dtype, count=count, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def _dtype(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    content = node.get("content")
    _node(content, walk, attribute, above, depth)
    if content["__loader__"] != "NdArrayNode":  # type: ignore[index]
        raise ArchiveFault("a type of numbers in it is none")


def _bytes(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    _member(node, walk)


def _bytearray(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    if len(_member(node, walk)) > _MOST_BYTEARRAY:
        raise ArchiveFault(f"trees in it have more than {_MOST_BYTEARRAY} bytes")


def _type(node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int) -> None:
    """Nothing stands below the name of a type."""


def _random_state(
    node: Mapping[str, Any], walk: _Walk, attribute: _Attribute, above: tuple[int, ...], depth: int
) -> None:
    _node(node.get("content"), walk, attribute, above, depth)


_LOADERS: Mapping[str, Callable[[Mapping[str, Any], _Walk, _Attribute, tuple[int, ...], int], None]] = {
    "BytearrayNode": _bytearray,
    "BytesNode": _bytes,
    "DTypeNode": _dtype,
    "DictNode": _dict,
    "JsonNode": _plain,
    "ListNode": _list,
    "NdArrayNode": _array,
    "ObjectNode": _object,
    "RandomStateNode": _random_state,
    "TupleNode": _list,
    "TypeNode": _type,
}


def _content(node: Mapping[str, Any], kind: type) -> Any:
    content = node.get("content")
    if not isinstance(content, kind):
        raise ArchiveFault(f"a {node['__class__']} in it has no content of its kind")
    return content


def _member(node: Mapping[str, Any], walk: _Walk) -> bytes:
    name = node.get("file")
    if not isinstance(name, str) or name not in walk.members:
        raise ArchiveFault("a file that it speaks of is not in it")
    walk.used.add(name)
    return walk.members[name]


def _refuse_no_number(walk: _Walk, attribute: _Attribute) -> None:
    owner, name = attribute
    if walk.finite and not {(owner, name), (owner, None)} & _MAY_BE_NO_NUMBER:
        raise ArchiveFault(f"{owner or 'it'}{f'.{name}' if name else ''} holds NaN or infinity")
