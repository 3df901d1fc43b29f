"""Training of networks: it learns what is there, nothing where nothing is, and ends in the same bits each time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import torch
from builders.synthetic_regions import region_table, table_of
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from schemas.errors import ContractError
from schemas.study.networks import AugmentationSettings, NetworkSettings
from zoo.networks import training as network_training
from zoo.networks.architecture import ResidualTrunk
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.data import NetworkData, class_weights, inner_validation
from zoo.networks.training import train_network
from zoo.networks.watch import EpochReport, NetworkWatch, watch_training

STILL = AugmentationSettings(rotation_degrees=0, scaling=0, shift=0, flip=False)
QUICK = NetworkSettings(
    epochs=8, batch_size=8, optimiser="adam", learning_rate=1e-3, device="cpu", threads=1, validation_fraction=0.25
)
EPOCHS = 7
# Trains until the parent kills it: after epoch 5 it waits to be killed.
KILLED = """
import sys, time
from pathlib import Path
from builders.synthetic_regions import region_table
from schemas.study.networks import NetworkSettings
from zoo.networks.classifier import NetworkClassifier
from zoo.networks.watch import NetworkWatch, watch_training
def told(report):
    print(report.epoch, "torch._dynamo" in sys.modules, flush=True)
    if report.epoch == 5:
        time.sleep(600)
settings = NetworkSettings.model_validate_json(sys.argv[2])
with watch_training(NetworkWatch(progress=told, checkpoints=Path(sys.argv[1]), every=2)):
    NetworkClassifier("resnet10", settings, random_state=4).fit(*region_table(16))
"""


def test_it_can_learn_eight_patients_by_heart() -> None:
    """Regions of pure noise with labels at random are told apart perfectly after enough epochs."""
    table, labels = region_table(8, contrast=0)
    settings = QUICK.model_copy(update={"epochs": 25, "augmentation": STILL, "validation_fraction": 0.0})
    model = NetworkClassifier("resnet10", settings).fit(table, labels)
    assert roc_auc_score(labels, model.predict_proba(table)[:, 1]) == 1
    assert model.history_["loss"][-1] < 0.1 * model.history_["loss"][0]
    assert model.best_epoch_ == 25
    assert set(model.history_) == {"loss"}


def out_of_fold_auc(table, labels) -> float:
    """Return the AUC of patients whom the network that judges them was not trained on."""
    answers = np.empty(len(labels))
    for training, judged in StratifiedKFold(3, shuffle=True, random_state=0).split(labels, labels):
        model = NetworkClassifier("resnet10", QUICK, random_state=1).fit(table[training.tolist()], labels[training])
        answers[judged] = model.predict_proba(table[judged.tolist()])[:, 1]
    return float(roc_auc_score(labels, answers))


def test_permuted_labels_cannot_be_predicted() -> None:
    """Out of fold, a signal is found, and with permuted labels the AUC is .5 within three standard errors.

    Under chance the AUC's standard error is sqrt((m + n + 1) / (12 m n)), Mann-Whitney's: 0.092 for 20 against 20.
    """
    table, labels = region_table(40)
    error = np.sqrt((20 + 20 + 1) / (12 * 20 * 20))
    assert out_of_fold_auc(table, labels) > 0.5 + 3 * error
    permuted = np.random.default_rng(5).permutation(labels)
    assert abs(out_of_fold_auc(table, permuted) - 0.5) < 3 * error


def test_the_seed_decides_the_weights() -> None:
    """The same seed gives the same bytes, another seed others; the process's own random numbers are left alone."""
    table, labels = region_table(16)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = NetworkClassifier("resnet10", QUICK, random_state=4).fit(table, labels)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    again = NetworkClassifier("resnet10", QUICK, random_state=4).fit(table, labels)
    assert again.weights_ == first.weights_
    assert NetworkClassifier("resnet10", QUICK, random_state=5).fit(table, labels).weights_ != first.weights_


