"""One stage's steps against the same arithmetic done by hand."""

import pytest
import torch
from small_heads import small_head
from small_prompts import identity_prompt

from promptreid.config.stage import StageConfig
from promptreid.data.batches.domain_balanced import DomainUniform
from promptreid.data.batches.samplers import Uniform
from promptreid.inference.run_context import RunContext
from promptreid.losses.contrastive import supcon_cross_modal
from promptreid.losses.loss_inputs import BatchFeatures
from promptreid.losses.terms import total_loss
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.backbone import build_backbone
from promptreid.progress import Silent
from promptreid.training.batches.stage_batches import CachedFeatures
from promptreid.training.stage.ema import WeightAverage
from promptreid.training.stage.learning_parts import set_learning
from promptreid.training.stage.schedule import learning_rate
from promptreid.training.stage.stage import StageRunner
from promptreid.training.stage.step_losses import step_losses
from promptreid.training.stage.step_outputs import Domains, StepOutputs
from promptreid.training.stage.training_state import TrainingState

CPU = torch.device("cpu")


@pytest.fixture
def model():
    backbone = build_backbone("tiny", pretrained="none", image_size=(32, 32))
    prompt = identity_prompt(
        backbone,
        4,
        template="A photo of a {context} person.",
        context_tokens=2,
        generator=torch.Generator().manual_seed(1),
    )
    head = small_head({"penultimate": 192, "final": 192, "projected": 128}, 4)
    return ReIDModel(backbone, prompt=prompt, head=head)


@pytest.fixture
def cached():
    generator = torch.Generator().manual_seed(2)
    return torch.randn(8, 128, generator=generator), torch.arange(8) % 4


def batches(features, labels, size=4):
    return CachedFeatures(features, labels, sampler=Uniform(len(labels), size, 3))


def stage(**changes):
    values = {
        "name": "prompts",
        "learns": ["prompt"],
        "images": "cached",
        "losses": {"supcon_i2t": 1, "supcon_t2i": 0.5},
        "batch": {"size": 4},
        "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0, "momentum": 0},
        "epochs": 1,
    }
    return StageConfig.model_validate(values | changes)


def runner(model, cached, config, events=None, **changes):
    features, labels = cached
    events = [] if events is None else events
    parts = {
        "config": config,
        "model": model,
        "parameters": set_learning(model, config.learns),
        "source": batches(features, labels),
        "states": torch.nn.ModuleDict(),
        "average": None,
        "domains": None,
        "state": TrainingState(),
        "context": RunContext(CPU, seed=3),
        "after_step": lambda: events.append("step"),
        "after_epoch": events.append,
        "over": lambda: False,
    }
    return StageRunner(**parts | changes)


def outputs_of(model, batch, **more):
    """What a step's losses read."""
    return StepOutputs(batch=batch, prompt=model.prompt, head=model.head, **more)


def gradients(model, cached, config):
    """Gradient of each batch's loss at the present prompts."""
    found = []
    for drawn in batches(*cached).epoch(1, start=0):
        model.prompt.tokens.grad = None
        outputs = outputs_of(model, drawn.features())
        total_loss(outputs, config.losses)[0].backward()
        found.append(model.prompt.tokens.grad.clone())
    model.prompt.tokens.grad = None
    return found


class Counted(Silent):
    """Remembers what was announced, and what came."""

    def __init__(self):
        self.totals, self.counts = [], []

    def start(self, title, total, unit):
        self.totals.append(total)
        self.counts.append(0)

    def advance(self, count):
        self.counts[-1] += count


@pytest.mark.parametrize("domains", [[0] * 8, [0, 0, 0, 0, 0, 1, 1, 2]])
def test_as_many_images_are_announced_as_come(model, cached, domains):
    features, labels = cached
    source = CachedFeatures(features, labels, sampler=DomainUniform(domains, 2, 3))
    told = Counted()
    runner(
        model, cached, stage(epochs=2), source=source, context=RunContext(CPU, progress=told)
    ).run()
    assert told.totals == told.counts
    assert len(told.totals) == 2
    largest = max(map(domains.count, domains))
    assert told.totals[0] == largest * len(set(domains))


def test_accumulated_batches_move_by_the_mean_gradient(model, cached):
    config = stage(accumulate=2)
    set_learning(model, config.learns)
    before = model.prompt.tokens.detach().clone()
    first, second = gradients(model, cached, config)
    runner(model, cached, config).run()
    torch.testing.assert_close(model.prompt.tokens, before - 0.1 * (first + second) / 2)


