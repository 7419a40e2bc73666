"""What a report says, from saved models and runs to plain values."""

import json
from dataclasses import replace

import pytest
import torch
from run_records import data_of, environment_record
from small_models import RESNET, VIT, small_backbone
from small_prompts import image_prompt

from promptreid.config.model import EmbeddingConfig
from promptreid.config.recipes import load_recipe
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.load_data import load_data
from promptreid.errors import ConfigError, EvaluationError, RunError
from promptreid.evaluation.test_set import TestSet
from promptreid.figures.selection import pick_identities
from promptreid.inference import embedding_cache as cache_module
from promptreid.inference.assess import assess
from promptreid.inference.embed import embed_manifest
from promptreid.inference.load import load
from promptreid.models.checkpoint import save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.pages.collect import collect
from promptreid.pages.collect_options import ReportOptions
from promptreid.pages.collect_texts import attribute_sentences, map_texts
from promptreid.runs.run_folder import RunFolder
from promptreid.runs.run_records import StatusRecord

QUICK = ReportOptions(identities=4, queries=2, top=3, images=2)


@pytest.fixture(scope="module")
def table(crops, tmp_path_factory):
    """Two queries and three gallery images of twelve identities."""
    path = tmp_path_factory.mktemp("data") / "data.csv"
    rows = ["path,identity,split,side"]
    for folder in sorted(crops.iterdir()):
        for number, image in enumerate(sorted(folder.iterdir())):
            split = "query" if number < 2 else "gallery"
            rows.append(f"{image},{folder.name},{split},{('left', 'right')[number % 2]}")
    path.write_text("\n".join(rows))
    return f"csv:{path}"


def save(path, vision, *, recipe=None, features=("final", "projected"), **fields):
    backbone = small_backbone(vision)
    backbone.image.fit((64, 32), None)
    model = ReIDModel(backbone, embedding=EmbeddingConfig(features=features))
    info = CheckpointInfo(preprocess=Preprocess(image_size=(64, 32)), recipe=recipe, **fields)
    save_model(path / "checkpoints" / "best.safetensors", model, info)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A transformer with all that a run folder has, and a lone checkpoint of a ResNet."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = load_recipe("clip-reid/tiny", ["stages.image.epochs=2"])
    verification = {"threshold": 0.7, "far": 0.01, "pairs": 500}
    run = RunFolder.create(
        folder / "whole",
        recipe=recipe,
        environment=environment_record(4),
        data=[data_of("csv:x")],
    )
    whole = save(run.path, VIT, recipe=recipe, verification=verification)
    run.write_status(StatusRecord(status="complete"))
    run.write_metrics([{"stage": "image", "epoch": n, "lr": 0.1, "loss": 4 - n} for n in (1, 2)])
    lone = save(folder / "lone", RESNET)
    return whole, lone / "checkpoints" / "best.safetensors"


@pytest.fixture(scope="module")
def content(runs, table):
    options = replace(QUICK, names=("vit", "resnet"), command="again")
    return collect(runs, [table], options=options, device="cpu")


@pytest.mark.slow
def test_facts_of_a_run_folder(content, runs):
    facts = content.runs[0]
    assert (facts.name, facts.path, facts.recipe) == ("vit", str(runs[0]), "clip-reid/tiny")
    assert facts.parent == "clip-reid/tiny"
    assert [(change.key, change.now) for change in facts.changes] == [("stages.image.epochs", 2)]
    assert "arXiv:2211.13977" in facts.source
    assert "64 × 32" in facts.backbone
    model = load(runs[0], device="cpu").model
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert len(facts.weights) == 12
    assert facts.environment.seed == 4
    assert facts.data == (data_of("csv:x"),)
    assert facts.status == StatusRecord(status="complete")
    assert (facts.threshold.threshold, facts.threshold.far) == (0.7, 0.01)


def test_facts_of_weights_alone(content):
    facts = content.runs[1]
    assert (facts.recipe, facts.source, facts.parent, facts.changes) == ("", "", "", ())
    assert (facts.environment, facts.data, facts.status) == (None, (), None)
    assert facts.threshold is None
    assert facts.weights != content.runs[0].weights


def test_weights_are_told_apart_by_any_number(runs):
    from promptreid.models.weights.weight_hash import hash_weights

    model = load(runs[0], device="cpu").model
    before = hash_weights(model)
    assert hash_weights(load(runs[0], device="cpu").model) == before
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1e-3
    assert hash_weights(model) != before


