from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from promptreid.config.base import CLASSIFIERS
from promptreid.config.losses import LossTerms
from promptreid.data.augment.mix import Mix
from promptreid.errors import ConfigError
from promptreid.losses.centers import CenterState
from promptreid.losses.classification import identity_cross_entropy
from promptreid.losses.contrastive import supcon, supcon_cross_modal
from promptreid.losses.loss_inputs import BatchFeatures, Outputs
from promptreid.losses.loss_state import LossState, StateSetting
from promptreid.losses.terms import TERMS, build_states, total_loss
from promptreid.losses.triplet import batch_hard_triplet

COUNT, CLASSES = 12, 4
WIDTHS = {"penultimate": 6, "final": 7, "projected": 5, "mlp": 3}
METRIC = ("triplet", "circle", "supcon", "pair", "center", "compact", "memory", "moco")
TEXT = ("supcon_i2t", "supcon_t2i", "clip", "i2t")
CLASSIFY = ("id", "arcface", "cosface", "circle_id")


@dataclass(frozen=True, kw_only=True, eq=False)
class FakeOutputs(Outputs):
    """What a forward pass would give, made of leaves whose gradients can be looked at."""

    text: Any = None
    identity_texts: Any = None
    logits: dict[str, list[Tensor]]

    def scores(self, kind):
        return self.logits[kind]


