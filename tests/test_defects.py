"""What published code for this task got wrong, and must hold in whatever recipe is trained.

Each recipe's stages run for two batches through the real trainer, which writes nothing; one run is
trained and scored whole.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.small_recipes import (
    small_overrides,
    small_training,
    training_rows,
    two_domains,
)
from PIL import Image
from run_records import make_run
from safetensors.torch import save_file
from step_watching import shallow_copy, small_copy
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook

from promptreid.config.augment import AugmentConfig
from promptreid.config.optimize import ScheduleConfig
from promptreid.config.recipes import load_recipe, recipe_names
from promptreid.data.augment.pipeline import Augment
from promptreid.data.batches.loading import TestLoader, TrainLoader
from promptreid.data.batches.samplers import Uniform
from promptreid.data.dataset import DataSet
from promptreid.data.images.decode import read_image
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.preprocess import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, Preprocess
from promptreid.data.images.transforms import normalize, resize
from promptreid.data.manifest.manifest import Manifest
from promptreid.data.protocol import Repeat
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.test_set import TestSet
from promptreid.inference.assess import assess
from promptreid.inference.embed import embed_manifest, find_sentence_rows
from promptreid.inference.embedder import Embedder
from promptreid.inference.run_context import RunContext
from promptreid.models.checkpoint import load_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.towers.image_tower import ImageTower
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import BestRecord
from promptreid.tracking.tracker_group import Trackers
from promptreid.training.batches.feature_cache import cached_projections
from promptreid.training.run import train as whole_run
from promptreid.training.run.build_model import build_model
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.schedule import learning_rate
from promptreid.training.stage.trainer import Trainer
from promptreid.training.stage.training_state import TrainingState

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return two_domains(tmp_path_factory.mktemp("defects"))


# --- every recipe: what learns, is taught, by exactly one rule


@dataclass
class Stage:
    """What was seen of a stage after each of its steps."""

    learning: set[str]
    grouped: list[str]
    in_optimizer: set[int]
    remembered: list[dict[str, Tensor]] = field(default_factory=list)
    largest: dict[str, float] = field(default_factory=dict)  # gradient over all steps
    missing: set[str] = field(default_factory=set)  # learns, but some step gave no gradient
    strange: set[str] = field(default_factory=set)  # not finite, or a gradient of what is frozen
    modes: dict[str, bool] = field(default_factory=dict)


class Watched(Trainer):
    """A trainer that looks at the gradients after each step, and writes nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stages: dict[str, Stage] = {}

    def _save_last(self) -> None:
        """Leave the disk alone."""

    def _save_best(self, score: float | None, chosen_at: str) -> None:
        """Leave the disk alone."""

    def _after_step(self) -> None:
        self.look()

    def _after_epoch(self, row: dict[str, Any]) -> None:
        assert row["steps"] > 1
        self.look()

    def look(self) -> None:
        runner = self._runner
        assert runner is not None
        groups = runner._optimizer.param_groups
        seen = self.stages.setdefault(
            runner.config.name,
            Stage(
                {name for name, p in self.model.named_parameters() if p.requires_grad},
                [name for group in groups for name in group["names"]],
                {id(p) for group in groups for p in group["params"]},
            ),
        )
        now = {name: p.detach().clone() for name, p in runner.states.named_parameters()}
        seen.remembered.append(now)
        for name, parameter in self.model.named_parameters():
            grad = parameter.grad
            if name not in seen.learning:
                seen.strange |= {name} if grad is not None else set()
            elif grad is None:
                seen.missing.add(name)
            else:
                seen.strange |= set() if grad.isfinite().all() else {name}
                seen.largest[name] = max(seen.largest.get(name, 0.0), float(grad.abs().max()))
        assert not seen.in_optimizer & {id(p) for p in runner.states.parameters()}
        parts = {"prompt": self.model.prompt, "head": self.model.head}
        parts |= {"interaction": self.model.interaction, "text": self.model.backbone.text}
        parts |= {"image": self.model.backbone.image}
        seen.modes = {part: module.training for part, module in parts.items() if module is not None}


