"""OSNet (Zhou et al., Omni-Scale Feature Learning for Person Re-Identification, ICCV 2019).

Parts are called as in torchreid, so that its files fit as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

_SQUEEZE = 16  # a gate has one hidden channel for so many
_BOTTLENECK = 4  # a block works on a quarter of its output channels
_LAYERS = 2  # blocks of each of conv2, conv3 and conv4
FEATURES = 512
"""Width of the feature that is compared."""


class OSNetShape(NamedTuple):
    """What tells one OSNet from another.

    Attributes:
        channels: Output channels of conv1, conv2, conv3 and of conv4 and conv5.
        instance_norm: Whether conv1 and the blocks of conv2 norm each image alone.
    """

    channels: tuple[int, int, int, int]
    instance_norm: bool = False


OSNETS: Mapping[str, OSNetShape] = {
    "osnet_x1_0": OSNetShape((64, 256, 384, 512)),
    "osnet_x0_75": OSNetShape((48, 192, 288, 384)),
    "osnet_x0_5": OSNetShape((32, 128, 192, 256)),
    "osnet_x0_25": OSNetShape((16, 64, 96, 128)),
    "osnet_ibn_x1_0": OSNetShape((64, 256, 384, 512), instance_norm=True),
}
"""Shapes by torchreid's names."""


class _ConvLayer(nn.Module):
    """Convolution, norm and ReLU."""

    def __init__(
        self, inputs: int, outputs: int, size: int = 1, *, stride: int = 1, alone: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
        self.bn = nn.InstanceNorm2d(outputs, affine=True) if alone else nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))


class _Projection(nn.Module):
    """A 1x1 convolution and its norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class _LightConv(nn.Module):
    """A 1x1 convolution, then a 3x3 one of each channel alone, norm and ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=channels)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv2(self.conv1(x))))


class _Gate(nn.Module):
    """Weights channels by what the whole map says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.global_avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // _SQUEEZE, 1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(channels // _SQUEEZE, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.relu(self.fc1(self.global_avgpool(x)))).sigmoid()


class OSBlock(nn.Module):
    """Four streams whose fields of view grow, weighted by one gate that they share."""

    def __init__(self, inputs: int, outputs: int, *, alone: bool = False) -> None:
        super().__init__()
        inner = outputs // _BOTTLENECK
        self.conv1 = _ConvLayer(inputs, inner)
        self.conv2a = _LightConv(inner)
        self.conv2b = nn.Sequential(*(_LightConv(inner) for _ in range(2)))
        self.conv2c = nn.Sequential(*(_LightConv(inner) for _ in range(3)))
        self.conv2d = nn.Sequential(*(_LightConv(inner) for _ in range(4)))
        self.gate = _Gate(inner)
        self.conv3 = _Projection(inner, outputs)
        self.downsample = _Projection(inputs, outputs) if inputs != outputs else None
        self.IN = nn.InstanceNorm2d(outputs, affine=True) if alone else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Encode a map (B, C, rows, columns) as another of the same rows and columns."""
        narrow = self.conv1(x)
        streams = (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        first, *others = (self.gate(stream(narrow)) for stream in streams)
        wide = self.conv3(sum(others, first))
        wide = wide + (x if self.downsample is None else self.downsample(x))
        return self.relu(wide if self.IN is None else self.IN(wide))


class OSNet(nn.Module):
    """The network up to the feature that is compared; it has no classifier."""

    def __init__(self, shape: OSNetShape) -> None:
        """Build the parts with random weights."""
        super().__init__()
        self.channels = shape.channels
        first, second, third, last = shape.channels
        alone = shape.instance_norm
        self.conv1 = _ConvLayer(3, first, 7, stride=2, alone=alone)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = _make_layer(first, second, halves=True, alone=alone)
        self.conv3 = _make_layer(second, third, halves=True)
        self.conv4 = _make_layer(third, last, halves=False)
        self.conv5 = _ConvLayer(last, last)
        self.fc = nn.Sequential(nn.Linear(last, FEATURES), nn.BatchNorm1d(FEATURES), nn.ReLU())


def _make_layer(inputs: int, outputs: int, *, halves: bool, alone: bool = False) -> nn.Sequential:
    parts: list[nn.Module] = [OSBlock(inputs, outputs, alone=alone)]
    parts += [OSBlock(outputs, outputs, alone=alone) for _ in range(_LAYERS - 1)]
    if halves:
        parts.append(nn.Sequential(_ConvLayer(outputs, outputs), nn.AvgPool2d(2)))
    return nn.Sequential(*parts)
