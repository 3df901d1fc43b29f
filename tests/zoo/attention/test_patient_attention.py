"""Attention of a fitted network: the phase that matters, the place that matters, and torchcam's own answer."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import torch
from builders.synthetic_regions import region_table, table_of
from sklearn.model_selection import StratifiedKFold
from torchcam.methods import ScoreCAM

from schemas.errors import ContractError
from schemas.study.networks import AugmentationSettings, NetworkSettings
from zoo.attention.patient import patient_attention
from zoo.attention.scores import margin_band
from zoo.evaluation.auc import auc
from zoo.networks.classifier import NetworkClassifier

STILL = AugmentationSettings(rotation_degrees=0, scaling=0, shift=0, flip=False)
QUICK = NetworkSettings(
    epochs=3,
    optimiser="adam",
    learning_rate=1e-3,
    batch_size=8,
    validation_fraction=0,
    patience=None,
    augmentation=STILL,
    device="cpu",
    threads=1,
)
SIZE = 32


@pytest.fixture(scope="module", params=["shared", "separate", "early"])
def fitted(request):
    """Return a network of three phases that was trained for a moment, and the table it learnt from."""
    table, labels = region_table(16, size=SIZE)
    settings = QUICK.model_copy(update={"fusion": request.param})
    return NetworkClassifier("resnet10", settings, random_state=1).fit(table, labels), table


def masks_of(model: NetworkClassifier) -> np.ndarray:
    """Return the square that tells the label, in every phase."""
    masks = np.zeros((len(model.phases_), SIZE, SIZE), dtype=bool)
    masks[:, SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4] = True
    return masks


def test_each_phases_map_is_torchcams(fitted):
    """Of every phase, with the others as they are, the map is torchcam's on the log odds, whatever joins the phases."""
    model, table = fitted
    network, regions = model.network(), torch.from_numpy(model.scaled_images(table[[1]])[0])
    found = patient_attention(model, table[[1]], masks_of(model), steps=2)
    assert [each.phase for each in found] == ["AP", "PVP", "DP"]
    for position, each in enumerate(found):
        phase = _OfOnePhase(network, regions, position).eval()
        with ScoreCAM(phase, phase.stage, input_shape=tuple(regions.shape[1:])) as reference:
            phase(regions[position][None])
            # The other phases run through a shared trunk too: what was hooked last is the masked phase's own.
            theirs = reference(targets=lambda scores: scores[1] - scores[0])[0][0].numpy()
        assert each.coarse.shape == theirs.shape
        if theirs.std() > 0:
            assert np.corrcoef(each.coarse.ravel(), theirs.ravel())[0, 1] > 0.99


class _OfOnePhase(torch.nn.Module):
    """A network as a function of one phase, its own trunk passed last."""

    def __init__(self, network, regions, position) -> None:
        super().__init__()
        self.network, self.regions, self.position = network, regions, position
        self.stage = network.trunk_of(position).last_stage

    def forward(self, changed):
        """Return the scores of both labels."""
        images = self.regions.repeat(len(changed), 1, 1, 1, 1)
        images[:, self.position] = changed
        if self.network.fusion == "early":
            return self.network(images)
        before = [
            self.network.trunk_of(each)(images[:, each]) for each in range(images.shape[1]) if each != self.position
        ]
        before.insert(self.position, self.network.trunk_of(self.position)(images[:, self.position]))
        return self.network.scores(torch.stack(before, dim=1))


def test_attention_is_the_same_each_time_and_starts_from_the_models_probability(fitted):
    """Two runs agree to the bit, and numbers are those of a probability."""
    model, table = fitted
    first, again = (patient_attention(model, table[[3]], masks_of(model), steps=4) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.coarse, other.coarse)
        np.testing.assert_array_equal(astuple(one.scores), astuple(other.scores))
        assert 0 < one.scores.insertion_auc < 1
        assert 0 < one.scores.deletion_auc < 1


def test_more_than_one_patient_or_masks_of_another_size_are_refused():
    """A table of two patients and masks that do not fit the regions are errors of a contract."""
    table, labels = region_table(8, size=16, phases=1)
    model = NetworkClassifier("resnet10", QUICK.model_copy(update={"epochs": 1})).fit(table, labels)
    with pytest.raises(ContractError, match="the table has 2"):
        patient_attention(model, table[:2], np.zeros((1, 16, 16), dtype=bool))
    with pytest.raises(ContractError, match="the masks have shape"):
        patient_attention(model, table[:1], np.zeros((1, 8, 8), dtype=bool))


WIDTH, LESION = 8.0, 64


def lesions(where: str, n: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return regions, masks and labels: label 1 is a coarse texture on the margin, or inside, and nothing else."""
    draw = np.random.default_rng(0)
    labels = np.arange(n) % 2
    images = draw.normal(scale=0.5, size=(n, 1, 3, LESION, LESION))
    masks = np.zeros((n, LESION, LESION), dtype=bool)
    ys, xs = np.mgrid[:LESION, :LESION]
    for patient in range(n):
        row, column = LESION / 2 + draw.uniform(-4, 4, size=2)
        masks[patient] = np.hypot(ys - row, xs - column) <= draw.uniform(19, 22)
        images[patient] += 0.5 * masks[patient]
        band = margin_band(masks[patient], WIDTH)
        place = band if where == "margin" else masks[patient] & ~band
        images[patient] += 1.5 * labels[patient] * place * draw.normal(size=(3, LESION, LESION))
    return images.astype(np.float32), masks, labels


@pytest.mark.slow
@pytest.mark.parametrize("where", ["margin", "inside"])
def test_attention_lies_where_the_signal_does(where):
    """A signal on the margin alone, or inside alone: the network finds it, out of fold, and most energy lies there."""
    images, masks, labels = lesions(where)
    table = table_of(images)
    settings = QUICK.model_copy(update={"epochs": 12, "batch_size": 12})
    probabilities, energies = np.zeros(len(labels)), []
    for training, held_out in StratifiedKFold(2, shuffle=True, random_state=0).split(images, labels):
        model = NetworkClassifier("resnet10", settings, random_state=1)
        model.fit(table[training.tolist()], labels[training])
        probabilities[held_out] = model.predict_proba(table[held_out.tolist()])[:, 1]
        for patient in held_out[labels[held_out] == 1][:5]:
            (found,) = patient_attention(model, table[[int(patient)]], masks[patient][None], margin=WIDTH, steps=8)
            energies.append((found.scores.energy_margin, found.scores.energy_inside))
    margin, inside = np.array(energies).T
    assert auc(labels, probabilities) > 0.8
    assert (margin > inside).all() if where == "margin" else (inside > margin).all()
