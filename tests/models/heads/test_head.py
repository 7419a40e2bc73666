import copy
import json

import pytest
import torch
from small_heads import restored_head, small_head
from small_models import RESNET, VIT, small_backbone, tower_widths
from torch.nn import functional as F

from promptreid.config.base import CLASSIFIERS
from promptreid.config.model import MlpConfig, PartsConfig, ReductionConfig
from promptreid.errors import ConfigError
from promptreid.models.heads.projection import Mlp
from promptreid.models.towers.image_tower import ImageFeatures

WIDTHS = {"penultimate": 6, "final": 8, "projected": 4}


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    return ImageFeatures(*(torch.randn(5, w, generator=generator) * 3 + 1 for w in (6, 8, 4)))


def classifier(head, kind, name):
    return head.get_parameter(f"classifiers.{kind}.{name}.weight")


def test_logits_are_normalised_features_times_class_directions(features):
    head = small_head(WIDTHS, 3).train()
    logits = head.scores(head.derive(features), "linear")
    for name, found in zip(("final", "projected"), logits, strict=True):
        value = features[name]
        normed = (value - value.mean(0)) / (value.var(0, unbiased=False) + 1e-5).sqrt()
        assert torch.allclose(found, normed @ classifier(head, "linear", name).T, atol=1e-5)


def test_at_test_time_the_running_statistics_are_used(features):
    head = small_head(WIDTHS, 3, features=("penultimate",))
    head.train()
    head.neck(head.derive(features))
    head.eval()
    value = features.penultimate
    mean = 0.1 * value.mean(0)
    variance = 0.9 + 0.1 * value.var(0)
    expected = (value - mean) / (variance + 1e-5).sqrt()
    derived = head.derive(features)
    assert torch.allclose(head.neck(derived)["penultimate"], expected, atol=1e-5)
    assert [tuple(logits.shape) for logits in head.scores(derived, "linear")] == [(5, 3)]


def test_only_the_shift_is_frozen():
    head = small_head(WIDTHS, 3)
    learning = {name for name, parameter in head.named_parameters() if parameter.requires_grad}
    assert learning == {
        "necks.final.weight",
        "necks.projected.weight",
        "classifiers.linear.final.weight",
        "classifiers.linear.projected.weight",
    }


