"""OSNet as a backbone: torchreid's files fit as they are, and recipes without texts train it."""

from pathlib import Path

import pytest
import torch
from facts import lacking
from torch import nn
from torch.nn import functional as F

from promptreid.config.reading.own_backbones import IMAGE_ONLY
from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError, ModelError, WeightsError
from promptreid.models.image_only.osnet import OSNETS, OSNet
from promptreid.models.image_only.solider_swin import SOLIDERS
from promptreid.models.image_only.transreid_vit import TRANSREIDS
from promptreid.models.towers.backbone import build_backbone, restore_backbone
from promptreid.models.towers.depth import find_depths

NAME, SIZE = "osnet_x0_25", (48, 32)


def random_file(folder: Path, name: str = NAME, *, prefix: str = "", **changes: object) -> Path:
    """Write weights as torchreid does, with the classifier of 7 people."""
    torch.manual_seed(3)
    net = OSNet(OSNETS[name])
    tensors = {
        key: torch.rand_like(value) if value.is_floating_point() else value
        for key, value in net.state_dict().items()
    }
    tensors |= {"classifier.weight": torch.zeros(7, 512), "classifier.bias": torch.zeros(7)}
    tensors = {f"{prefix}{key}": value for key, value in (tensors | changes).items()}
    file = folder / "weights.pth.tar"
    torch.save({"state_dict": {k: v for k, v in tensors.items() if v is not None}}, file)
    return file


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("osnet_x1_0", 2_169_508),
        ("osnet_x0_75", 1_285_754),
        ("osnet_x0_5", 630_034),
        ("osnet_x0_25", 201_864),
    ],
)
def test_published_numbers_of_parameters(name: str, parameters: int) -> None:
    with torch.device("meta"):
        net = OSNet(OSNETS[name])
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters
    assert len(net.state_dict()) == 565


def test_recipes_know_the_same_names() -> None:
    assert set(IMAGE_ONLY) == {*OSNETS, *TRANSREIDS, *SOLIDERS}