def watch(name: str, data: DataSet, folder: Path, *more: str) -> Watched:
    """Run all stages of a recipe; `folder` keeps cached features only."""
    make = small_copy if name.endswith("cnn") else shallow_copy
    recipe, rows, model, preprocess = small_training(name, data, *more, make_backbone=make)
    run = RunFolder.of(folder) or make_run(folder)  # a later one finds what an earlier one kept
    trainer = Watched(
        run,
        recipe,
        model,
        rows,
        state=TrainingState(),
        info=CheckpointInfo(preprocess=preprocess),
        trackers=Trackers(folder, (), say=Silent().message),
        context=RunContext(CPU),
    )
    trainer.fit()
    return trainer


def untaught(name: str) -> tuple[str, ...]:
    """Beginnings of parameters that learn in name only, each with its reason."""
    if name == "finetune-losses/mgn":
        # Its branches have their own copies of the last block and what follows; nothing reads the
        # tower's own.
        last = "backbone.image.transformer.resblocks.2."
        return (last, "backbone.image.ln_post.", "backbone.image.proj")
    return ()


TRAINED = [name for name in recipe_names() if load_recipe(name).stages]


def test_recipes_without_stages_are_those_that_learn_nothing() -> None:
    assert set(recipe_names()) - set(TRAINED) == {
        "zero-shot",
        "zero-shot/hand",
        "zero-shot/hand-text",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_what_learns_has_one_rule_and_a_gradient_and_the_rest_has_neither(
    name: str, data: DataSet, tmp_path: Path
) -> None:
    trainer = watch(name, data, tmp_path)
    assert list(trainer.stages) == [stage.name for stage in trainer.recipe.stages]
    for config in trainer.recipe.stages:
        stage = trainer.stages[config.name]
        assert sorted(stage.grouped) == sorted(stage.learning)
        excused = untaught(name)
        assert not {n for n in stage.missing if not n.startswith(excused or ("-",))}
        assert not stage.strange
        silent = {n for n, value in stage.largest.items() if value == 0}
        assert not silent
        for start in excused:  # an excuse that nobody needs must go
            assert any(n.startswith(start) for n in stage.missing)
        partly = config.blocks is not None or {"visual_prompt", "lora", "adapter"} & set(
            config.learns
        )
        for part, training in stage.modes.items():
            if part != "image" or not partly:
                assert training == (part in config.learns), part


@pytest.mark.slow
def test_one_domain_without_additions_is_clip_reid_to_the_bit(
    data: DataSet, tmp_path: Path
) -> None:
    one = replace(data, manifest=replace(data.manifest, domains=("one",) * len(data.manifest)))
    plain = watch("clip-reid", one, tmp_path / "plain")
    domains = watch(
        "mta-clip/single",
        one,
        tmp_path / "domains",
        "prompt.shared_tokens=0",
        "tuning.adapter=null",
        "stages.prompts.batch.size=16",
        "stages.image.learns=[image, head]",
        "stages.image.blocks=null",
        "stages.image.batch={identities: 8, images: 2}",
        "stages.image.optimizer.part_lr_factors={}",
    )
    assert {stage.domains for stage in plain.recipe.stages} == {"joint"}
    assert {stage.domains for stage in domains.recipe.stages} == {"mean"}
    wanted, found = plain.model.state_dict(), domains.model.state_dict()
    assert wanted.keys() == found.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], found[name])] == []
    fresh = shallow_copy("tiny", image_size=(32, 32), stride=None).state_dict()
    assert not torch.equal(fresh["image.proj"], found["backbone.image.proj"])


@pytest.mark.slow
def test_angle_classifiers_reductions_and_necks_are_taught(data: DataSet, tmp_path: Path) -> None:
    for name, stage, wanted in (
        ("finetune-losses/ce-triplet-arcface", "image", ["linear.projected", "arcface.projected"]),
        ("finetune-losses/circle", "image", ["circle.projected"]),
        ("prompt-sg/hand-v4", "image", ["arcface.reduced"]),
    ):
        largest = watch(name, data, tmp_path).stages[stage].largest
        for classifier in wanted:
            assert largest[f"head.classifiers.{classifier}.weight"] > 1e-6
        assert any(key.startswith("head.necks.") for key in largest)
        assert name != "prompt-sg/hand-v4" or largest["head.reduction.linear.weight"] > 1e-6