class FakeModel(nn.Module):
    """Image side of a model: one linear layer."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.text = nn.Linear(2, 2)
        self.backbone.tokenizer = object()
        self.backbone.image = nn.Linear(12, 3)
        self.prompt = None

    def features(self, images):
        return self.backbone.image(images.flatten(1))

    def derived(self, features):
        return {"mlp": features}


def outputs_of(seed=0, *, states=None, **changes):
    g = torch.Generator().manual_seed(seed)

    def leaf(*shape):
        return torch.randn(*shape, generator=g).requires_grad_()

    labels = torch.tensor([0, 0, 1, 1, 2, 3]).repeat(2)
    features = {name: leaf(COUNT, width) for name, width in WIDTHS.items()}
    values = {
        "batch": BatchFeatures(
            labels=labels,
            projected=features["projected"],
            host_labels=labels,
            host_variants=torch.zeros_like(labels),
            features=features,
            images=torch.randn(COUNT, 3, 2, 2, generator=g),
        ),
        "text": leaf(COUNT, 5),
        "identity_texts": leaf(CLASSES, 5),
        "prompt": SimpleNamespace(
            tokens=leaf(CLASSES, 2, 5), shared=leaf(3, 5), domain=leaf(2, 4, 5)
        ),
        "logits": {
            kind: [torch.rand(COUNT, CLASSES, generator=g).requires_grad_() for _ in range(2)]
            for kind in CLASSIFIERS
        },
        "states": states or {},
        "epoch": 2,
        "views": 2,
    }
    return FakeOutputs(**(values | changes))


def terms_of(**terms):
    return LossTerms.model_validate(terms)


def states_of(terms, seed=0):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model: Any = FakeModel()
    return dict(build_states(terms, StateSetting(WIDTHS, CLASSES, model, generator)).items())


def with_batch(outputs, **changes):
    if "labels" in changes:
        changes["host_labels"] = changes["labels"]
    return replace(outputs, batch=replace(outputs.batch, **changes))


def mixed(outputs, clean, *, partner=None, weight=None):
    clean = torch.tensor(clean)
    share = torch.where(clean, 1.0, 0.4) if weight is None else weight
    partner = outputs.labels.roll(1) if partner is None else partner
    partner = torch.where(clean, outputs.labels, partner)
    return with_batch(outputs, mix=Mix(partner, share, share == 1))


def test_every_term_of_a_recipe_has_a_function():
    assert set(TERMS) == set(LossTerms.model_fields)
    assert set(METRIC + TEXT + CLASSIFY) | {"prompt_l2", "prompt_orthogonal"} == set(TERMS)


@pytest.mark.parametrize("name", TERMS)
def test_each_term_gives_a_number_and_gradients(name):
    terms = terms_of(**{name: 1})
    states = states_of(terms)
    total_loss(outputs_of(seed=5, states=states), terms)  # fills memory and queue
    outputs = outputs_of(states=states)
    total, values = total_loss(outputs, terms)
    total.backward()
    assert total.shape == ()
    assert total.item() > 0
    assert values.keys() == {name}
    leaves = [*outputs.features.values(), outputs.text, outputs.identity_texts]
    leaves += [outputs.prompt.tokens, outputs.prompt.shared, outputs.prompt.domain]
    leaves += [*(s for scores in outputs.logits.values() for s in scores)]
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert gradients
    assert all(torch.isfinite(g).all() for g in gradients)
    assert sum(g.norm() for g in gradients) > 0


def test_total_is_the_weighted_sum_of_what_is_reported():
    terms = terms_of(id=2, triplet=0.5, supcon=3, prompt_l2=0.1)
    total, values = total_loss(outputs_of(), terms)
    assert list(values) == ["id", "triplet", "supcon", "prompt_l2"]
    expected = 2 * values["id"] + 0.5 * values["triplet"] + 3 * values["supcon"]
    assert total.item() == pytest.approx((expected + 0.1 * values["prompt_l2"]).item())
    assert not any(value.requires_grad for value in values.values())


def test_published_terms_are_what_they_were():
    outputs = outputs_of()
    _, values = total_loss(outputs, terms_of(id=1, triplet=1, i2t=1, supcon_i2t=1, supcon_t2i=1))
    y, image, text = outputs.labels, outputs.projected, outputs.text
    expected = {
        "id": sum(identity_cross_entropy(s, y) for s in outputs.scores("linear")),
        "triplet": sum(
            batch_hard_triplet(outputs.features[n], y)
            for n in ("penultimate", "final", "projected")
        ),
        "i2t": identity_cross_entropy(image @ outputs.identity_texts.T, y),
        "supcon_i2t": supcon_cross_modal(image, text, y, y),
        "supcon_t2i": supcon_cross_modal(text, image, y, y),
    }
    for name, value in values.items():
        assert value.item() == pytest.approx(expected[name].item(), rel=1e-6)


def test_i2t_takes_texts_of_each_images_own():
    outputs = outputs_of()
    terms = terms_of(i2t={"weight": 1, "temperature": 0.07, "normalize": True})
    repeated = replace(outputs, identity_texts=outputs.identity_texts.expand(COUNT, -1, -1))
    one, each = total_loss(outputs, terms)[0], total_loss(repeated, terms)[0]
    assert each.item() == pytest.approx(one.item(), rel=1e-5)
    other = outputs.identity_texts.detach().expand(COUNT, -1, -1).clone()
    other[0] += 1  # changes what the first image is compared with, and nothing else
    changed = total_loss(replace(outputs, identity_texts=other), terms)[0]
    assert changed.item() != pytest.approx(one.item(), rel=1e-3)


def test_i2t_defaults_to_raw_dot_products():
    outputs = outputs_of()
    got = total_loss(outputs, terms_of(i2t=1))[0]
    logits = outputs.projected @ outputs.identity_texts.T
    assert torch.equal(got, identity_cross_entropy(logits, outputs.labels))


CLEAN = [True, True, True, False, True, True, True, True, False, True, True, True]


@pytest.mark.parametrize("name", METRIC + TEXT)
def test_mixed_rows_never_enter_metric_and_text_losses(name):
    terms = terms_of(**{name: 1})
    states = states_of(terms)
    total_loss(outputs_of(seed=5, states=states), terms)
    outputs = mixed(outputs_of(states=states), CLEAN)
    # moco compares two views, so it leaves out both views of a mixed image
    kept = outputs.clean
    if name == "moco":
        kept = torch.tensor(CLEAN[:6]) & torch.tensor(CLEAN[6:])
        kept = kept.repeat(2)
    for state in states.values():
        state.eval()
    got, _ = total_loss(outputs, terms)
    got.backward()
    assert got.item() > 0
    only = with_batch(
        replace(outputs, text=outputs.text.detach()[kept]),
        labels=outputs.labels[kept],
        features={name: f.detach()[kept] for name, f in outputs.features.items()},
        projected=outputs.projected.detach()[kept],
        images=outputs.images[kept],
        mix=None,
    )
    assert got.item() == pytest.approx(total_loss(only, terms)[0].item(), rel=1e-5)
    for feature in outputs.features.values():
        if feature.grad is not None:
            assert (feature.grad[~kept] == 0).all()
            assert feature.grad[kept].norm() > 0


@pytest.mark.parametrize("name", METRIC + TEXT)
def test_a_batch_of_mixed_images_only_costs_nothing(name):
    terms = terms_of(**{name: 1})
    outputs = mixed(outputs_of(states=states_of(terms)), [False] * COUNT)
    loss, _ = total_loss(outputs, terms)
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("name", ["memory", "center"])
def test_mixed_rows_are_not_remembered(name):
    terms = terms_of(**{name: 1})
    states = states_of(terms)
    outputs = mixed(outputs_of(states=states), CLEAN)
    outputs.labels[3] = outputs.labels[8] = 3  # the mixed ones
    outputs.labels[[5, 11]] = 2
    before = {n: t.clone() for n, t in states[name].state_dict().items()}
    total_loss(outputs, terms)
    states[name].after_step(FakeModel())
    after = states[name].state_dict()
    if name == "memory":
        assert 3 not in after["ring.labels"].tolist()
        assert int(after["ring.position"]) == sum(CLEAN)
    else:
        assert torch.equal(after["centers.final"][3], before["centers.final"][3])
        assert not torch.equal(after["centers.final"][2], before["centers.final"][2])


@pytest.mark.parametrize("name", CLASSIFY)
def test_classifiers_learn_both_labels_of_mixed_images(name):
    terms = terms_of(**{name: {"weight": 1, "smoothing": 0.1}})
    plain = outputs_of()
    weight = torch.rand(COUNT, generator=torch.Generator().manual_seed(9))
    weight = torch.where(torch.tensor(CLEAN), 1.0, weight)
    outputs = mixed(plain, CLEAN, weight=weight)
    got = total_loss(outputs, terms)[0].item()
    expected = 0.0
    for i in range(COUNT):
        row = {kind: [s.detach()[i : i + 1] for s in found] for kind, found in plain.logits.items()}
        pairs = ((outputs.labels[i], weight[i]), (outputs.batch.mix.partner[i], 1 - weight[i]))
        for label, share in pairs:
            alone = with_batch(replace(plain, logits=row), labels=label[None])
            expected += float(share) * total_loss(alone, terms)[0].item() / COUNT
    assert got == pytest.approx(expected, rel=1e-5)


def test_cached_features_give_the_projected_one_only():
    outputs = outputs_of()
    cached = with_batch(outputs, features=None)
    expected = supcon(outputs.projected, outputs.labels)
    assert torch.equal(total_loss(cached, terms_of(supcon=1))[0], expected)
    with pytest.raises(ConfigError, match=r"'penultimate'.*images: augmented"):
        total_loss(cached, terms_of(triplet=1))


def test_states_are_built_for_active_terms_only():
    assert states_of(terms_of(id=1, center=0, memory=0, moco=0)) == {}
    states = states_of(terms_of(center={"features": ["final", "projected"]}, memory=1, moco=1))
    assert list(states) == ["center", "memory", "moco"]
    assert all(isinstance(state, LossState) for state in states.values())
    shapes = {n: tuple(t.shape) for n, t in states["center"].state_dict().items()}
    assert shapes == {"centers.final": (CLASSES, 7), "centers.projected": (CLASSES, 5)}
    assert tuple(states["memory"].ring.features.shape) == (4096, 5)


def test_centers_do_not_feel_the_weight_of_their_loss():
    moved = []
    for weight in (1e-4, 10.0):
        terms = terms_of(center={"weight": weight})
        states = states_of(terms)
        total_loss(outputs_of(states=states), terms)[0].backward()
        states["center"].after_step(FakeModel())
        assert isinstance(states["center"], CenterState)
        moved.append(states["center"].centers["final"])
    assert torch.equal(*moved)


@pytest.mark.parametrize(
    ("option", "one", "other"),
    [
        ("triplet.mining", "hard", "all"),
        ("triplet.distance", "euclidean", "cosine"),
        ("triplet.margin", 0.3, None),
        ("pair.distance", "euclidean", "cosine"),
        ("pair.margin", 1.0, 1.5),
        ("circle.margin", 0.25, 0.4),
        ("circle.scale", 128.0, 64.0),
        ("supcon.temperature", 0.1, 0.5),
        ("clip.temperature", 0.07, 0.5),
        ("i2t.temperature", 1.0, 0.5),
        ("i2t.normalize", False, True),
        ("i2t.smoothing", 0.1, 0.0),
        ("supcon_i2t.normalize", False, True),
        ("compact.margin", 0.3, 1.5),
        ("memory.kind", "supcon", "pair"),
        ("memory.kind", "supcon", "triplet"),
        ("memory.temperature", 0.1, 0.5),
        ("moco.temperature", 0.2, 0.5),
        ("arcface.margin", 0.5, 0.2),
        ("arcface.scale", 30.0, 10.0),
        ("cosface.smoothing", 0.0, 0.2),
        ("circle_id.margin", 0.25, 0.4),
        ("supcon.features", ["projected"], ["final", "mlp"]),
        ("memory.features", ["projected"], ["final"]),
    ],
)
def test_every_option_reaches_its_loss(option, one, other):
    name, key = option.split(".")
    found = []
    for value in (one, other):
        terms = terms_of(**{name: {"weight": 1, key: value}})
        states = states_of(terms)
        total_loss(outputs_of(seed=5, states=states), terms)
        found.append(total_loss(outputs_of(states=states), terms)[0].item())
    assert found[0] != pytest.approx(found[1], rel=1e-4)


@pytest.mark.parametrize(
    ("missing", "words"),
    [("shared", "no shared ones"), ("domain", "none of domains")],
)
def test_tokens_cannot_be_kept_apart_from_what_is_not_there(missing, words):
    outputs = outputs_of()
    setattr(outputs.prompt, missing, None)
    with pytest.raises(
        ConfigError, match=words + r".*prompt\.shared_tokens and prompt\.domain_tok"
    ):
        total_loss(outputs, terms_of(prompt_orthogonal=1))


def test_the_total_takes_the_weight_of_the_epoch():
    outputs = outputs_of()
    terms = LossTerms.model_validate({"supcon": {"weight": 3.0, "ramp": 6}})
    total, values = total_loss(replace(outputs, epoch=2), terms)
    torch.testing.assert_close(total, values["supcon"] * 1.0)