def test_clipping_comes_before_the_step(model, cached):
    config = stage(accumulate=2, clip_norm=1e-3)
    before = model.prompt.tokens.detach().clone()
    runner(model, cached, config).run()
    moved = (model.prompt.tokens - before).norm().item()
    assert moved == pytest.approx(0.1 * 1e-3, rel=1e-3)


def test_row_holds_means_over_images(model, cached):
    events = []
    config = stage(optimizer={"name": "sgd", "lr": 1e-12, "weight_decay": 0})
    expected = []
    for drawn in batches(*cached).epoch(1, start=0):
        outputs = outputs_of(model, drawn.features())
        expected.append(total_loss(outputs, config.losses))
    runner(model, cached, config, events).run()
    (row,) = [event for event in events if event != "step"]
    assert row["loss"] == pytest.approx(sum(loss.item() for loss, _ in expected) / 2, rel=1e-5)
    for name in ("supcon_i2t", "supcon_t2i"):
        mean = sum(terms[name].item() for _, terms in expected) / 2
        assert row[f"loss_{name}"] == pytest.approx(mean, rel=1e-5)
    assert (row["stage"], row["epoch"], row["steps"], row["images"]) == ("prompts", 1, 2, 8)
    assert row["accuracy"] == ""


def test_only_the_named_part_learns_and_everything_else_is_frozen(model):
    learning = dict(set_learning(model, ["prompt"]))
    assert list(learning) == ["prompt.tokens"]
    assert not model.backbone.image.training
    learning = dict(set_learning(model, ["image", "head"]))
    wanted = {
        name
        for name, _ in model.named_parameters()
        if name.startswith(("backbone.image.", "head.")) and not name.endswith("necks.final.bias")
    }
    assert set(learning) == wanted - {"head.necks.projected.bias"}
    assert model.backbone.image.training
    assert model.head.training
    assert not model.backbone.text.training
    assert {n for n, p in model.named_parameters() if p.requires_grad} == set(learning)


def test_prompt_features_of_two_identities_differ_and_the_tokens_get_gradients(model):
    (bank,) = model.prompt.bank()
    assert (bank[0] - bank[1]).norm() > 1e-3
    set_learning(model, ["prompt"])
    model.prompt(torch.tensor([0, 2])).square().sum().backward()
    touched = model.prompt.tokens.grad.flatten(1).norm(dim=1) > 0
    assert touched.tolist() == [True, False, True, False]


def test_row_counts_texts_that_each_image_is_positive_with(model, cached):
    events = []
    runner(model, cached, stage(), events).run()
    (row,) = [event for event in events if event != "step"]
    pairs = sum(
        (step.labels[:, None] == step.labels[None, :]).sum().item()
        for step in (drawn.features() for drawn in batches(*cached).epoch(1, start=0))
    )
    assert row["positives"] == pytest.approx(pairs / 8)


def test_rate_of_every_step_is_that_of_the_schedule(model, cached, monkeypatch):
    seen = []
    config = stage(epochs=3, schedule={"name": "onecycle", "per": "step", "rise": 0.4})
    built = runner(model, cached, config)
    move = built._step._move

    def note_rate():
        seen.append(built._optimizer.param_groups[0]["lr"])
        return move()

    monkeypatch.setattr(built._step, "_move", note_rate)
    built.run()
    wanted = [
        learning_rate(config.schedule, 0.1, epoch=epoch, epochs=3, step=step, steps=2)
        for epoch in (1, 2, 3)
        for step in (0, 1)
    ]
    assert seen == wanted
    assert len(set(seen)) == 6


def test_the_model_ends_with_the_average_of_its_weights(model, cached):
    config = stage(epochs=2, ema=0.5)
    path = []
    average = None

    def remember():
        path.append(model.prompt.tokens.detach().clone())

    set_learning(model, config.learns)
    start = model.prompt.tokens.detach().clone()
    average = WeightAverage(model, 0.5)
    built = runner(model, cached, config, average=average)
    step = built._optimizer.step

    def stepped():
        step()
        remember()

    built._optimizer.step = stepped
    built.run()
    expected = start
    for number, weights in enumerate(path):
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * weights
    torch.testing.assert_close(model.prompt.tokens.detach(), expected)
    assert not torch.equal(model.prompt.tokens.detach(), path[-1])


@pytest.mark.parametrize(("text", "times"), [("epoch", 3), ("step", 0)])
def test_texts_of_all_identities_are_taken_once_an_epoch_or_at_every_step(
    model, cached, text, times, monkeypatch
):
    calls = []
    bank = model.prompt.bank

    def counted():
        calls.append(1)
        return bank()

    monkeypatch.setattr(model.prompt, "bank", counted)

    config = stage(epochs=3, losses={"i2t": 1, "supcon_i2t": 1}, text=text)
    before = model.prompt.tokens.detach().clone()
    runner(model, cached, config).run()
    assert not torch.equal(model.prompt.tokens, before)
    assert len(calls) == times


