"""A study's lineage as a drawing: images, masks, extractions, feature sets, datasets, models, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from schemas.foreign_text import printable

__all__ = ["lineage_drawing"]

Row = dict[str, Any]

LAYERS = ("images", "masks", "extractions", "feature sets", "datasets", "models", "predictions")
TIMES = "\u00d7"
WIDTH, HEIGHT = 124, 34
"""Of a box."""
GAP, ROW, HEAD = 30, 42, 28
"""Between layers; from box to box; above the first."""


@dataclass
class Node:
    """A box: its layer, two lines of text, a longer text for the pointer, and what it was made from."""

    layer: int
    key: str
    name: str
    detail: str
    title: str
    parents: list[str] = field(default_factory=list)
    link: str = ""
    top: float = 0.0


def lineage_drawing(study: Row, sets: Sequence[Row], models: Sequence[Row]) -> str:
    """Return the way from images to predictions as one ``<svg>`` element, left to right.

    Parameters
    ----------
    study : dict
        A row of the question ``studies``.
    sets, models : sequence of dict
        Rows of the questions ``sets_of_study`` and ``models``.
    """
    nodes = _nodes(study, sets, models)
    height = _placed(nodes)
    width = len(LAYERS) * WIDTH + (len(LAYERS) - 1) * GAP
    by_key = {node.key: node for node in nodes}
    parts = [
        f'<text class="layer" x="{_left(layer)}" y="14">{escape(name)}</text>' for layer, name in enumerate(LAYERS)
    ]
    parts += [_edge(by_key[parent], node) for node in nodes for parent in node.parents]
    parts += [_box(node) for node in nodes]
    label = f"Lineage of {study['study']}: {', '.join(LAYERS)}; the table below has the same numbers"
    return printable(
        f'<svg class="lineage" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" '
        f'width="{width}" height="{height:g}" role="img" aria-label="{escape(label)}">' + "".join(parts) + "</svg>"
    )


def _nodes(study: Row, sets: Sequence[Row], models: Sequence[Row]) -> list[Node]:
    patients = _count(study["patients"], "patient")
    repeated = study["masks"] - study["primary_masks"]
    nodes = [
        Node(0, "images", _count(study["images"], "image"), patients, f"{patients}, {study['phases']} phases"),
        Node(
            1,
            "masks",
            _count(study["masks"], "mask"),
            f"{repeated} of them repeated" if repeated else "one reading each",
            f"{study['primary_masks']} that models use, {repeated} that tell how stable features are",
            ["images"],
        ),
    ]
    used = {name: row for row in models for name in (row["feature_set"], row["regions"]) if name}
    for row in sets:
        name, segments = row["feature_set"], used.get(row["feature_set"], {}).get("segments")
        nodes += [
            Node(
                2,
                f"rows {name}",
                _count(row["extractions"], "row"),
                f"{_count(segments, 'segment')} in models" if segments else "in no model",
                f"one row per image, mask and definition of {name}",
                ["masks"],
            ),
            Node(
                3,
                f"set {name}",
                name,
                _count(row["features"], "column"),
                f"definition sha256 {row['definition_sha256']}",
                [f"rows {name}"],
            ),
        ]
    if any(_reads_clinical(row) for row in models):
        variables = _count(study["variables"], "variable")
        nodes.append(Node(3, "clinical", "clinical values", variables, f"{variables} that the study declares"))
    known = {node.key for node in nodes}
    datasets: dict[str, Node] = {}
    for row in models:
        dataset, model = f"data {row['dataset_id']}", f"model {row['model']}"
        if dataset not in datasets:
            read = [f"set {name}" for name in (row["feature_set"], row["regions"]) if name]
            parents = [name for name in read if name in known]
            parents += ["clinical"] if _reads_clinical(row) else []
            size = f"{row['patients']} {TIMES} {row['columns']}, commit {row['commit_id']}"
            datasets[dataset] = Node(
                4,
                dataset,
                f"{str(row['dataset_id'])[:12]}",
                size,
                f"dataset {row['dataset_id']}, file sha256 {row['dataset_sha256']}",
                parents,
            )
        link = f"chain-{row['study']}-{row['model']}"
        nodes += [
            Node(
                5,
                model,
                row["model"],
                f"v{row['version']} · {str(row['sha256'])[:8]}",
                f"version {row['version']}, sha256 {row['sha256']}",
                [dataset],
                link,
            )
        ]
        if row["predictions"]:
            given = f"{row['predictions']} probabilities"
            nodes.append(Node(6, f"judged {row['model']}", str(row["predictions"]), "probabilities", given, [model]))
    return nodes + list(datasets.values())


def _reads_clinical(row: Row) -> bool:
    return bool(row["factors"] or row["comparator"])


def _placed(nodes: list[Node]) -> float:
    """Give every box its place, each beside the middle of what was made from it, and return the drawing's height."""
    for order, node in enumerate(node for node in nodes if node.layer == 5):
        node.top = order * ROW
    for layer in (6, 4, 3, 2, 1, 0):
        own = [node for node in nodes if node.layer == layer]
        for node in own:
            near = [each.top for each in nodes if node.key in each.parents or (each.key in node.parents and layer == 6)]
            node.top = sum(near) / len(near) if near else float("inf")
        own.sort(key=lambda node: node.top)
        lowest = 0.0
        for node in own:
            node.top = max(lowest, node.top if node.top < float("inf") else lowest)
            lowest = node.top + ROW
    for node in nodes:
        node.top += HEAD
    return max(node.top for node in nodes) + HEIGHT + 4


def _left(layer: int) -> int:
    return layer * (WIDTH + GAP)


def _edge(parent: Node, child: Node) -> str:
    x0, y0 = _left(parent.layer) + WIDTH, parent.top + HEIGHT / 2
    x1, y1 = _left(child.layer), child.top + HEIGHT / 2
    bend = (x1 - x0) / 2
    return f'<path class="edge" d="M{x0} {y0:g}C{x0 + bend:g} {y0:g} {x1 - bend:g} {y1:g} {x1} {y1:g}"/>'


def _box(node: Node) -> str:
    x, y = _left(node.layer), node.top
    box = (
        f'<g class="node"><title>{escape(node.title)}</title>'
        f'<rect x="{x}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="3"/>'
        f'<text x="{x + 8}" y="{y + 14:g}">{escape(_short(node.name))}</text>'
        f'<text class="detail" x="{x + 8}" y="{y + 27:g}">{escape(_short(node.detail))}</text></g>'
    )
    return f'<a href="#{escape(node.link)}">{box}</a>' if node.link else box


def _short(text: str) -> str:
    return text if len(text) <= 19 else text[:18] + "…"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