def test_two_threads_give_the_bits_of_one() -> None:
    """Networks that are fitted in two threads at once draw their own first weights, and leave the settings alone."""
    table, labels = region_table(16)
    settings = QUICK.model_copy(update={"epochs": 2, "threads": torch.get_num_threads() + 1})

    def weights(architecture: str) -> bytes:
        return NetworkClassifier(architecture, settings, random_state=4).fit(table, labels).weights_

    before = torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.get_rng_state()
    names = ("resnet10", "resnet18", "resnet10")
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(weights, names)) == [weights(name) for name in names]
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_mixed_precision_rounds_the_trunk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 (a CPU's, here) the first batch reaches the trunk in the very bits of 32 bits; its weights differ."""
    table, labels = region_table(8)
    settings = QUICK.model_copy(update={"epochs": 1, "validation_fraction": 0.0})
    seen: list[torch.Tensor] = []
    weights = []

    def keep(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, ResidualTrunk):
            seen.append(inputs[0].clone())

    with torch.nn.modules.module.register_module_forward_pre_hook(keep):
        for enabled in (False, True):
            monkeypatch.setattr(
                network_training,
                "autocast",
                lambda *_, enabled=enabled: torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled),
            )
            weights.append(NetworkClassifier("resnet10", settings).fit(table, labels).weights_)
    assert weights[0] != weights[1]
    assert seen[0].dtype == torch.float32
    assert torch.equal(seen[0], seen[len(seen) // 2])


def test_threads_are_put_back() -> None:
    """A training with its own number of threads leaves the process's as it was."""
    before = torch.get_num_threads()
    table, labels = region_table(8)
    NetworkClassifier("resnet10", QUICK.model_copy(update={"threads": before + 1, "epochs": 1})).fit(table, labels)
    assert torch.get_num_threads() == before


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_killed_training_goes_on_where_it_was(tmp_path: Path, optimiser: str) -> None:
    """Killed in its fifth epoch, a training resumes behind the fourth and ends in the bits of an undisturbed one."""
    settings = QUICK.model_copy(update={"epochs": EPOCHS, "optimiser": optimiser})
    table, labels = region_table(16)
    undisturbed = NetworkClassifier("resnet10", settings, random_state=4).fit(table, labels)

    command = [sys.executable, "-c", KILLED, str(tmp_path), settings.model_dump_json()]
    paths = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=paths) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("5 "):
                break
        running.kill()
    # PyTorch's compiler takes a process two seconds to load, and nothing is compiled.
    assert line.split() == ["5", "False"]
    assert len(list(tmp_path.iterdir())) == 1

    reports: list[EpochReport] = []
    with watch_training(NetworkWatch(progress=reports.append, checkpoints=tmp_path, every=2)):
        resumed = NetworkClassifier("resnet10", settings, random_state=4).fit(table, labels)
    assert [(each.epoch, each.resumed) for each in reports] == [(4, True), *((n, False) for n in range(5, EPOCHS + 1))]
    assert resumed.weights_ == undisturbed.weights_
    for name, values in undisturbed.history_.items():
        np.testing.assert_array_equal(resumed.history_[name], values)

    reports.clear()
    with watch_training(NetworkWatch(progress=reports.append, checkpoints=tmp_path)):
        finished = NetworkClassifier("resnet10", settings, random_state=4).fit(table, labels)
    assert [(each.epoch, each.resumed, each.is_last) for each in reports] == [(EPOCHS, True, True)]
    assert finished.weights_ == undisturbed.weights_


def test_another_training_does_not_take_over_a_state(tmp_path: Path) -> None:
    """What is left of one training is not resumed with other labels, settings or seed; a damaged one begins again."""
    table, labels = region_table(16)
    settings = QUICK.model_copy(update={"epochs": 2})
    watch = NetworkWatch(checkpoints=tmp_path, every=1)

    def weights(settings: NetworkSettings = settings, labels=labels, seed: int = 0) -> bytes:
        with watch_training(watch):
            return NetworkClassifier("resnet10", settings, random_state=seed).fit(table, labels).weights_

    first = weights()
    assert weights(labels=1 - labels) != first
    assert weights(settings.model_copy(update={"learning_rate": 2e-3})) != first
    assert weights(seed=1) != first
    assert len(list(tmp_path.iterdir())) == 4
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:1000])
    assert weights() == first