def test_initial_classifiers_are_drawn_in_order_from_the_generator():
    head = small_head(WIDTHS, 100, generator=torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    for name in ("final", "projected"):
        expected = torch.empty(100, WIDTHS[name]).normal_(0, 0.001, generator=generator)
        assert torch.equal(classifier(head, "linear", name), expected)
        assert torch.equal(head.get_parameter(f"necks.{name}.weight"), torch.ones(WIDTHS[name]))
        assert torch.equal(head.get_parameter(f"necks.{name}.bias"), torch.zeros(WIDTHS[name]))
    other = small_head(WIDTHS, 100)
    assert not torch.equal(
        classifier(head, "linear", "final"), classifier(other, "linear", "final")
    )


@pytest.mark.parametrize("kind", ["arcface", "cosface", "circle"])
@pytest.mark.parametrize("training", [True, False])
def test_angle_scores_are_plain_cosines(features, kind, training):
    # Without any margin, which would need labels: the same at training and at test time.
    head = small_head(WIDTHS, 3, neck=False, classifiers=("linear", kind)).train(training)
    for name, found in zip(
        ("final", "projected"), head.scores(head.derive(features), kind), strict=True
    ):
        weight = classifier(head, kind, name)
        for row, value in enumerate(features[name]):
            for identity, direction in enumerate(weight):
                cosine = value @ direction / (value.norm() * direction.norm())
                assert found[row, identity].item() == pytest.approx(cosine.item(), abs=1e-6)


def test_cosines_stay_in_their_range_and_in_float32():
    head = small_head(WIDTHS, 50, features=("final",), neck=False, classifiers=("arcface",))
    directions = classifier(head, "arcface", "final").detach()
    final = torch.cat([directions, -directions * 1e4])
    with torch.autocast("cpu", torch.bfloat16):
        (scores,) = head.scores({"final": final}, "arcface")
    assert scores.dtype == torch.float32
    assert scores.abs().max() <= 1
    assert torch.allclose(scores[:50].diagonal(), torch.ones(50), atol=1e-6)
    assert torch.allclose(scores[50:].diagonal(), -torch.ones(50), atol=1e-6)


def test_all_kinds_have_classifiers_of_their_own(features):
    head = small_head(WIDTHS, 3, classifiers=CLASSIFIERS).eval()
    derived = head.derive(features)
    scores = [head.scores(derived, kind)[0] for kind in CLASSIFIERS]
    assert all(
        not torch.allclose(one, other)
        for index, one in enumerate(scores)
        for other in scores[:index]
    )
    with pytest.raises(ConfigError, match=r"kind of classifier in this head named 'arcface'"):
        small_head(WIDTHS, 3).scores(derived, "arcface")


def test_without_a_neck_features_are_classified_as_they_are(features):
    head = small_head(WIDTHS, 3, neck=False)
    assert head.neck(head.derive(features))["final"] is features.final
    logits = head.scores(head.derive(features), "linear")[0]
    assert torch.equal(logits, features.final @ classifier(head, "linear", "final").T)
    assert not [name for name in head.state_dict() if name.startswith("necks")]


def test_dropout_stands_before_the_classifiers_only(features):
    head = small_head(WIDTHS, 3, neck=False, dropout=0.5)
    plain = small_head(WIDTHS, 3, neck=False)
    derived = head.derive(features)
    wanted = plain.scores(derived, "linear")
    assert torch.equal(head.neck(derived)["final"], features.final)
    assert not torch.equal(head.scores(derived, "linear")[0], wanted[0])
    assert torch.equal(head.eval().scores(derived, "linear")[0], wanted[0])


def test_a_head_without_identities_only_makes_features(features):
    head = small_head(WIDTHS, 0, features=("mlp",), mlp=MlpConfig(width=5))
    assert head.kinds == ()
    assert head.neck(head.derive(features))["mlp"].shape == (5, 5)
    with pytest.raises(ConfigError, match="kind of classifier"):
        head.scores(head.derive(features), "linear")


def test_projections(features):
    options = {
        "mlp": MlpConfig(of="penultimate", hidden=7, width=5),
        "reduction": ReductionConfig(of="final", width=3),
    }
    head = small_head(WIDTHS, 2, features=("mlp", "reduced"), **options)
    mlp, reduction = head.makers["mlp"], head.makers["reduction"]
    derived = head.derive(features)
    assert head.widths == {**WIDTHS, "mlp": 5, "reduced": 3}
    assert {name: value.shape[1] for name, value in derived.items()} == head.widths
    hidden = (features.penultimate @ mlp.first.weight.T + mlp.first.bias).clamp(min=0)
    expected = hidden @ mlp.second.weight.T + mlp.second.bias
    assert torch.allclose(derived["mlp"], expected, atol=1e-6)
    expected = features.final @ reduction.linear.weight.T + reduction.linear.bias
    assert torch.allclose(derived["reduced"], expected, atol=1e-6)
    assert [tuple(logits.shape) for logits in head.scores(derived, "linear")] == [(5, 2)] * 2


def test_projections_start_as_pytorchs_and_from_the_generator():
    def build(seed, **options):
        generator = torch.Generator().manual_seed(seed)
        return Mlp(MlpConfig(**options), {"final": 400}, None, generator)

    one, same, other = (build(seed, hidden=300) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.first.weight, other.first.weight)
    bound = 1 / 400**0.5
    assert 0.99 * bound < one.first.weight.abs().max() <= bound
    assert one.first.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert build(1).first.weight.shape == (400, 400)


def full_head(tower, kind):
    widths = tower_widths(tower)
    made = {"pcb": ("part1", "part4"), "mgn": ("global1", "part5")}[kind]
    return small_head(
        widths,
        3,
        features=("penultimate", "final", "projected", "mlp", "reduced", *made),
        classifiers=CLASSIFIERS,
        dropout=0.1,
        mlp=MlpConfig(hidden=9, width=5),
        reduction=ReductionConfig(width=6),
        parts=PartsConfig(kind=kind, stripes=4, width=7),
        tower=tower,
    )


@pytest.mark.parametrize("kind", ["pcb", "mgn"])
@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["vit", "resnet"])
def test_restore(vision, kind):
    tower = small_backbone(vision).image
    tower.fit((96, 48), None if vision is RESNET else 12)
    head = full_head(tower, kind)
    images = torch.randn(4, 3, 96, 48)
    head.train().scores(head.derive(tower(images, tokens=True)), "linear")  # moves statistics
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    assert json.loads(json.dumps(head.describe())) == head.describe()
    other = restored_head(head, tower_widths(tower), tower)
    other.load_state_dict(copy.deepcopy(head.state_dict()), strict=True)
    assert other.describe() == head.describe()
    assert other.widths == head.widths
    assert {n: p.requires_grad for n, p in other.named_parameters()} == {
        n: p.requires_grad for n, p in head.named_parameters()
    }
    with torch.no_grad():
        features = tower(images, tokens=True)
        found, wanted = (each.eval().derive(features) for each in (other, head))
        assert all(torch.equal(found[name], wanted[name]) for name in head.widths)
        for scores in CLASSIFIERS:
            pairs = zip(other.scores(found, scores), head.scores(wanted, scores), strict=True)
            assert all(torch.equal(one, two) for one, two in pairs)


