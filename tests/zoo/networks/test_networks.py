"""The networks: what they are made of, against a definition of its own; how phases are joined."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from zoo.networks.architecture import PhaseNetwork, ResidualTrunk

# The study's text: 683,200 parameters. The others: ResNet-18 and -34 of He et al. have 11,689,512 and 21,797,672
# with 1000 classes; less the last layer (513,000), plus the biases of three 1 x 1 shortcuts (128 + 256 + 512).
PARAMETERS = {
    "resnet10": 683_200,
    "resnet18": 11_689_512 - 513_000 + 896,
    "resnet34": 21_797_672 - 513_000 + 896,
}


def randomised(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Return the network in evaluation mode, with weights and running statistics that are nowhere 0 or 1."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.dtype == torch.float32:
                values = torch.rand(tensor.shape, generator=draw)
                tensor.copy_(values + 0.5 if "running_var" in name or tensor.ndim == 1 else 0.2 * (values - 0.5))
    return network.eval()


def independent_resnet10(x: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the features of the paper's ResNet-10, written out by the text and He et al., with given weights."""

    def normed(values: torch.Tensor, name: str) -> torch.Tensor:
        mean, variance, scale, shift = (
            weights[f"{name}.{part}"][None, :, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (values - mean) / torch.sqrt(variance + 1e-5) * scale + shift

    def block(values: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        inner = functional.conv2d(values, weights[f"{name}.conv1.weight"], stride=stride, padding=1)
        inner = torch.relu(normed(inner, f"{name}.bn1"))
        inner = normed(functional.conv2d(inner, weights[f"{name}.conv2.weight"], padding=1), f"{name}.bn2")
        if stride > 1:
            shortcut = functional.conv2d(
                values, weights[f"{name}.downsample.0.weight"], weights[f"{name}.downsample.0.bias"], stride=stride
            )
            values = normed(shortcut, f"{name}.downsample.1")
        return torch.relu(inner + values)

    x = torch.relu(normed(functional.conv2d(x, weights["conv1.weight"], stride=2, padding=3), "bn1"))
    x = functional.max_pool2d(x, kernel_size=3, stride=2, padding=1)
    x = block(block(x, "layer1.0"), "layer1.1")
    x = block(block(x, "layer2.0", stride=2), "layer2.1")
    return x.mean(dim=(2, 3))


@pytest.mark.parametrize(("architecture", "features"), [("resnet10", 128), ("resnet18", 512), ("resnet34", 512)])
def test_size(architecture: str, features: int) -> None:
    """Each trunk has the parameters and features that its definition says, with three slices as channels."""
    trunk = ResidualTrunk(architecture, 3)
    assert sum(weights.numel() for weights in trunk.parameters()) == PARAMETERS[architecture]
    assert trunk.n_features == features
    assert trunk.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, features)
    assert trunk.last_convolution is [each for each in trunk.modules() if isinstance(each, torch.nn.Conv2d)][-1]


def test_resnet10_is_what_the_text_describes() -> None:
    """With the same weights an independent definition gives the same features."""
    trunk = randomised(ResidualTrunk("resnet10", 3)).double()
    x = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        ours, theirs = trunk(x), independent_resnet10(x, trunk.state_dict())
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    assert ours.std() > 0


@pytest.mark.parametrize("architecture", ["resnet10", "resnet18"])
def test_maps_before_the_average(architecture: str) -> None:
    """The feature maps are the last stage's output, and their mean is the embedding."""
    trunk = randomised(ResidualTrunk(architecture, 3))
    x = torch.rand(1, 3, 64, 64)
    seen = []
    trunk.last_stage.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.inference_mode():
        embedding, maps = trunk(x), trunk.feature_maps(x)
    torch.testing.assert_close(maps, seen[0], rtol=0, atol=0)
    torch.testing.assert_close(maps.mean((2, 3)), embedding)


@pytest.mark.parametrize(
    ("fusion", "trunks", "shape", "inputs"),
    [("shared", 1, (4, 2, 128), 256), ("separate", 2, (4, 2, 128), 256), ("early", 1, (4, 1, 128), 128)],
)
def test_fusion(fusion: str, trunks: int, shape: tuple[int, ...], inputs: int) -> None:
    """Phases share a trunk, have one each, or are its channels; the last layer reads all, and tabular inputs."""
    network = randomised(PhaseNetwork("resnet10", 2, 3, fusion, n_tabular=5))
    images, tabular = torch.rand(4, 2, 3, 32, 32), torch.rand(4, 5)
    assert len(network.trunks) == trunks
    assert network.head.in_features == inputs + 5
    with torch.inference_mode():
        embeddings = network.embed(images)
        assert embeddings.shape == shape
        torch.testing.assert_close(network.scores(embeddings, tabular), network(images, tabular))
        if fusion != "early":
            for phase in range(2):
                torch.testing.assert_close(embeddings[:, phase], network.trunk_of(phase)(images[:, phase]))
    assert network.trunk is network.trunks[0]


def test_a_shared_trunk_gives_equal_phases_equal_features() -> None:
    """The same image in two phases has one embedding with a shared trunk, and two with separate ones."""
    images = torch.rand(3, 1, 3, 32, 32).repeat(1, 2, 1, 1, 1)
    with torch.inference_mode():
        shared = randomised(PhaseNetwork("resnet10", 2, 3)).embed(images)
        separate = randomised(PhaseNetwork("resnet10", 2, 3, "separate")).embed(images)
    torch.testing.assert_close(shared[:, 0], shared[:, 1])
    assert not torch.allclose(separate[:, 0], separate[:, 1])