def test_a_folder_that_is_removed_meanwhile_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two trainings of one study the first to end takes the checkpoints away, and the other goes on without."""
    table, labels = region_table(8)
    settings = QUICK.model_copy(update={"epochs": 2})
    undisturbed = NetworkClassifier("resnet10", settings).fit(table, labels)
    save, folder = torch.save, tmp_path / "checkpoints"

    def removed_meanwhile(state: object, stream: BinaryIO) -> None:
        save(state, stream)
        shutil.rmtree(folder)

    monkeypatch.setattr(torch, "save", removed_meanwhile)
    with watch_training(NetworkWatch(checkpoints=folder, every=1)):
        assert NetworkClassifier("resnet10", settings).fit(table, labels).weights_ == undisturbed.weights_
    assert not folder.exists()


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_its_steps_are_those_of_pytorchs_optimiser(optimiser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wrappers of PyTorch's compiler a training ends in the bits that it has with them."""
    table, labels = region_table(8)
    settings = QUICK.model_copy(update={"epochs": 3, "optimiser": optimiser})
    weights = NetworkClassifier("resnet10", settings).fit(table, labels).weights_
    monkeypatch.setattr(network_training, "_Adam", torch.optim.Adam)
    monkeypatch.setattr(network_training, "_SGD", torch.optim.SGD)
    assert NetworkClassifier("resnet10", settings).fit(table, labels).weights_ == weights


def test_early_stopping_keeps_the_best_epoch() -> None:
    """Training stops when the inner validation's loss has not fallen for so long, and keeps the epoch before."""
    table, labels = region_table(24, contrast=0)
    settings = QUICK.model_copy(update={"epochs": 60, "patience": 3, "augmentation": STILL})
    reports: list[EpochReport] = []
    with watch_training(NetworkWatch(progress=reports.append)):
        model = NetworkClassifier("resnet10", settings).fit(table, labels)
    losses = model.history_["validation_loss"]
    assert len(losses) < 60
    assert model.best_epoch_ == np.argmin(losses) + 1 == len(losses) - 3
    assert [each.epoch for each in reports] == list(range(1, len(losses) + 1))
    assert [each.validation_loss for each in reports] == losses.tolist()
    assert reports[-1].is_last
    shorter = QUICK.model_copy(update={"epochs": model.best_epoch_, "patience": None, "augmentation": STILL})
    assert NetworkClassifier("resnet10", shorter).fit(table, labels).weights_ == model.weights_


def test_validation_patients_move_no_weight() -> None:
    """Other regions of the patients who tell when to stop change nothing but the epoch that is kept."""
    table, labels = region_table(24)
    aside = inner_validation(labels, 0.25, 0)
    images = np.stack([table[name].to_numpy() for name in table.columns], axis=1)
    images[aside] = -images[aside]
    settings = QUICK.model_copy(update={"patience": None})
    first = NetworkClassifier("resnet10", settings).fit(table, labels)
    other = NetworkClassifier("resnet10", settings).fit(table_of(images), labels)
    np.testing.assert_array_equal(first.history_["loss"], other.history_["loss"])
    assert not np.array_equal(first.history_["validation_loss"], other.history_["validation_loss"])
    np.testing.assert_array_equal(first.mean_, other.mean_)


def test_class_weights() -> None:
    """78 patients with recurrence and 54 without, the published training cohort, weigh alike in all."""
    labels = np.repeat([1, 0], [78, 54])
    np.testing.assert_allclose(class_weights(labels), [132 / 108, 132 / 156])
    aside = inner_validation(labels, 0.2, 3)
    assert np.bincount(labels[aside]).tolist() == [11, 16]
    assert len(inner_validation(labels, 0.0, 3)) == 0
    assert inner_validation(np.array([0, 0, 1, 1]), 0.01, 0).tolist() != []
    with pytest.raises(ContractError, match="1 training patients have label 1"):
        inner_validation(np.array([0, 0, 1]), 0.2, 0)


def test_a_training_that_diverges_is_refused() -> None:
    """A loss that is no number any more ends the training with a word about it."""
    draw = np.random.default_rng(0)
    data = NetworkData(draw.normal(size=(8, 1, 3, 16, 16)).astype(np.float32), np.arange(8) % 2)
    settings = QUICK.model_copy(update={"optimiser": "sgd", "learning_rate": 1e12})
    with pytest.raises(ContractError, match="no number any more in epoch"):
        train_network(data, None, "resnet10", settings, 0)
    for validation in (data, None):
        given = settings.model_copy(update={"optimiser": "adam", "learning_rate": 1e30, "epochs": 1})
        with pytest.raises(ContractError, match="lower learning_rate"):
            train_network(data, validation, "resnet10", given, 0)