def test_curves_are_those_of_the_runs_that_have_some(content):
    assert "vit: stage image, 2 epochs" in content.curves.alt
    assert "resnet" not in content.curves.alt
    assert [remark for remark in content.remarks if remark.startswith("resnet")]


def test_head_of_the_report(content):
    assert content.title == "Report of vit and resnet"
    assert content.command == "again"
    assert len(content.made.split("-")) == 3
    assert content.pixelated is False


def test_a_data_set(content, table):
    (test,) = content.tests
    assert (test.spec, test.repeats, test.queries, test.gallery) == (table, 1, 24, 36)
    assert test.counts["query"] == {"images": 24, "identities": 12}
    assert test.counts["gallery"] == {"images": 36, "identities": 12}
    assert [run.name for run in test.runs] == ["vit", "resnet"]
    assert [(pair.name, pair.baseline) for pair in test.pairs] == [("resnet", "vit")]
    assert list(test.figures) == ["cmc", "roc", "det", "histogram", "activation"]
    assert "attention rollout of vit" in test.figures["activation"].alt
    assert "channel energy of resnet" in test.figures["activation"].alt
    assert [one.which for one in test.ranks] == ["worst", "median", "best"]
    assert list(test.ranks[0].queries[0].lists) == ["vit", "resnet"]
    assert [one.name for one in test.map.maps] == ["vit", "resnet"]
    assert len(test.map.identities) == 4
    assert len(test.map.points) == 20
    assert [one.attribute for one in test.runs[0].breakdowns] == ["side"]


def test_scores_are_those_of_evaluate(content, runs, table):
    for tested, path in zip(content.tests[0].runs, runs, strict=True):
        assessment = assess(load(path, device="cpu"), TestSet.of(table))
        assert tested.scores == assessment.scores


def test_a_stored_threshold_is_tried_as_evaluate_tries_it(content, runs, table):
    found = assess(load(runs[0], device="cpu"), TestSet.of(table)).to_dict(verification=True)
    first, second = content.tests[0].runs
    assert first.stored.to_dict() == found["verification"]["stored_threshold"]
    assert second.stored is None


def test_runs_that_compare_with_no_sentence_say_so(content):
    remarks = content.tests[0].remarks
    for name in ("vit", "resnet"):
        (found,) = [remark for remark in remarks if name in remark]
        assert "final and projected, which no sentence compares with" in found


@pytest.mark.slow
def test_everything_comes_from_one_embedding(runs, table, monkeypatch):
    calls = []

    def counted(*args, **options):
        calls.append(len(args[1]))
        return embed_manifest(*args, **options)

    monkeypatch.setattr(cache_module, "embed_manifest", counted)
    collect(runs[:1], [table, table], options=QUICK, device="cpu")
    assert calls == [60]


@pytest.mark.slow
def test_two_data_sets_have_a_section_each(runs, table, crops):
    found = collect(runs[:1], [table, f"folder:{crops}"], options=QUICK, device="cpu")
    assert [test.spec for test in found.tests] == [table, f"folder:{crops}"]
    assert found.title == "Report of whole"
    assert [test.pairs for test in found.tests] == [(), ()]


def test_one_identity_gives_remarks_and_no_failure(runs, crops, tmp_path):
    path = tmp_path / "one.csv"
    images = sorted((crops / "000").iterdir())
    rows = [f"{image},a,{'query' if n < 2 else 'gallery'}" for n, image in enumerate(images)]
    path.write_text("\n".join(["path,identity,split", *rows]))
    (test,) = collect(runs[1:], [f"csv:{path}"], options=QUICK, device="cpu").tests
    assert test.runs[0].scores.mAP == 1
    assert test.runs[0].verification is None
    assert test.map is None
    assert list(test.figures) == ["cmc", "activation"]
    assert any("Nothing can be verified" in remark for remark in test.remarks)
    assert any("no map" in remark for remark in test.remarks)


@pytest.mark.slow
def test_mosaics(runs, table):
    found = collect(
        runs[:1],
        [table],
        options=ReportOptions(identities=4, queries=1, images=1, pixelate=True),
        device="cpu",
    )
    assert found.pixelated
    for picture in found.tests[0].ranks[0].gallery.values():
        assert len({tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}) <= 100


