"""Training of a network: class-weighted loss, early stopping on an inner part, the same bits by the same seed."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from schemas.errors import ContractError
from schemas.keys import sha256_of_json
from schemas.study.networks import NetworkSettings
from zoo.evaluation.auc import auc
from zoo.networks.architecture import N_LABELS, PhaseNetwork
from zoo.networks.augmentation import Augmentation
from zoo.networks.checkpoints import TrainingState, read_state, write_state
from zoo.networks.data import NetworkData, class_weights
from zoo.networks.runtime import autocast, computing, decided_by, scores_of, weights_of
from zoo.networks.watch import EpochReport, NetworkWatch, current_watch

__all__ = ["TrainedNetwork", "train_network"]

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
OptimiserT = TypeVar("OptimiserT", bound=torch.optim.Optimizer)


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network.

    Attributes
    ----------
    weights : bytes
        Of the best epoch, as a safetensors file.
    best_epoch : int
        The epoch with the smallest loss on the inner validation patients; the last one where there are none.
    history : mapping of str to ndarray of shape (n_epochs,)
        ``loss``, and with inner validation patients ``validation_loss`` and ``validation_auc``.
    """

    weights: bytes
    best_epoch: int
    history: dict[str, NDArray[np.float64]]


def train_network(
    training: NetworkData,
    validation: NetworkData | None,
    architecture: str,
    settings: NetworkSettings,
    seed: int,
) -> TrainedNetwork:
    """Return a network fitted to the training patients, as it was when the validation patients' loss was smallest.

    The same data, settings and seed give the same bits on a CPU with the same number of threads, whether the
    training was interrupted and resumed or not (`zoo.networks.watch.NetworkWatch`). Patients are shuffled in every
    epoch into batches of equal size, so that no small batch is left over for batch normalisation.

    Parameters
    ----------
    training, validation : NetworkData, NetworkData or None
        Who moves the weights, and on whom early stopping looks: no patient in both.
    architecture : str
        Of the trunk.
    settings : NetworkSettings
        How it is trained.
    seed : int
        Of the first weights, the order of patients and their transforms.

    Raises
    ------
    ContractError
        If the loss is no number any more.
    """
    watch = current_watch()
    fit = _fit_sha256(training, validation, architecture, settings, seed) if watch != NetworkWatch() else ""
    file = watch.checkpoints / f"{fit}.pt" if watch.checkpoints is not None else None
    with computing(settings) as device:
        network = _initial_network(training, architecture, settings, seed).to(device)
        optimiser = _optimiser(network, settings)
        state = read_state(file) if file is not None else None
        if state is None or not _fits(state, network, optimiser):
            state = TrainingState(network.state_dict(), optimiser.state_dict())
        else:
            if not state.is_finished:
                network.load_state_dict(state.network)
                optimiser.load_state_dict(state.optimiser)
            _tell(watch, state, settings, fit, resumed=True)
        course = _Course(training, validation, settings, seed, device, network, optimiser)
        while not state.is_finished:
            course.epoch(state)
            _tell(watch, state, settings, fit)
            if file is not None and (state.is_finished or state.epoch % watch.every == 0):
                _save(file, state)
        network.load_state_dict(state.best)
        history = {"loss": state.losses}
        if validation is not None:
            history |= {"validation_loss": state.validation_losses, "validation_auc": state.validation_aucs}
        return TrainedNetwork(
            weights_of(network), state.best_epoch, {name: np.array(values) for name, values in history.items()}
        )


def _fits(state: TrainingState, network: PhaseNetwork, optimiser: torch.optim.Optimizer) -> bool:
    """Return whether a state that was read is one of this network's; another is trained again."""
    shapes = _shapes(network.state_dict())
    if _shapes(state.best if state.is_finished else state.network) != shapes:
        return False
    if state.is_finished:
        return True
    if state.best_epoch and _shapes(state.best) != shapes:
        return False
    groups, own = state.optimiser.get("param_groups"), optimiser.state_dict()["param_groups"]
    steps = state.optimiser.get("state")
    return isinstance(steps, dict) and isinstance(groups, list) and groups == own


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in weights.items()}


