import pytest
import torch
from published_files import save_published
from small_heads import small_head
from small_models import RESNET, VIT, small_backbone, tower_widths
from small_prompts import identity_prompt

from promptreid.data.images.preprocess import HALF, IMAGENET_MEAN
from promptreid.errors import WeightsError
from promptreid.inference.published.published_file import read_published
from promptreid.models.prompts.context_positions import encode_sentences
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation


def build(vision=VIT, size=(256, 128), stride=None, *, cameras=0, views=0):
    backbone = small_backbone(vision)
    backbone.image.fit(size, stride)
    width = backbone.image.widths[1]
    sie = SideInformation(cameras=cameras, views=views, width=width) if cameras or views else None
    return ReIDModel(
        backbone,
        prompt=identity_prompt(backbone, 7),
        head=small_head(tower_widths(backbone.image), 7),
        sie=sie,
    ).eval()


def images(size):
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))


CASES = {
    "stride 16": (VIT, (256, 128), 16),
    "stride 12": (VIT, (256, 128), 12),
    "vehicle": (VIT, (256, 256), 16),
    "vehicle, stride 12": (VIT, (256, 256), 12),
    "patch 32": (VIT | {"patch_size": 32}, (256, 128), 32),
    "resnet": (RESNET, (256, 128), None),
    "resnet, vehicle": (RESNET, (256, 256), None),
}


@torch.no_grad()
@pytest.mark.parametrize("module", [False, True], ids=["", "module"])
@pytest.mark.parametrize(("vision", "size", "stride"), CASES.values(), ids=CASES)
def test_everything_is_read_off_the_file(vision, size, stride, module, tmp_path):
    model = build(vision, size, stride)
    path = save_published(tmp_path / "ViT-B-16_60.pth", model, module=module)
    loaded, info = read_published(path)
    image = loaded.backbone.image
    assert (image.image_size, image.grid) == (size, model.backbone.image.grid)
    assert torch.allclose(loaded.embed(images(size)), model.embed(images(size)), atol=1e-6)
    assert torch.allclose(loaded.prompt.bank(), model.prompt.bank(), atol=1e-6)
    assert loaded.head is None
    assert info.classes == tuple(str(index) for index in range(7))
    assert info.preprocess.image_size == size
    expected = IMAGENET_MEAN if vision is RESNET else HALF
    assert info.preprocess.mean == expected
    assert info.preprocess.test_interpolation == "bilinear"
    assert not loaded.training


@torch.no_grad()
def test_side_information(tmp_path):
    model = build(stride=12, cameras=3, views=2)
    path = save_published(tmp_path / "sie.pth", model)
    loaded, info = read_published(path, views=2)
    cameras, views = torch.tensor([2, 0]), torch.tensor([1, -1])
    expected = model.embed(images((256, 128)), cameras, views)
    assert torch.allclose(loaded.embed(images((256, 128)), cameras, views), expected, atol=1e-6)
    assert info.camera_values == ("1", "2", "3")
    assert info.view_values == ("0", "1")
    cameras_only, info = read_published(path)
    assert cameras_only.sie.cameras == 6
    assert info.view_values == ()
    with pytest.raises(WeightsError, match="6 rows, which 4 views do not divide"):
        read_published(path, views=4)


def test_a_resnet_ignores_the_table_it_never_used(tmp_path):
    path = save_published(tmp_path / "rn.pth", build(RESNET))
    torch.save(torch.load(path) | {"cv_embed": torch.zeros(6, 512)}, path)
    assert read_published(path)[0].sie is None


@torch.no_grad()
def test_the_baseline_has_images_only(tmp_path):
    model = build()
    loaded, info = read_published(save_published(tmp_path / "b.pth", model, text=False))
    found, wanted = (each.embed(images((256, 128))) for each in (loaded, model))
    assert torch.allclose(found, wanted, atol=1e-6)
    assert loaded.prompt is None
    assert len(info.classes) == 7
    text, tokenizer = loaded.backbone.text, loaded.backbone.tokenizer
    with pytest.raises(WeightsError, match="no word embeddings"):
        encode_sentences(text, tokenizer, ["a hand"])


def test_new_sentences_need_the_missing_table(tmp_path):
    loaded, _ = read_published(save_published(tmp_path / "a.pth", build()))
    text, tokenizer = loaded.backbone.text, loaded.backbone.tokenizer
    with pytest.raises(WeightsError, match="published CLIP-ReID files leave them out"):
        encode_sentences(text, tokenizer, ["a hand"])


def test_other_image_sizes_must_be_given(tmp_path):
    path = save_published(tmp_path / "a.pth", build(size=(96, 48), stride=8))
    with pytest.raises(WeightsError, match=r"55 cells.*Give the image_size"):
        read_published(path)
    image = read_published(path, image_size=(96, 48))[0].backbone.image
    assert (image.image_size, image.stride) == ((96, 48), 8)
    with pytest.raises(WeightsError, match="images of 64x64"):
        read_published(path, image_size=(64, 64))


def test_half_precision_files_are_taken(tmp_path):
    path = save_published(tmp_path / "a.pth", build())
    state = torch.load(path)
    torch.save({n: t.half() if t.is_floating_point() else t for n, t in state.items()}, path)
    loaded, _ = read_published(path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


def test_the_weights_train_on(tmp_path):
    loaded, _ = read_published(save_published(tmp_path / "a.pth", build()))
    learning = loaded.learn(["image"])
    loaded.embed(images((256, 128))).sum().backward()
    assert all(parameter.grad is not None for parameter in learning.values())


@pytest.mark.parametrize("missing", ["image_encoder.conv1.weight", "image_encoder.proj"])
def test_incomplete_files_are_refused(tmp_path, missing):
    path = save_published(tmp_path / "a.pth", build())
    state = torch.load(path)
    del state[missing]
    torch.save(state, path)
    with pytest.raises(WeightsError, match="incomplete"):
        read_published(path)


def test_missing_and_misshapen_weights_are_listed(tmp_path):
    path = save_published(tmp_path / "a.pth", build())
    state = torch.load(path)
    del state["image_encoder.ln_post.bias"]
    state["image_encoder.ln_pre.bias"] = torch.zeros(3)
    torch.save(state, path)
    with pytest.raises(WeightsError) as caught:
        read_published(path)
    assert "1 missing: backbone.image.ln_post.bias" in str(caught.value)
    assert "backbone.image.ln_pre.bias (3 in the file, 128 in the model)" in str(caught.value)


def test_other_weights_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"visual.conv1.weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="not a published checkpoint of CLIP-ReID"):
        read_published(path)