@pytest.mark.slow
def test_a_run_without_stages_has_no_curves(runs, table):
    whole, _ = runs
    (whole / "metrics.csv").rename(whole / "metrics.kept")
    try:
        found = collect([whole], [table], options=QUICK, device="cpu")
    finally:
        (whole / "metrics.kept").rename(whole / "metrics.csv")
    assert found.curves is None
    assert found.remarks == ("whole learned nothing, so it has no learning curves.",)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (ReportOptions(names=("one",)), ConfigError, "1 names are given for 2 runs"),
        (ReportOptions(by=("sied",)), EvaluationError, "Did you mean 'side'"),
    ],
)
def test_mistakes_are_found_before_a_model_is_loaded(
    runs, table, monkeypatch, options, error, words
):
    monkeypatch.setattr("promptreid.pages.collect.load", None)
    with pytest.raises(error, match=words):
        collect(runs, [table], options=options)


def test_missing_runs_and_data_without_queries(runs, table, crops, tmp_path, monkeypatch):
    monkeypatch.setattr("promptreid.pages.collect.load", None)
    with pytest.raises(RunError, match="no run or checkpoint"):
        collect([tmp_path / "gone"], [table])
    with pytest.raises(EvaluationError, match="no query and gallery images"):
        collect(runs, [f"images:{crops}"])


# Sentences on maps


def selection_of(table):

    return pick_identities(load_data(table), identities=4)


def zero_shot(folder, templates):
    recipe = load_recipe("zero-shot", [f"zero_shot.attributes={json.dumps(templates)}"])
    path = save(folder, VIT, recipe=recipe, features=("projected",))
    return load(path, device="cpu")


def test_sentences_of_attributes_are_shown_where_they_compare(tmp_path, table):
    templates = {"side": ["a {side} hand", "the {side} of a hand"], "gone": ["a {gone} hand"]}
    embedder = zero_shot(tmp_path, templates)
    found = map_texts("zero", embedder, selection_of(table))
    assert found.sentences == (
        "a left hand", "a right hand", "the left of a hand", "the right of a hand",
    )  # fmt: skip
    assert found.groups == (-1,) * 4
    assert found.remark == ""
    assert torch.equal(found.vectors, embedder.embed_text(found.sentences))
    assert found.vectors.shape[1] == embedder.width


def test_why_there_are_no_sentences(tmp_path, table):
    selection = selection_of(table)
    found = map_texts("zero", zero_shot(tmp_path / "a", {}), selection)
    assert (len(found.sentences), "no sentences" in found.remark) == (0, True)
    found = map_texts("zero", zero_shot(tmp_path / "b", {"gone": ["a {gone} hand"]}), selection)
    assert (len(found.sentences), "name gone" in found.remark) == (0, True)


def test_sentences_of_several_attributes_are_those_of_the_data():
    columns = {"side": ("l", "r", "l", ""), "skin": ("fair", "dark", "fair", "dark")}
    templates = {"side": ["a {side} hand", "a {side} {skin} hand"], "skin": ["{skin} skin"]}
    assert attribute_sentences(templates, columns) == [
        "a l hand", "a r hand", "dark skin", "fair skin", "a l fair hand", "a r dark hand",
    ]  # fmt: skip


def test_sentences_made_of_images_are_shown_for_one_image_of_each_identity(tmp_path, table):
    backbone = small_backbone(VIT)
    backbone.image.fit((64, 32), None)
    prompt = image_prompt(backbone, hidden=32)
    model = ReIDModel(backbone, prompt=prompt, embedding=EmbeddingConfig(features=("projected",)))
    info = CheckpointInfo(preprocess=Preprocess(image_size=(64, 32)))
    save_model(tmp_path / "checkpoints" / "best.safetensors", model, info)
    embedder, selection = load(tmp_path, device="cpu"), selection_of(table)
    found = map_texts("sg", embedder, selection)
    assert found.groups == (0, 1, 2, 3)
    assert found.vectors.shape == (4, 64)
    assert torch.allclose(found.vectors.norm(dim=1), torch.ones(4), atol=1e-5)
    queries = [
        path
        for path, role in zip(selection.manifest.paths, selection.roles, strict=True)
        if role == "query"
    ]
    for group, sentence in enumerate(found.sentences):
        name = selection.identities[group]
        (path,) = [path for path in queries if f"[word of {path}]" in sentence]
        assert f"/{name}/" in path
    assert len({tuple(row) for row in found.vectors.tolist()}) == 4
