"""Images per second that networks train on, against a plain PyTorch loop; or the paper's whole training.

One image is one phase of a patient: three slices as channels. The plain loop has the same layers, written here with
nothing but PyTorch, the same loss and optimiser, and neither transforms nor early stopping.

    python tests/benchmarks/networks.py                     images per second, on the CPU
    python tests/benchmarks/networks.py --threads 1         by processor time: other work on the machine moves it least
    python tests/benchmarks/networks.py --device cuda
    python tests/benchmarks/networks.py --full --device cuda  132 patients x 3 phases, 256 x 256, 200 epochs, batch 64
    python tests/benchmarks/networks.py --augmentation      one transform a patient, all at once and one by one
    python tests/benchmarks/networks.py --agreement         CUDA against the CPU, from the same data, settings and seed
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from monai.transforms.spatial.array import RandAffine
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

from schemas.study.networks import ARCHITECTURES, AugmentationSettings, NetworkSettings
from zoo.networks.architecture import PhaseNetwork
from zoo.networks.augmentation import Augmentation
from zoo.networks.data import NetworkData, class_weights, inner_validation
from zoo.networks.runtime import autocast, computing, restored, scores_of
from zoo.networks.training import train_network
from zoo.networks.watch import NetworkWatch, watch_training

BLOCKS = {"resnet10": (2, 2), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)
STILL = AugmentationSettings(rotation_degrees=0, scaling=0, shift=0, flip=False)
EPOCHS = {"cpu": 3, "cuda": 10}
"""The first of them warms up."""
PATIENTS = {"cpu": 32, "cuda": 264}
TRAINING_PATIENTS = 132


class PlainBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(inward, outward, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outward),
            nn.ReLU(inplace=True),
            nn.Conv2d(outward, outward, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outward),
        )
        self.shortcut = (
            nn.Identity()
            if inward == outward
            else nn.Sequential(nn.Conv2d(inward, outward, 1, stride), nn.BatchNorm2d(outward))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        return functional.relu(self.path(x) + self.shortcut(x))


def plain_network(architecture: str) -> nn.Sequential:
    """Return a residual network made of PyTorch's layers only."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    ]
    inward = 64
    for stage, blocks in enumerate(BLOCKS[architecture]):
        for block in range(blocks):
            layers.append(PlainBlock(inward, WIDTHS[stage], 2 if stage and not block else 1))
            inward = WIDTHS[stage]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inward, 2))


def clock(device: torch.device) -> float:
    """Return seconds: of the processor where one thread computes, else of the clock on the wall."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.process_time() if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter()


def plain_rate(
    architecture: str,
    data: NetworkData,
    batch: int,
    device: torch.device,
    *,
    channels_last: bool,
    as_radzoo: NetworkSettings | None = None,
) -> float:
    """Return the images per second of the plain loop; with radzoo's precision and determinism where they are given."""
    if as_radzoo is not None:
        with computing(as_radzoo), autocast(device, as_radzoo):
            return plain_rate(architecture, data, batch, device, channels_last=channels_last)
    network = plain_network(architecture).to(device)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4)
    images, labels = torch.from_numpy(data.images[:, 0]).to(device), torch.from_numpy(data.labels).to(device)
    weights = torch.tensor(class_weights(data.labels), dtype=torch.float32, device=device)
    times = []
    for _ in range(EPOCHS[device.type]):
        started = clock(device)
        for rows in torch.randperm(len(labels)).split(batch):
            optimiser.zero_grad()
            loss = functional.cross_entropy(network(images[rows]), labels[rows], weight=weights)
            loss.backward()
            optimiser.step()
            loss.item()
        times.append(clock(device) - started)
    return len(labels) / median(times[1:])


def own_rate(architecture: str, data: NetworkData, settings: NetworkSettings) -> float:
    """Return the images per second of the zoo's training."""
    stamps: list[float] = []
    device = torch.device("cpu" if settings.device == "cpu" else "cuda")
    with watch_training(NetworkWatch(progress=lambda _report: stamps.append(clock(device)))):
        train_network(data, None, architecture, settings, seed=0)
    return len(data.labels) * data.images.shape[1] / median(np.diff(stamps))


def drawn_data(patients: int, phases: int, size: int) -> NetworkData:
    """Return noise of the shape of a study."""
    draw = np.random.default_rng(0)
    images = draw.standard_normal((patients, phases, 3, size, size), dtype=np.float32)
    return NetworkData(images, np.arange(patients) % 2)