def test_frozen_texts_are_taken_once(model, cached, monkeypatch):
    calls = []
    bank = model.prompt.bank

    def counted():
        calls.append(1)
        return bank()

    monkeypatch.setattr(model.prompt, "bank", counted)

    config = stage(epochs=3, learns=["text"], losses={"i2t": 1})
    runner(model, cached, config).run()
    assert not calls  # the text tower learns, so its texts are never old
    config = stage(epochs=3, learns=["head"], images="augmented", losses={"i2t": 1})
    built = runner(model, cached, config)
    for _ in range(3):
        built._refresh_texts()
    assert len(calls) == 1


def test_all_identities_texts_carry_gradients_while_prompts_learn(model, cached):
    config = stage(losses={"i2t": 1})
    set_learning(model, config.learns)
    step = next(batches(*cached, size=2).epoch(1, start=0)).features()
    outputs = outputs_of(model, step)
    total_loss(outputs, config.losses)[0].backward()
    # Every identity is a wrong answer for some image, so every prompt hears of it.
    assert (model.prompt.tokens.grad.flatten(1).norm(dim=1) > 0).all()
    frozen = outputs_of(model, step, bank=model.prompt.bank(), text_learns=False)
    torch.testing.assert_close(frozen.identity_texts, outputs.identity_texts.detach())
    torch.testing.assert_close(frozen.text, outputs.text.detach())


def in_domains(model, cached, config, reduce):
    domains = Domains(("a", "b"), torch.tensor([0, 0, 1, 1]), reduce)
    events = []
    built = runner(model, cached, config, events, domains=domains)
    return domains, built, events


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_losses_within_domains_equal_those_of_each_domain_alone(model, cached, reduce):
    config = stage(losses={"supcon_i2t": 1, "supcon_t2i": 0.5, "i2t": 2})
    _, built, _ = in_domains(model, cached, config, reduce)
    features, labels = cached
    step = BatchFeatures(
        labels=labels,
        host_labels=labels,
        projected=features,
        host_variants=torch.zeros_like(labels),
    )
    outputs = outputs_of(model, step)
    losses = step_losses(outputs, config.losses, built.domains)
    alone = []
    for low in (0, 2):
        rows = (labels == low) | (labels == low + 1)
        texts = model.prompt(labels[rows])
        everyone = model.prompt(torch.tensor([low, low + 1]))
        own = labels[rows] - low
        i2t = torch.nn.functional.cross_entropy(
            features[rows] @ everyone.T, own, label_smoothing=0.1
        )
        one = supcon_cross_modal(features[rows], texts, own, own)
        other = supcon_cross_modal(texts, features[rows], own, own)
        alone.append(one + 0.5 * other + 2 * i2t)
    expected = torch.stack(alone).sum() / (2 if reduce == "mean" else 1)
    torch.testing.assert_close(losses.loss, expected)
    torch.testing.assert_close(torch.stack(losses.domains), torch.stack(alone).detach())
    assert set(losses.terms) == {"supcon_i2t", "supcon_t2i", "i2t"}


def test_rows_name_the_loss_of_each_domain(model, cached):
    _, built, events = in_domains(model, cached, stage(), "mean")
    built.run()
    (row,) = [event for event in events if event != "step"]
    assert row["domain_a"] > 0
    assert row["domain_b"] > 0
    assert row["loss"] == pytest.approx((row["domain_a"] + row["domain_b"]) / 2, rel=0.5)


def test_a_domains_classifier_never_sees_other_domains(model, cached):
    features, labels = cached
    named = {name: torch.randn(8, width) for name, width in model.widths.items()}
    step = BatchFeatures(
        labels=labels,
        projected=features,
        features=named,
        host_labels=labels,
        host_variants=torch.zeros_like(labels),
    )
    domains = Domains(("a", "b"), torch.tensor([0, 0, 1, 1]), "mean")
    set_learning(model, ["head"])
    (_, first), (_, second) = domains.split(outputs_of(model, step))
    assert [scores.shape for scores in first.scores("linear")] == [(4, 2), (4, 2)]
    torch.nn.functional.cross_entropy(first.scores("linear")[0], first.labels).backward()
    moved = model.head.classifiers["linear"]["final"].weight.grad.norm(dim=1) > 0
    assert moved.tolist() == [True, True, False, False]
    assert second.labels.min() == 0
