"""Small exported models of every kind, to be attacked, and what each says of a few patients."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from schemas.documents.model_record import ModelManifest
from schemas.study.models import ModelSettings
from schemas.study.networks import NetworkSettings
from zoo.models.contributions import column_references
from zoo.models.example_answers import example_answers
from zoo.registry import model_spec
from zoo.saving.files import CARD, ESTIMATOR, MANIFEST, RECORD
from zoo.saving.persist import folder_sha256, save_model

__all__ = ["KINDS", "ExportedFolder", "small_model"]

KINDS = ("cr", "radiomics_lr", "radiomics_svm", "radiomics_knn", "radiomics_xgb", "radiomics_mlp", "dl_resnet10")
_QUICK = NetworkSettings(epochs=1, batch_size=16, device="cpu", threads=1, validation_fraction=0.2)
_SHA = "0" * 64


@dataclass(frozen=True)
class ExportedFolder:
    """An exported model's folder, and what can be done to it."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        return (self.path / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file, and leave the hashes as they are."""
        (self.path / name).write_bytes(content)

    def seal(self) -> None:
        """Write hashes that fit what the folder holds now, as a forger does."""
        manifest = json.loads(self.read(MANIFEST))
        files = {file.name: file.read_bytes() for file in self.path.iterdir() if file.name != MANIFEST}
        manifest |= {
            "sha256": folder_sha256(files),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        }
        self.write(MANIFEST, json.dumps(ModelManifest.model_validate(manifest).sealed()).encode())

    def edit_record(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the record, and seal the folder."""
        record = json.loads(self.read(RECORD))
        change(record)
        self.write(RECORD, json.dumps(record).encode())
        self.seal()

    def edit_archive(self, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> None:
        """Change schema and members of the estimator's archive, and seal the folder."""
        with zipfile.ZipFile(self.path / ESTIMATOR) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        schema = json.loads(members.pop("schema.json"))
        change(schema, members)
        self.write(ESTIMATOR, zipped({**members, "schema.json": json.dumps(schema).encode()}))
        self.seal()


def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def nodes(node: Any, owner: str = "", attribute: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield class, attribute and node of everything in an archive's schema."""
    if isinstance(node, list):
        for each in node:
            yield from nodes(each, owner, attribute)
    elif isinstance(node, dict):
        if "__loader__" in node:
            yield owner, attribute, node
            if node["__loader__"] == "ObjectNode":
                content = node.get("content") or {}
                yield node["__class__"], "", content
                if content.get("__loader__") == "DictNode":
                    for name, value in content["content"].items():
                        yield from nodes(value, node["__class__"], name)
                else:
                    yield from nodes(content, node["__class__"], "")
                return
        for key, value in node.items():
            if isinstance(value, dict | list) and key != "key_types":
                yield from nodes(value, owner, attribute)


def small_model(kind: str, folder: Path) -> tuple[ExportedFolder, pl.DataFrame, np.ndarray]:
    """Write an exported model of a kind; return it, some patients, and the probabilities that it gives them."""
    draw = np.random.default_rng(5)
    labels = np.arange(60) % 2
    values = draw.normal(size=(60, 6)) + 1.2 * labels[:, None] * np.array([1, 1, 1, 0, 0, 0])
    variables: dict[str, Any] = {}
    factors: list[dict[str, Any]] = []
    features = regions = None
    settings = ModelSettings()
    if kind == "cr":
        table = pl.DataFrame({"afp>400": (values[:, 0] > 0).astype(float), "age": 60 + 8 * values[:, 1]})
        factors = [{"variable": "afp", "above": 400.0}, {"variable": "age"}]
        variables = {
            "afp": {"kind": "number", "unit": "[IU]/mL", "levels": None},
            "age": {"kind": "number", "unit": "a", "levels": None},
        }
    elif kind == "dl_resnet10":
        images = draw.normal(size=(60, 3, 12, 12)).astype(np.float32) + labels[:, None, None, None].astype(np.float32)
        table = pl.DataFrame({"AP__region": pl.Series(images, dtype=pl.Array(pl.Float32, (3, 12, 12)))})
        regions, settings = {"feature_set": "regions@1", "definition_sha256": _SHA}, ModelSettings(network=_QUICK)
    else:
        table = pl.DataFrame(values, schema=[f"AP__f{number}" for number in range(6)])
        features = {"feature_set": "quick@1", "definition_sha256": _SHA}
    estimator = model_spec(kind).build(settings, random_state=0).fit(table, labels)
    references = {} if kind == "dl_resnet10" else column_references(estimator, table)
    metadata = {
        "study": "s",
        "model": kind,
        "inputs": {
            "split": "main",
            "feature_set": "quick" if features else None,
            "phases": ["AP"],
            "factors": factors,
            "comparator": None,
            "variables": {},
            "words": {},
            "minimum_icc": None,
            "harmonise": None,
        },
        "settings": settings.model_dump(mode="json"),
        "feature_set": features,
        "regions": regions,
        "variables": variables,
        "columns": list(table.columns),
        "dataset_id": "d" * 20,
        "threshold": 0.5,
        "references": references,
    }
    metadata["examples"] = example_answers(estimator, table, references)
    sha256 = save_model(folder, estimator, metadata, f"# {kind}\n")
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (ESTIMATOR, RECORD, CARD)}
    manifest = ModelManifest(study="s", model=kind, version=1, sha256=sha256, mark="a patient was erased", files=files)
    (folder / MANIFEST).write_text(json.dumps(manifest.sealed()))
    exported = ExportedFolder(folder)
    exported.seal()
    patients = table[:12]
    return exported, patients, np.asarray(estimator.predict_proba(patients))[:, 1]
