"""How a study's networks are trained: what decides the fitted weights, defaults as in the paper."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ARCHITECTURES", "Architecture", "AugmentationSettings", "NetworkFusion", "NetworkSettings", "Optimiser"]

Architecture = Literal["resnet10", "resnet18", "resnet34"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
NetworkFusion = Literal["shared", "separate", "early"]
Optimiser = Literal["sgd", "adam"]

# Bounds far above what anybody trains with, so that a slip of the keyboard is a fault and no run without an end.
Epochs = Annotated[int, Field(gt=0, le=100_000)]
BatchSize = Annotated[int, Field(gt=0, le=65_536)]
Threads = Annotated[int, Field(gt=0, le=1_024)]
PositiveReal = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Written(BaseModel):
    """What a person writes: unknown keys are refused, values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AugmentationSettings(_Written):
    """From what range a patient's transform is drawn in every epoch; one for all phases and slices.

    Ranges are symmetric about no change: 0 turns a part off.
    """

    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 15.0
    scaling: Fraction = 0.1
    """The largest relative change of size; both axes are scaled alike."""
    shift: Fraction = 0.1
    """The largest shift along each axis, as a fraction of the region's side."""
    flip: bool = True
    """Mirror each of the two axes in half of the draws."""

    @property
    def is_off(self) -> bool:
        """Return whether nothing is ever changed."""
        return not (self.rotation_degrees or self.scaling or self.shift or self.flip)


class NetworkSettings(_Written):
    """How a network is trained; which network it is, the model's name says.

    Attributes
    ----------
    fusion : {"shared", "separate", "early"}
        ``shared``: one trunk reads every phase, and the phases' features are concatenated. ``separate``: a trunk of
        its own for each phase. ``early``: all phases are channels of one trunk.
    epochs : int
        At most so many passes over the training patients.
    batch_size : int
        Patients a step, at most: an epoch's patients are split into batches of equal size.
    optimiser : {"sgd", "adam"}
        Gradient descent with momentum, or Adam.
    learning_rate, weight_decay : float
        Constant over the epochs; the decay is added to the gradient.
    momentum : float
        Of the descent; for Adam its first beta.
    class_weights : bool
        Weigh each label's loss inversely to its frequency among the patients that train.
    augmentation : AugmentationSettings
        Of training patients only.
    validation_fraction : float
        The part of the training patients, stratified by label, on whom early stopping looks; 0 stops at no epoch but
        the last.
    patience : int or None
        Stop after so many epochs without a smaller loss on them; None trains all epochs. Either way the weights of
        the best epoch are kept.
    inner_folds : int
        For late fusion: the parts by which scores of patients are made that a part had not trained on.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes a CUDA device where there is one.
    mixed_precision : bool
        On CUDA: convolutions in bfloat16 where the device has it. Never on a CPU, where it is slower.
    threads : int or None
        Threads of a CPU while the network is trained or asked. Their number decides in which order sums are rounded,
        and after some epochs the third digit of a probability: one, unless the study says more, gives the same
        weights in a worker and alone. None leaves what is set in the process.
    """

    fusion: NetworkFusion = "shared"
    epochs: Epochs = 200
    batch_size: BatchSize = 64
    optimiser: Optimiser = "sgd"
    learning_rate: PositiveReal = 1e-4
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-4
    momentum: Fraction = 0.9
    class_weights: bool = True
    augmentation: AugmentationSettings = AugmentationSettings()
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    patience: Epochs | None = 20
    inner_folds: Annotated[int, Field(ge=2, le=50)] = 3
    device: Literal["auto", "cpu", "cuda"] = "auto"
    mixed_precision: bool = True
    threads: Threads | None = 1
