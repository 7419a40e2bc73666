"""The module that is exported computes what the model does, and holds nothing else."""

import pytest
import torch
from exported_models import MODELS, PREPROCESS, SIZE, info_of, with_head, with_sentence, with_sides
from facts import lacking
from small_models import RESNET
from torch.nn import functional as F

from promptreid.config.model import ReductionConfig
from promptreid.data.images.transforms import normalize
from promptreid.errors import ConfigError, DataError, ModelError
from promptreid.inference.exporting.export_check import prepare_pixels
from promptreid.inference.exporting.export_options import PIXELS, ExportOptions
from promptreid.inference.exporting.retrieval_graph import RetrievalGraph, choose_vector
from promptreid.inference.exporting.side_choice import SideChoice, choose_sides


def pictures(count=4):
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 3, *SIZE), dtype=torch.uint8, generator=generator)


def graph_of(model, *, sides=None, pixels="normalized", half=False):
    return RetrievalGraph(model, PREPROCESS, sides or SideChoice(), pixels=pixels, half=half)


@torch.no_grad()
@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_vectors_are_those_of_the_model(build):
    model, images = build(), normalize(pictures(), PREPROCESS)
    found = graph_of(model)(images)
    torch.testing.assert_close(found, model.embed(images), atol=2e-6, rtol=0)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))


@torch.no_grad()
@pytest.mark.parametrize("pixels", PIXELS)
def test_pixels_are_normed_inside(pixels):
    model, images = with_head(), pictures()
    given = prepare_pixels(images, PREPROCESS, pixels)
    found = graph_of(model, pixels=pixels)(given)
    torch.testing.assert_close(found, model.embed(normalize(images, PREPROCESS)), atol=1e-5, rtol=0)
    # Written out, without the code of this package.
    mean, std = (
        torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    rgb = images.double() / 255
    written = {"pixels": rgb * 255, "unit": rgb, "imagenet": (rgb - mean) / std}
    if pixels in written:
        torch.testing.assert_close(given.double(), written[pixels], atol=1e-6, rtol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("views", [0, 2])
@pytest.mark.parametrize(
    ("camera", "view"), [(None, None), (None, -1), (1, None), (2, 1), (-1, -1)]
)
def test_cameras_and_views_go_in_or_are_fixed(views, camera, view):
    if not views and view != -1:
        view = -1
    model, images = with_sides(3, views), normalize(pictures(6), PREPROCESS)
    numbers = {
        "camera": torch.tensor([-1, 0, 1, 2, 3, -1]),
        "view": torch.tensor([1, 0, -1, 5, 1, 0]),
    }
    fixed = {"camera": camera, "view": view}
    sides = SideChoice(camera, view)
    found = graph_of(model, sides=sides)(images, *(numbers[n] for n in fixed if fixed[n] is None))
    wanted = [numbers[n] if fixed[n] is None else torch.full((6,), fixed[n]) for n in fixed]
    torch.testing.assert_close(found, model.embed(images, *wanted), atol=1e-6, rtol=0)
    assert sides.inputs == tuple(f"{name}s" for name in fixed if fixed[name] is None)


def test_cameras_are_chosen_by_their_names():
    model = with_sides(3, 2)
    info = info_of(model)
    chosen = choose_sides(model, info, ExportOptions(camera="c2", view="v1"))
    assert chosen == SideChoice(2, 1)
    assert choose_sides(model, info, ExportOptions(camera="input")).inputs == ("cameras",)
    assert choose_sides(model, info, ExportOptions()) == SideChoice(-1, -1)
    pairs = info.updated(camera_values=(("a", "1"), ("b", "1"), ("b", "2")))
    assert choose_sides(model, pairs, ExportOptions(camera="b:1")).camera == 1
    assert choose_sides(model, pairs, ExportOptions(camera="2")).camera == 2
    with pytest.raises(DataError):
        choose_sides(model, pairs, ExportOptions(camera="1"))
    with pytest.raises(ConfigError) as caught:
        choose_sides(model, info, ExportOptions(camera="c7"))
    assert not lacking(str(caught.value), "c7", "c0, c1, c2", "mean", "input")
    plain = with_head()
    with pytest.raises(ConfigError, match="no view embeddings"):
        choose_sides(plain, info_of(plain), ExportOptions(view="v0"))


def test_nothing_of_training_and_texts_is_carried_along():
    graph = graph_of(with_head(neck="after"))
    names = set(graph.state_dict())
    assert not any("classifiers" in name or "text" in name for name in names)
    assert any(name.startswith("head.necks.final.") for name in names)
    assert graph_of(with_head()).head is None  # its necks are not passed
    sentence = graph_of(with_sentence())
    assert tuple(sentence.text.shape) == (1, 64)
    assert not any(name.startswith("backbone.text") for name in sentence.state_dict())


@torch.no_grad()
def test_another_side_of_the_neck_can_be_asked_for():
    model, images = with_head(), normalize(pictures(), PREPROCESS)
    chosen = choose_vector(model, ExportOptions(neck="after"))
    assert model.embedding.neck == "before"
    found = graph_of(chosen)(images)
    features = model.features(images)
    parts = [model.head.necks[name](features[name]) for name in ("final", "projected")]
    torch.testing.assert_close(found, F.normalize(torch.cat(parts, 1), dim=1), atol=1e-6, rtol=0)
    with pytest.raises(ConfigError, match="neck"):
        choose_vector(with_sides(), ExportOptions(neck="after"))


@torch.no_grad()
def test_a_part_that_reads_another_feature_is_kept():
    options = {"features": ("reduced",), "reduction": ReductionConfig(of="final", width=8)}
    model, images = with_head(**options), normalize(pictures(), PREPROCESS)
    torch.testing.assert_close(graph_of(model)(images), model.embed(images), atol=1e-6, rtol=0)


def test_a_sentence_with_a_word_of_each_image_is_refused():
    model = with_sentence("composed")
    with pytest.raises(ConfigError) as caught:
        graph_of(model)
    assert not lacking(str(caught.value), "--prompt simplified")
    graph_of(choose_vector(model, ExportOptions(prompt="simplified")))
    with pytest.raises(ConfigError, match="no sentence for each image"):
        choose_vector(with_head(), ExportOptions(prompt="simplified"))


def test_half_is_of_transformers_alone():
    graph = graph_of(with_head(), half=True)
    kinds = {tensor.dtype for tensor in graph.state_dict().values()}
    assert kinds >= {torch.float16, torch.float32}
    assert graph.tower.ln_post.weight.dtype == torch.float32
    with pytest.raises(ModelError, match="--half"):
        graph_of(with_head(RESNET), half=True)


def test_the_model_is_left_as_it_was():
    model = MODELS["low-rank updates and prompt tokens"]()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    graph_of(model, half=False)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