@pytest.mark.parametrize("name", ["finetune-losses/ce-center", "hand-clip"])
def test_centers_move_though_no_optimizer_has_them(
    name: str, data: DataSet, tmp_path: Path
) -> None:
    stage = watch(name, data, tmp_path).stages["image"]
    (first,), (last,) = stage.remembered[0].values(), stage.remembered[-1].values()
    assert not (first == last).all(1).any()  # each identity was in the second batch


@pytest.mark.parametrize("option", ["dropout", "domain_dropout"])
def test_prompt_dropout_acts_on_cached_features_whether_they_were_just_taken_or_kept(
    option: str, data: DataSet, tmp_path: Path
) -> None:
    name, change = "mta-clip", f"prompt.{option}=0.5"

    def tokens(*more: str) -> Tensor:
        model = watch(name, data, tmp_path, "stage_mode=prompts_only", *more).model
        return model.prompt.domain.detach().clone()

    fresh, kept = tokens(change), tokens(change)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert torch.equal(fresh, kept)
    assert not torch.equal(fresh, tokens())


def test_cached_features_are_taken_again_when_anything_they_depend_on_changes(
    data: DataSet, tmp_path: Path
) -> None:
    rows = data.manifest.indices("train")[:4]
    paths = [data.manifest.path(row) for row in rows]
    recipe = load_recipe("finetune-ce", small_overrides("finetune-ce"))
    model, preprocess = build_model(recipe, training_rows(recipe, data), seed=0)

    def features(used: Preprocess = preprocess, fingerprint: str = "a") -> Tensor:
        return cached_projections(
            model,
            ImageStore(paths, used.image_size, used.test_interpolation),
            used,
            folder=tmp_path,
            fingerprint=fingerprint,
            context=RunContext(CPU),
        )

    def kept() -> int:
        return len(list(tmp_path.iterdir()))

    first = features()
    assert torch.equal(features(), first)
    assert kept() == 1
    other = features(replace(preprocess, mean=IMAGENET_MEAN))
    assert kept() == 2
    assert not torch.equal(other, first)
    features(replace(preprocess, test_interpolation="bilinear"))
    features(fingerprint="b")
    assert kept() == 4
    with torch.no_grad():
        model.backbone.image.proj.mul_(2)
    assert not torch.equal(features(), first)
    assert kept() == 5
    before = list(tmp_path.iterdir())

    # What is damaged is made anew, and the file mended with it.
    wanted = features(fingerprint="c")
    (path,) = [one for one in tmp_path.iterdir() if one not in before]
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-2000 % len(whole)] ^= 64
    save_file({"projected": torch.zeros_like(wanted)}, tmp_path / "other")
    damages = (b"", whole[: len(whole) // 2], bytes(flipped), (tmp_path / "other").read_bytes())
    for damage in damages:
        path.write_bytes(damage)
        assert torch.equal(features(fingerprint="c"), wanted)
        assert path.read_bytes() == whole


# --- pixels


@pytest.mark.parametrize(("mean", "std"), [(CLIP_MEAN, CLIP_STD), (IMAGENET_MEAN, HALF)])
def test_a_constant_image_has_the_same_pixels_in_training_and_in_testing(
    mean: tuple[float, float, float], std: tuple[float, float, float], tmp_path: Path
) -> None:
    Image.new("RGB", (50, 70), (200, 30, 90)).save(tmp_path / "one.png")
    preprocess = Preprocess((32, 16), mean, std)
    plain = AugmentConfig(flip=0.0, pad=0, erase=0.0)

    def store(interpolation: str) -> ImageStore:
        return ImageStore([tmp_path / "one.png"], preprocess.image_size, interpolation)

    loader = TrainLoader(
        store(preprocess.train_interpolation),
        labels=[0],
        sampler=Uniform(1, 1, 0),
        augment=Augment.of(plain),
        preprocess=preprocess,
        seed=0,
    )
    (trained,) = [batch.images for batch in loader.epoch(1)]
    ((_, tested),) = TestLoader(store(preprocess.test_interpolation), preprocess, 1).batches()
    assert torch.equal(trained, tested)
    wanted = [(v / 255 - m) / s for v, m, s in zip((200, 30, 90), mean, std, strict=True)]
    assert tested[0, :, 0, 0].tolist() == pytest.approx(wanted)


# --- one whole run


@dataclass
class Run:
    """A trained and scored run, and what was seen on the way.

    Every validation left its scores as they were, the embeddings behind them and a copy of the
    weights; `forged` is what the trainer was told in place of mAP.
    """

    folder: RunFolder
    forged: list[float]
    validations: list[tuple[Embeddings, Any]]
    weights: list[dict[str, Tensor]]
    pixels: dict[str, list[Tensor]]


@pytest.fixture(scope="module")
def run(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """PromptSG with ArcFace after a reduction, four epochs of which the second is called best."""
    name, key = "prompt-sg/hand-v4", "stages.image"
    overrides = [
        *small_overrides(name),
        "validation.kind=images",
        "validation.metric=mAP",
        f"{key}.epochs=4",
        f"{key}.schedule={{name: cosine, per: step, warmup_epochs: 1, warmup_lr: 0, lr_min: 1e-6}}",
        f"{key}.augment={{flip: 0, pad: 0, erase: 0}}",
    ]
    seen = Run(
        RunFolder(Path()), [0.5, 0.9, 0.1, 0.8], [], [], {"fit": [], "choose": [], "score": []}
    )
    phase = ["fit"]
    choose, score, embed = whole_run.keep_threshold, whole_run.score_run, embed_manifest

    def choose_then(*arguments: Any, **options: Any) -> None:
        phase[0] = "choose"
        choose(*arguments, **options)

    def score_then(*arguments: Any, **options: Any) -> None:
        phase[0] = "score"
        score(*arguments, **options)

    def remember(embedder: Embedder, *arguments: Any, **options: Any) -> Embeddings:
        found = embed(embedder, *arguments, **options)
        seen.validations.append((found, None))
        state = embedder.model.state_dict()
        seen.weights.append({key: value.clone() for key, value in state.items()})
        return found

    def forge(embeddings: Embeddings, protocol: Any) -> Any:
        seen.validations[-1] = (embeddings, protocol)
        scores = evaluate_protocol(embeddings, protocol)
        told = seen.forged[len(seen.validations) - 1]
        forged = dict.fromkeys(("mAP", "mAP_step", "mAP_trapezoid"), told)
        repeats = tuple(replace(r, values={**r.values, **forged}) for r in scores.per_repeat)
        return replace(scores, per_repeat=repeats)

    def look(module: torch.nn.Module, arguments: tuple[Any, ...]) -> None:
        if isinstance(module, ImageTower):
            seen.pixels[phase[0]].extend(arguments[0].detach().clone())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole_run, "keep_threshold", choose_then)
        patch.setattr(whole_run, "score_run", score_then)
        patch.setattr("promptreid.training.stage.validation_scores.embed_manifest", remember)
        patch.setattr("promptreid.training.stage.validation_scores.evaluate_protocol", forge)
        handle = register_module_forward_pre_hook(look)
        try:
            out = tmp_path_factory.mktemp("runs") / "run"
            request = TrainRequest(name, overrides, (data.spec,), out, device="cpu", before=False)
            seen.folder = train(request, progress=Silent())
        finally:
            handle.remove()
    return seen


@pytest.mark.slow
def test_every_image_is_prepared_as_the_checkpoints_say_and_test_images_never_teach_or_choose(
    run: Run, data: DataSet
) -> None:
    stored = [load_model(path)[1].preprocess for path in (run.folder.last, run.folder.best)]
    assert stored[0] == stored[1]
    preprocess = stored[0]
    assert preprocess.train_interpolation == preprocess.test_interpolation
    manifest = data.manifest
    split_of = {}
    for row in range(len(manifest)):
        image = resize(read_image(manifest.path(row)), preprocess.image_size, "bicubic")
        split_of[normalize(image, preprocess).numpy().tobytes()] = manifest.splits[row]
    assert len(split_of) == len(manifest)
    tested = {"query", "gallery"}
    for phase, splits in (("fit", {"train"}), ("choose", {"train"}), ("score", tested)):
        assert len(run.pixels[phase]) >= (2 if phase == "choose" else 16)
        assert {split_of[image.numpy().tobytes()] for image in run.pixels[phase]} == splits


def test_the_best_checkpoint_is_a_copy_of_the_epoch_that_was_best(run: Run) -> None:
    assert len(run.weights) == 4
    best, info = load_model(run.folder.best)
    assert info.best == BestRecord(score=0.9, chosen_at="stage image, epoch 2")
    state = best.state_dict()
    assert state.keys() == run.weights[1].keys()
    assert all(torch.equal(state[name], run.weights[1][name]) for name in state)
    last = load_model(run.folder.last)[0].state_dict()
    assert all(torch.equal(last[name], run.weights[3][name]) for name in last)
    changed = {name.split(".")[0] for name in state if not torch.equal(state[name], last[name])}
    assert changed == {"backbone", "prompt", "interaction", "head"}
    assert not torch.equal(
        state["head.reduction.linear.weight"], last["head.reduction.linear.weight"]
    )


def test_the_best_checkpoint_reloaded_embeds_as_it_did_when_it_was_chosen(
    run: Run, data: DataSet
) -> None:
    best = Embedder(*load_model(run.folder.best))
    recipe = run.folder.recipe()
    held = training_rows(recipe, data).validations[0].manifest
    found = embed_manifest(best, held)
    assert torch.equal(found.vectors, run.validations[1][0].vectors)


def test_validation_columns_are_named_after_what_they_hold(run: Run) -> None:
    with (run.folder.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_mAP"]) for row in rows] == run.forged
    for row, (embeddings, protocol) in zip(rows, run.validations, strict=True):
        (repeat,) = protocol.repeats
        names, hits = embeddings.identities, []
        for query in repeat.query.tolist():
            far = protocol.same_camera == "exclude"
            gallery = [
                other
                for other in repeat.gallery.tolist()
                if not (
                    far
                    and names[other] == names[query]
                    and embeddings.cameras[other] == embeddings.cameras[query]
                )
            ]
            if not any(names[other] == names[query] for other in gallery):
                continue
            closest = max(
                gallery, key=lambda row: float(embeddings.vectors[row] @ embeddings.vectors[query])
            )
            hits.append(names[closest] == names[query])
        assert float(row["val_rank1"]) == pytest.approx(sum(hits) / len(hits))


def test_rates_in_the_table_are_those_of_the_schedule(run: Run) -> None:
    (stage,) = run.folder.recipe().stages
    with (run.folder.path / "metrics.csv").open() as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    assert rates == pytest.approx(trace(stage.schedule, stage.optimizer.lr, 4, 1))
    assert rates[3] == pytest.approx(1e-6)


# --- scoring


def shuffled(manifest: Manifest) -> Manifest:
    order = np.random.default_rng(0).permutation(len(manifest))
    names = tuple(manifest.identities[row] for row in order)
    assert names != manifest.identities
    return replace(manifest, identities=names)


@pytest.mark.parametrize("name", ["clip-reid", "prompt-sg/hand-v4", "finetune-losses/pcb"])
def test_identities_of_test_images_do_not_reach_their_embeddings(
    name: str, data: DataSet, tmp_path: Path
) -> None:
    trainer = watch(name, data, tmp_path)
    rows = TestSet.of(data).manifest
    embedder = Embedder(trainer.model, trainer.info)
    both = [embed_manifest(embedder, manifest) for manifest in (rows, shuffled(rows))]
    assert both[0].identities != both[1].identities
    assert torch.equal(both[0].vectors, both[1].vectors)
    assert both[0].vectors.unique(dim=0).shape == both[0].vectors.shape


def test_images_are_tested_with_the_sentence_they_would_be_trained_with(
    run: Run, data: DataSet
) -> None:
    model, _ = load_model(run.folder.best)
    rows = training_rows(run.folder.recipe().model_copy(update={"name": "x"}), data)
    whole = training_rows(load_recipe("prompt-sg/hand-v4", ["validation.kind=none"]), data)
    train = data.manifest.select(data.manifest.indices("train"))
    assert len(whole.variants) == len(train) > len(rows.variants)
    found = find_sentence_rows(model, train)
    assert found is not None
    assert found.tolist() == whole.variants.tolist()
    assert len(set(found.tolist())) == 2
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = model.features(images)
        taught, retrieved = (
            model.derived(features, found[:2], training=training)["fused"]
            for training in (True, False)
        )
        other = model.derived(features, found[:2].flip(0))["fused"]
    assert torch.equal(taught, retrieved)
    assert not torch.equal(retrieved, other)


def test_images_are_encoded_once_whatever_the_repeats_and_the_dice(run: Run, data: DataSet) -> None:
    embedder = Embedder(*load_model(run.folder.best))
    protocol = data.protocol
    assert protocol is not None
    (repeat,) = protocol.repeats
    repeats = tuple(
        Repeat(query=repeat.query, gallery=np.delete(repeat.gallery, place)) for place in range(3)
    )
    test_set = TestSet.of(replace(data, protocol=replace(protocol, repeats=repeats)))
    counts: list[int] = []
    handle = register_module_forward_pre_hook(
        lambda module, images: (
            counts.append(len(images[0])) if module is embedder.model.backbone.image else None
        )
    )
    found = []
    try:
        for seed in (1, 2):
            torch.manual_seed(seed)
            state = torch.get_rng_state()
            assessment = assess(embedder, test_set)
            scores = assessment.scores
            assert torch.equal(torch.get_rng_state(), state)
            found.append((scores, assessment.embeddings.vectors))
    finally:
        handle.remove()
    assert sum(counts) == 2 * 16
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])


# --- learning rates


def trace(schedule: ScheduleConfig, base: float, epochs: int, steps: int) -> list[float]:
    return [
        learning_rate(schedule, base, epoch=epoch, epochs=epochs, step=step, steps=steps)
        for epoch in range(1, epochs + 1)
        for step in range(steps)
    ]


def by_formula(schedule: ScheduleConfig, base: float, epochs: int, steps: int) -> list[float]:
    wanted = []
    for number in range(epochs * steps):
        epoch = number // steps + 1
        clock = epoch if schedule.per == "epoch" else (number + 1) / steps
        left = 1 - clock / schedule.warmup_epochs if schedule.warmup_epochs > clock else 0
        if schedule.name == "cosine":
            half = math.cos(math.pi * clock / (2 * epochs)) ** 2
            rate = schedule.lr_min + (base - schedule.lr_min) * half
            wanted.append(base + left * (schedule.warmup_lr - base) if left else rate)
            continue
        rate = base
        for milestone in schedule.milestones if schedule.name == "multistep" else ():
            rate *= schedule.gamma if epoch >= milestone else 1
        wanted.append(rate * (1 + left * ((schedule.warmup_factor or 0) - 1)))
    return wanted


@pytest.mark.slow
def test_the_rate_of_every_recipe_follows_its_formula_and_only_falls_after_the_warm_up() -> None:
    for stage in (stage for name in TRAINED for stage in load_recipe(name).stages):
        base, schedule = stage.optimizer.lr, stage.schedule
        rates = trace(schedule, base, stage.epochs, 3)
        assert rates == pytest.approx(by_formula(schedule, base, stage.epochs, 3), rel=1e-6)
        after = rates[3 * schedule.warmup_epochs :]
        assert all(now <= before for before, now in pairwise(after))
        warm = rates[: max(0, 3 * schedule.warmup_epochs - 3)]
        assert all(now >= before for before, now in pairwise(warm))
        assert 0 <= min(rates) <= max(rates) <= base


def test_one_cycle_is_that_of_pytorch() -> None:
    schedule = ScheduleConfig(name="onecycle", per="step", rise=0.3)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=40, pct_start=0.3)
    wanted = []
    for _ in range(40):
        wanted.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        oracle.step() if len(wanted) < 40 else None
    assert trace(schedule, 2e-3, 8, 5) == pytest.approx(wanted)
