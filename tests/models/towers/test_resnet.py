import pytest
import torch
from small_models import RESNET, small_architecture, small_backbone, take_over

from promptreid.errors import ModelError
from promptreid.models.towers.resnet import measure_map


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def tower():
    tower = small_backbone(RESNET).image
    generator = torch.Generator().manual_seed(0)
    for name, parameter in tower.named_parameters():
        # OpenCLIP starts the last norm of each block at zero, which would hide the block.
        if name.endswith("bn3.weight"):
            torch.nn.init.ones_(parameter)
        elif parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, generator=generator)
    return tower


def test_projected_equals_open_clip_at_stride_32():
    architecture = small_architecture(RESNET)
    model = architecture.build(seed=1)
    images = draw(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.encode_image(images)
        tower = take_over(architecture, model).image
        got = tower(images)
    assert torch.allclose(got.projected, expected, atol=1e-5)
    assert tower.widths == (256, 512, 64)
    assert [got[n].shape[1] for n in ("penultimate", "final", "projected")] == [256, 512, 64]


def test_features_are_the_pooled_maps(tower):
    tower.fit((96, 48), None)
    found = {}
    tower.layer3.register_forward_hook(lambda m, i, out: found.update(layer3=out))
    tower.layer4.register_forward_hook(lambda m, i, out: found.update(layer4=out))
    with torch.no_grad():
        features = tower(draw(2, 3, 96, 48), tokens=True)
        pooled = tower.attnpool(found["layer4"])
    assert found["layer4"].shape[2:] == found["layer3"].shape[2:] == (6, 3)
    assert torch.allclose(features.penultimate, found["layer3"].mean((2, 3)), atol=1e-6)
    assert torch.allclose(features.final, found["layer4"].mean((2, 3)), atol=1e-6)
    assert torch.allclose(features.projected, pooled, atol=1e-5)
    assert torch.equal(features.tokens[:, 4], found["layer4"][:, :, 1, 1])


@pytest.mark.parametrize("size", [(256, 128), (64, 64), (70, 33), (31, 95)])
@pytest.mark.parametrize("stride", [16, 32])
def test_the_grid_is_that_of_the_last_map(tower, size, stride):
    grid = measure_map(size, stride)
    if min(grid) < 1:
        with pytest.raises(ModelError, match="empty feature map"):
            tower.fit(size, stride)
        return
    tower.fit(size, stride)
    with torch.no_grad():
        tokens = tower(torch.zeros(1, 3, *size), tokens=True).tokens
    assert tokens.shape[1] == grid[0] * grid[1] == tower.attnpool.positional_embedding.shape[0] - 1


def test_stride_16_and_back_is_the_same_network(tower):
    images = draw(1, 3, 64, 64)
    with torch.no_grad():
        before = tower(images).final
        tower.fit((64, 64), 16)
        assert not torch.allclose(tower(images).final, before, rtol=1e-2)
        tower.fit((64, 64), 32)
        assert torch.equal(tower(images).final, before)


def test_other_strides_and_side_information_are_refused(tower):
    with pytest.raises(ModelError, match="16 or 32"):
        tower.fit((256, 128), 12)
    with pytest.raises(ModelError, match="class token"):
        tower(torch.zeros(1, 3, 64, 64), sie=torch.zeros(1, 512))