class _Course:
    """One epoch after another of a training."""

    def __init__(
        self,
        training: NetworkData,
        validation: NetworkData | None,
        settings: NetworkSettings,
        seed: int,
        device: torch.device,
        network: PhaseNetwork,
        optimiser: torch.optim.Optimizer,
    ) -> None:
        self._training, self._validation = training, validation
        self._settings, self._seed, self._device = settings, seed, device
        # All patients at once: on a CUDA device every step would wait for its batch to be copied.
        self._images = torch.from_numpy(training.images).to(device)
        self._labels = torch.from_numpy(training.labels).to(device)
        self._tabular = None if training.tabular is None else torch.from_numpy(training.tabular).to(device)
        self._network, self._optimiser = network, optimiser
        weights = class_weights(training.labels, training.weights) if settings.class_weights else np.ones(N_LABELS)
        self._weights = torch.tensor(weights, dtype=torch.float32, device=device)
        self._counts = _mean_of_one(training.weights, device)
        self._augmentation = Augmentation(settings.augmentation, training.images.shape[-1], seed)

    def epoch(self, state: TrainingState) -> None:
        """Train one epoch more, and write into the state what it came to."""
        state.epoch += 1
        state.losses.append(self._trained_loss(state.epoch))
        if self._validation is None:
            is_best = True
        else:
            loss, area = self._validated(self._validation, state.epoch)
            state.validation_losses.append(loss)
            state.validation_aucs.append(area)
            is_best = loss < state.best_loss
            state.best_loss = min(loss, state.best_loss)
        if is_best:
            state.best_epoch = state.epoch
            state.best = {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}
        state.network, state.optimiser = self._network.state_dict(), self._optimiser.state_dict()
        patience = self._settings.patience
        waited = patience is not None and state.epoch - state.best_epoch >= patience
        state.is_finished = waited or state.epoch == self._settings.epochs
        if state.is_finished and self._validation is None:
            # The loss was of the weights before the last step.
            self._validated(self._training, state.epoch)

    def _trained_loss(self, epoch: int) -> float:
        patients = len(self._labels)
        order = np.random.default_rng((self._seed, epoch)).permutation(patients)
        self._network.train()
        batches = np.array_split(order, -(-patients // self._settings.batch_size))
        # Read at the epoch's end: a CUDA device need not stop for each.
        losses = torch.stack([self._step(rows, epoch) for rows in batches]).tolist()
        total = sum(loss * len(rows) for loss, rows in zip(losses, batches, strict=True))
        _refuse_divergence(epoch, np.array(total))
        return float(total / patients)

    def _step(self, rows: Rows, epoch: int) -> Tensor:
        chosen = torch.from_numpy(rows).to(self._device)
        images = self._augmentation(self._images[chosen], epoch, rows.tolist())
        self._optimiser.zero_grad(set_to_none=True)
        with autocast(self._device, self._settings):
            embeddings = self._network.embed(images)
        tabular = None if self._tabular is None else self._tabular[chosen]
        scores = self._network.scores(embeddings.float(), tabular)
        counts = None if self._counts is None else self._counts[chosen]
        loss = _weighted_loss(scores, self._labels[chosen], self._weights, counts)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return loss.detach()

    def _validated(self, data: NetworkData, epoch: int) -> tuple[float, float]:
        self._network.eval()
        scores = scores_of(self._network, data.images, self._settings, data.tabular)
        _refuse_divergence(epoch, scores)
        labels = torch.from_numpy(data.labels)
        counts = _mean_of_one(data.weights, torch.device("cpu"))
        loss = _weighted_loss(torch.from_numpy(scores), labels, self._weights.double().cpu(), counts)
        return float(loss), auc(data.labels, scores[:, 1] - scores[:, 0])


def _mean_of_one(weights: NDArray[np.float64] | None, device: torch.device) -> Tensor | None:
    """Return how much patients count, one on average."""
    if weights is None:
        return None
    return torch.tensor(weights / weights.mean(), dtype=torch.float32, device=device)


def _weighted_loss(scores: Tensor, labels: Tensor, of_labels: Tensor, counts: Tensor | None) -> Tensor:
    """Return the mean cross-entropy, each patient's weighed by label and, where told, by how much the patient counts.

    It is divided by the labels' weights alone: divided by the patients' too, one in a batch of heavy ones would count
    less than in a batch of light ones.
    """
    if counts is None:
        return functional.cross_entropy(scores, labels, weight=of_labels)
    losses = functional.cross_entropy(scores, labels, weight=of_labels, reduction="none")
    return (losses * counts).sum() / of_labels[labels].sum()


def _refuse_divergence(epoch: int, numbers: NDArray[np.float64]) -> None:
    if not np.isfinite(numbers).all():
        raise ContractError(
            f"the network's loss is no number any more in epoch {epoch}",
            hint="lower learning_rate, and look for extreme values in the regions",
        )


def _initial_network(training: NetworkData, architecture: str, settings: NetworkSettings, seed: int) -> PhaseNetwork:
    _, n_phases, n_slices, _, _ = training.images.shape
    n_tabular = 0 if training.tabular is None else training.tabular.shape[1]
    # Layers draw their first weights from the process's generator, which is put back afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = PhaseNetwork(architecture, n_phases, n_slices, settings.fusion, n_tabular)
    prepared: PhaseNetwork = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return prepared


def _uncompiled(optimiser: type[OptimiserT]) -> type[OptimiserT]:
    """Return an optimiser of the same steps, whose first one does not load PyTorch's compiler: two seconds a process.

    PyTorch wraps these methods so that its compiler leaves them out; nothing is compiled here. What the wrapper of
    ``step`` does besides is to keep the steps themselves out of the gradients.
    """
    plain = {
        name: inspect.unwrap(getattr(optimiser, name))
        for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    }
    plain["step"] = torch.no_grad()(inspect.unwrap(optimiser.step))
    return type(optimiser.__name__, (optimiser,), plain)


_Adam, _SGD = _uncompiled(torch.optim.Adam), _uncompiled(torch.optim.SGD)


def _optimiser(network: nn.Module, settings: NetworkSettings) -> torch.optim.Optimizer:
    common: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.optimiser == "adam":
        return _Adam(network.parameters(), betas=(settings.momentum, 0.999), **common)
    return _SGD(network.parameters(), momentum=settings.momentum, **common)


def _save(file: Path, state: TrainingState) -> None:
    # Of a finished training only the best weights are read again.
    write_state(file, replace(state, network={}, optimiser={}) if state.is_finished else state)


def _tell(
    watch: NetworkWatch, state: TrainingState, settings: NetworkSettings, fit: str, *, resumed: bool = False
) -> None:
    if watch.progress is None:
        return
    watch.progress(
        EpochReport(
            fit=fit[:12],
            epoch=state.epoch,
            epochs=settings.epochs,
            loss=state.losses[-1],
            validation_loss=state.validation_losses[-1] if state.validation_losses else None,
            validation_auc=state.validation_aucs[-1] if state.validation_aucs else None,
            best_epoch=state.best_epoch,
            is_last=state.is_finished,
            resumed=resumed,
        )
    )


def _fit_sha256(
    training: NetworkData,
    validation: NetworkData | None,
    architecture: str,
    settings: NetworkSettings,
    seed: int,
) -> str:
    """Return the hash of all that decides a training, device and release of PyTorch too."""
    arrays = [
        None if array is None else [list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
        for data in (training, validation)
        if data is not None
        # Without weights a fit is known by what it was known by before there were any.
        for array in (data.images, data.labels, data.tabular, *(() if data.weights is None else (data.weights,)))
    ]
    return sha256_of_json([arrays, architecture, settings.model_dump(mode="json"), seed, decided_by(settings)])