def test_a_default_head_comes_back():
    head = small_head(WIDTHS, 3)
    other = restored_head(head, WIDTHS, small_backbone().image)
    other.load_state_dict(head.state_dict(), strict=True)
    assert other.describe() == head.describe()
    assert not other.needs_tokens


def test_tokens_are_needed_for_parts_only():
    tower = small_backbone().image
    widths = tower_widths(tower)
    assert not small_head(widths, 3, mlp=MlpConfig(), reduction=ReductionConfig()).needs_tokens
    assert small_head(widths, 3, parts=PartsConfig(kind="pcb", stripes=2), tower=tower).needs_tokens


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": ("finl",)}, "Did you mean 'final'"),
        ({"features": ("mlp",)}, "image feature named 'mlp'"),
        ({"features": ("final", "final")}, "each image feature once"),
        ({"classifiers": ("sphereface",)}, "kind of classifier named 'sphereface'"),
        ({"classifiers": ("linear", "linear")}, "each kind of classifier once"),
    ],
)
def test_impossible_heads_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        small_head(WIDTHS, **{"identities": 3, **options})


def test_impossible_projections_are_refused():
    with pytest.raises(ConfigError, match="feature of the image tower named 'mlp'"):
        small_head(WIDTHS, 3, reduction=ReductionConfig(of="mlp"))


def test_each_row_is_scored_on_its_own(features):
    head = small_head(
        WIDTHS, 3, classifiers=CLASSIFIERS, mlp=MlpConfig(), features=("final", "mlp")
    )
    head.eval()
    alone = ImageFeatures(*(features[name][1:2] for name in WIDTHS))
    for kind in CLASSIFIERS:
        everyone = head.scores(head.derive(features), kind)
        one = head.scores(head.derive(alone), kind)
        for batch, single in zip(everyone, one, strict=True):
            torch.testing.assert_close(batch[1:2], single)


def test_cosines_pass_gradients_to_feature_and_directions(features):
    head = small_head(WIDTHS, 3, classifiers=("arcface",))
    leaf = features.final.clone().requires_grad_()
    after = {"final": leaf, "projected": features.projected}
    scores = head.classify(after, "arcface")[0]
    F.cross_entropy(scores, torch.tensor([0, 1, 2, 0, 1])).backward()
    assert leaf.grad.norm() > 0
    assert classifier(head, "arcface", "final").grad.norm() > 0
