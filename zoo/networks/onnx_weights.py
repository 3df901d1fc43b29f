"""Where an ONNX file keeps its weights: in itself, or in other files, which are refused.

ONNX Runtime looks for such files below the working directory of whoever runs it. They are not covered by the file's
hash, so an embedding would not be named by what decides it. The few fields of the format that can speak of files are
read here, within bounds, before ONNX Runtime sees a byte (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["refuse_outside_weights"]

_MODEL = "model"
_NESTED: Mapping[str, Mapping[int, str]] = {
    _MODEL: {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
"""By message, the fields that hold messages in which a tensor may stand, and what they hold."""
_GRAPH, _EXTERNAL_DATA, _DATA_LOCATION = 7, 13, 14
_DEEPEST = 100
_MOST_FIELDS = 5_000_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def refuse_outside_weights(content: bytes) -> None:
    """Refuse an ONNX file that keeps weights elsewhere.

    Raises
    ------
    ValueError
        If it does, or is no ONNX; the message is a phrase.
    """
    view, left = memoryview(content), _MOST_FIELDS
    messages = [(_MODEL, view, 0)]
    has_graph = False
    while messages:
        kind, message, depth = messages.pop()
        if depth > _DEEPEST:
            raise ValueError(f"its graphs stand in each other more than {_DEEPEST} deep")
        for number, value in _fields(message):
            left -= 1
            if left < 0:
                raise ValueError(f"it has more than {_MOST_FIELDS} parts")
            has_graph |= kind == _MODEL and number == _GRAPH
            if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
                raise ValueError("it keeps weights in other files, which its hash does not cover")
            nested = _NESTED[kind].get(number)
            if nested is not None:
                if not isinstance(value, memoryview):
                    raise ValueError("a part of it is no message")
                messages.append((nested, value, depth + 1))
    if not has_graph:
        raise ValueError("it has no graph")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of a message's fields; of those of fixed width the number alone."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError("a part of it is of no kind that the format has")
        if length > len(message) - at:
            raise ValueError("it ends too early")
        yield number, message[at : at + length] if wire == _BYTES else 0
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends too early")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number in it is too long")