def rates(arguments: argparse.Namespace) -> None:
    """Print images per second, and what they mean for the paper's training."""
    device = torch.device(arguments.device)
    data = drawn_data(arguments.patients or PATIENTS[device.type], 1, arguments.size)
    print(f"{arguments.size} x {arguments.size}, batch {arguments.batch}, {described(device)}")
    print(
        "| network | plain loop | plain, channels last | the same, radzoo's precision | radzoo, no transforms | radzoo "
        "| 200 epochs of 132 images | same bits twice |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for architecture in arguments.networks:
        settings = NetworkSettings(
            epochs=EPOCHS[device.type],
            patience=None,
            batch_size=arguments.batch,
            device=arguments.device,
            augmentation=STILL,
            threads=None,
        )
        moved = settings.model_copy(update={"augmentation": AugmentationSettings()})
        plain = [plain_rate(architecture, data, arguments.batch, device, channels_last=last) for last in (False, True)]
        plain += [plain_rate(architecture, data, arguments.batch, device, channels_last=True, as_radzoo=settings)]
        own = [own_rate(architecture, data, each) for each in (settings, moved)]
        minutes = 200 * TRAINING_PATIENTS / own[1] / 60
        few = data.at(np.arange(min(8, len(data.labels))))
        twice = {train_network(few, None, architecture, moved, seed=0).weights for _ in range(2)}
        cells = [*(f"{rate:.1f}" for rate in (*plain, *own)), f"{minutes:.0f} min", "yes" if len(twice) == 1 else "no"]
        print(f"| {architecture} | {' | '.join(cells)} |", flush=True)


def described(device: torch.device) -> str:
    """Return what computes, with the versions that matter."""
    if device.type == "cpu":
        return f"CPU, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"
    versions = f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    return f"{torch.cuda.get_device_name()}, {versions}"


def full(arguments: argparse.Namespace) -> None:
    """Train the paper's networks as the paper says, on noise: what is measured is the time."""
    data = drawn_data(TRAINING_PATIENTS, 3, 256)
    aside = inner_validation(data.labels, 0.2, 0)
    fitted = np.setdiff1d(np.arange(TRAINING_PATIENTS), aside)
    settings = NetworkSettings(patience=None, device=arguments.device, threads=None)
    for architecture in arguments.networks:
        started = time.perf_counter()
        with watch_training(
            NetworkWatch(progress=lambda report: print(report, flush=True) if report.epoch % 10 == 0 else None)
        ):
            train_network(data.at(fitted), data.at(aside), architecture, settings, seed=0)
        seconds = time.perf_counter() - started
        memory = f", {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if arguments.device == "cuda" else ""
        print(f"{architecture}: {seconds:.1f} s for {settings.epochs} epochs{memory}", flush=True)


def augmentation(arguments: argparse.Namespace) -> None:
    """Print the time of one patient's transform (three phases of three slices), all at once and one by one."""
    for size in (64, arguments.size):
        images = torch.from_numpy(drawn_data(32, 3, size).images).to(arguments.device)
        ranges = AugmentationSettings()
        together = Augmentation(ranges, size, 0)
        one = RandAffine(
            prob=1,
            rotate_range=float(np.deg2rad(ranges.rotation_degrees)),
            scale_range=(ranges.scaling, ranges.scaling),
            translate_range=(ranges.shift * size, ranges.shift * size),
            padding_mode="border",
            cache_grid=True,
            spatial_size=(size, size),
        )
        batched = milliseconds(lambda batch, at_once=together: at_once(batch, 1, range(len(batch))), images) / len(
            images
        )
        single = milliseconds(lambda batch, alone=one: [alone(each.flatten(0, 1)) for each in batch], images) / len(
            images
        )
        print(f"{size} x {size}: all at once {batched:.2f} ms, RandAffine one by one {single:.2f} ms")


def agreement(_: argparse.Namespace) -> None:
    """Print how far networks trained on CUDA lie from one trained on the CPU, and their AUC of unseen patients."""
    data = drawn_data(96, 3, 64)
    data.images[data.labels == 1, :, :, 24:40, 24:40] += 0.25
    fitted, unseen = data.at(np.arange(64)), data.at(np.arange(64, 96))
    settings = NetworkSettings(epochs=20, patience=None, batch_size=16, learning_rate=1e-3, augmentation=STILL)
    on = {
        "CPU, 32 bits": settings.model_copy(update={"device": "cpu"}),
        "CUDA, 32 bits": settings.model_copy(update={"device": "cuda", "mixed_precision": False}),
        "CUDA, convolutions in bfloat16": settings.model_copy(update={"device": "cuda"}),
    }
    print("| trained on | epochs | AUC of unseen patients | largest difference of a probability | asked on the CPU |")
    print("|---|---|---|---|---|")
    for epochs in (1, 5, 20):
        reference = None
        for name, each in on.items():
            now = each.model_copy(update={"epochs": epochs})
            trained = train_network(fitted, None, "resnet10", now, seed=0)
            network = restored(lambda: PhaseNetwork("resnet10", 3, 3), trained.weights)
            there, here = (
                softmax(scores_of(network, unseen.images, asked), axis=1)[:, 1] for asked in (now, on["CPU, 32 bits"])
            )
            reference = there if reference is None else reference
            print(
                f"| {name} | {epochs} | {roc_auc_score(unseen.labels, there):.3f} | "
                f"{np.abs(there - reference).max():.2g} | {np.abs(there - here).max():.2g} |",
                flush=True,
            )


def milliseconds(work: Callable[[torch.Tensor], object], images: torch.Tensor) -> float:
    """Return the median time of five calls, behind one that warms up."""
    times = []
    for _ in range(6):
        started = clock(images.device)
        work(images)
        times.append(1000 * (clock(images.device) - started))
    return median(times[1:])


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--patients", type=int, help="32 on a CPU, 264 on CUDA")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--networks", nargs="+", default=ARCHITECTURES, choices=ARCHITECTURES)
    parser.add_argument("--full", action="store_true", help="the paper's setting, every epoch of it")
    parser.add_argument("--augmentation", action="store_true", help="only the transforms")
    parser.add_argument("--agreement", action="store_true", help="only CUDA against the CPU")
    parser.add_argument("--threads", type=int, help="of the CPU; PyTorch's own number where not given")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    if arguments.augmentation:
        augmentation(arguments)
    elif arguments.agreement:
        agreement(arguments)
    elif arguments.full:
        full(arguments)
    else:
        rates(arguments)


if __name__ == "__main__":
    main()
