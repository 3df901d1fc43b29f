"""Score-CAM against an independent implementation, and where its map lies when the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torchcam.methods import ScoreCAM

from zoo.attention.score_cam import attention_map, score_cam

SIZE = 48


class Small(nn.Module):
    """Three convolutions with a pooling between them, global average pooling, two classes."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(24, 2)
        # Scores that differ, as a trained network's do.
        self.classifier.weight.data *= 20

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the scores of both classes."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))


def image_of(seed: int) -> torch.Tensor:
    """Return noise with a bright disc at a random place."""
    random = torch.Generator().manual_seed(seed)
    image = torch.randn(3, SIZE, SIZE, generator=random)
    row, column = torch.randint(12, 36, (2,), generator=random)
    ys, xs = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    return image + 3.0 * (((ys - row) ** 2 + (xs - column) ** 2) < 64)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_the_map_is_torchcams(seed, target):
    """On a network of three convolutions the map correlates by over .99 with that of torchcam 0.5."""
    network, image = Small(seed).eval(), image_of(seed)
    with ScoreCAM(network, "features.8", input_shape=(3, SIZE, SIZE)) as reference:
        network(image[None])
        theirs = reference(target)[0][0].numpy()
    ours = score_cam(image, network.features, lambda images: network(images)[:, target])
    assert ours.shape == theirs.shape == (SIZE // 4, SIZE // 4)
    assert ours.std() > 0
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


def test_the_weights_are_the_softmax_of_the_masked_scores():
    """With two channels of known activation the map is what the formula gives, worked out here by hand."""
    image = torch.ones(1, 4, 4)
    first, second = torch.zeros(4, 4), torch.zeros(4, 4)
    first[0, 0], second[3, 3] = 2.0, 5.0

    def activations(_: torch.Tensor) -> torch.Tensor:
        return torch.stack([first, second])[None]

    def score(images: torch.Tensor) -> torch.Tensor:
        return 3.0 * images[:, 0, 0, 0] + images[:, 0, 3, 3]

    found = score_cam(image, activations, score)
    # Masks are 1 at their own pixel only: the scores are 3 and 1, the weights their softmax.
    share = np.exp(3) / (np.exp(3) + np.exp(1))
    np.testing.assert_allclose(found[0, 0], 2 * share)
    np.testing.assert_allclose(found[3, 3], 5 * (1 - share))
    assert np.count_nonzero(found) == 2


def test_a_channel_that_sees_the_lesion_wins():
    """Where one channel's mask keeps what the score counts and others hide it, the map lies there."""
    image = torch.zeros(1, 32, 32)
    image[0, 4:10, 20:26] = 1.0
    places = torch.zeros(1, 3, 8, 8)
    places[0, 0, 1:3, 5:7], places[0, 1, 5:7, 1:3], places[0, 2, 5:7, 5:7] = 1.0, 1.0, 1.0
    found = score_cam(image, lambda _: places, lambda images: images.sum(dim=(1, 2, 3)))
    shown = attention_map(found, (32, 32))
    assert shown[4:10, 20:26].mean() > 0.8
    assert shown[20:, :].max() < 0.01


def test_channels_that_see_nothing_do_not_matter():
    """Constant channels, dead or not, leave the shown map as it is; with no other, the map is zero."""
    network, image = Small(1).eval(), image_of(1)
    with torch.inference_mode():
        maps = network.features(image[None])
    dead = torch.cat([maps, torch.zeros_like(maps[:, :2]), torch.full_like(maps[:, :1], 0.7)], dim=1)

    def score(images: torch.Tensor) -> torch.Tensor:
        return network(images)[:, 1]

    shown = [attention_map(score_cam(image, lambda _, of=each: of, score), (SIZE, SIZE)) for each in (maps, dead)]
    np.testing.assert_array_equal(shown[0], shown[1])
    nothing = score_cam(image, lambda _: dead[:, -3:], score)
    assert nothing.shape == (SIZE // 4, SIZE // 4)
    assert not nothing.any()
    assert not attention_map(nothing, (SIZE, SIZE)).any()


def test_a_map_is_the_same_each_time_and_in_any_batch():
    """Two runs agree to the bit; batches of another size, to the rounding of single precision."""
    network, image = Small(2).eval(), image_of(2)

    def found(batch: int) -> np.ndarray:
        return score_cam(image, network.features, lambda images: network(images)[:, 1], batch=batch)

    np.testing.assert_array_equal(found(32), found(32))
    np.testing.assert_allclose(found(5), found(32), rtol=1e-4, atol=1e-6)


def test_a_baselines_score_cancels():
    """A constant added to every score, as the score of a baseline image is, changes nothing."""
    network, image = Small(3).eval(), image_of(3)
    plain, shifted = (
        score_cam(image, network.features, lambda images, by=by: network(images)[:, 1].double() + by)
        for by in (0.0, -7.5)
    )
    np.testing.assert_allclose(shifted, plain, rtol=1e-9)


def test_the_shown_map_is_the_upsampled_one_between_zero_and_one():
    """Bilinear interpolation as PyTorch has it; the lowest pixel is 0, the highest 1; a flat map is zero."""
    coarse = np.array([[0.0, 1.0], [2.0, 3.0]])
    shown = attention_map(coarse, (8, 8))
    reference = functional.interpolate(torch.from_numpy(coarse)[None, None], (8, 8), mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(shown, reference / 3)
    assert (shown.min(), shown.max()) == (0.0, 1.0)
    assert not attention_map(np.full((3, 3), 0.1), (8, 8)).any()