class Functional:
    """OSNet written out once more, function by function, from the tensors of a file."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.t = tensors

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        t = self.t
        mean, variance = t[f"{name}.running_mean"], t[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, t[f"{name}.weight"], t[f"{name}.bias"])

    def layer(self, x: torch.Tensor, name: str, **options: int) -> torch.Tensor:
        return self.norm(F.conv2d(x, self.t[f"{name}.conv.weight"], **options), f"{name}.bn")

    def light(self, x: torch.Tensor, name: str) -> torch.Tensor:
        x = F.conv2d(x, self.t[f"{name}.conv1.weight"])
        weight = self.t[f"{name}.conv2.weight"]
        x = F.conv2d(x, weight, padding=1, groups=len(weight))
        return self.norm(x, f"{name}.bn").relu()

    def gate(self, x: torch.Tensor, name: str) -> torch.Tensor:
        mean, t = x.mean((2, 3), keepdim=True), self.t
        inner = F.conv2d(mean, t[f"{name}.fc1.weight"], t[f"{name}.fc1.bias"]).relu()
        return x * F.conv2d(inner, t[f"{name}.fc2.weight"], t[f"{name}.fc2.bias"]).sigmoid()

    def block(self, x: torch.Tensor, name: str) -> torch.Tensor:
        narrow = self.layer(x, f"{name}.conv1").relu()
        total = torch.zeros_like(narrow)
        streams = [[f"{name}.conv2a"]]
        streams += [
            [f"{name}.conv2{mark}.{place}" for place in range(number)]
            for mark, number in (("b", 2), ("c", 3), ("d", 4))
        ]
        for stream in streams:
            y = narrow
            for part in stream:
                y = self.light(y, part)
            total = total + self.gate(y, f"{name}.gate")
        wide = self.layer(total, f"{name}.conv3")
        has_own = f"{name}.downsample.conv.weight" in self.t
        return (wide + (self.layer(x, f"{name}.downsample") if has_own else x)).relu()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer(x, "conv1", stride=2, padding=3).relu()
        x = F.max_pool2d(x, 3, 2, 1)
        for layer in ("conv2", "conv3", "conv4"):
            x = self.block(self.block(x, f"{layer}.0"), f"{layer}.1")
            if layer != "conv4":
                x = F.avg_pool2d(self.layer(x, f"{layer}.2.0").relu(), 2)
        x = self.layer(x, "conv5").relu().mean((2, 3))
        x = F.linear(x, self.t["fc.0.weight"], self.t["fc.0.bias"])
        return self.norm(x, "fc.1").relu()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_file_of_torchreid_is_read_and_gives_its_feature(tmp_path: Path, prefix: str) -> None:
    file = random_file(tmp_path, prefix=prefix)
    backbone = build_backbone(NAME, pretrained=file, image_size=SIZE)
    tensors = {
        key.removeprefix(prefix): value
        for key, value in torch.load(file, weights_only=True)["state_dict"].items()
    }
    images = torch.rand(3, 3, *SIZE)
    with torch.no_grad():
        features = backbone.image(images, tokens=True)
        torch.testing.assert_close(features.projected, Functional(tensors)(images))
    assert backbone.image.widths == (96, 128, 512)
    assert backbone.image.grid == (3, 2)
    assert features.tokens is not None
    torch.testing.assert_close(features.tokens.mean(1), features.final)
    assert backbone.image.project_tokens(features).shape == (3, 7, 512)
    assert backbone.native.mean == (0.485, 0.456, 0.406)


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    file = random_file(
        tmp_path, **{"fc.0.weight": torch.zeros(256, 128), "conv5.bn.bias": None,
                     "conv2.0.conv9": torch.zeros(2)}
    )  # fmt: skip
    with pytest.raises(WeightsError) as caught:
        build_backbone(NAME, pretrained=file)
    words = str(caught.value)
    assert not lacking(words, "missing", "conv5.bn.bias", "conv2.0.conv9")
    assert not lacking(words, "fc.0.weight (256x128 in the file, 512x128 in the model)")
    with pytest.raises(WeightsError, match="another shape"):
        build_backbone("osnet_x0_5", pretrained=random_file(tmp_path))
    with pytest.raises(ModelError, match=r"no weights for osnet_x0_25.*none"):
        build_backbone(NAME)
    with pytest.raises(ModelError, match="16 only"):
        build_backbone(NAME, pretrained="none", stride=8)
    with pytest.raises(ModelError, match="16x16"):
        build_backbone(NAME, pretrained="none", image_size=(8, 32))


def test_it_is_described_and_restored(tmp_path: Path) -> None:
    backbone = build_backbone(NAME, pretrained=random_file(tmp_path), image_size=SIZE)
    again = restore_backbone(backbone.describe())
    again.load_state_dict(backbone.state_dict(), assign=True)
    images = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        assert torch.equal(backbone.image(images).projected, again.eval().image(images).projected)
    with pytest.raises(ModelError, match="no text tower"):
        again.tokenizer.encode("a photo")
    depths = find_depths(backbone.image)
    assert depths.blocks == 4
    assert depths.of["conv1.conv.weight"] == 0
    assert depths.of["conv2.0.conv1.conv.weight"] == 1
    assert depths.of["conv5.conv.weight"] == 4
    assert depths.of["fc.0.weight"] == 5


def test_instance_norms_have_their_places(tmp_path: Path) -> None:
    backbone = build_backbone("osnet_ibn_x1_0", pretrained="none", image_size=SIZE)
    norms = {
        name for name, part in backbone.image.named_modules() if isinstance(part, nn.InstanceNorm2d)
    }
    assert norms == {"conv1.bn", "conv2.0.IN", "conv2.1.IN"}


def test_recipes_with_texts_are_refused_before_anything_is_built() -> None:
    recipe = load_recipe("finetune-losses", ["backbone.name=OSNet-x0.25"])
    assert recipe.backbone.name == NAME
    with pytest.raises(ConfigError, match=r"osnet_x0_25 has no text tower.*prompt\.kind"):
        load_recipe("clip-reid", [f"backbone.name={NAME}"])
