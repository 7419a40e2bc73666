"""Models go to the hub and come back: folders, the cache, cards, and what must not travel."""

import json
import shutil

import pytest
import torch
from exported_models import info_of, with_head, with_sides
from facts import lacking
from hub_cache import COMMIT, put_in_cache
from huggingface_hub import HfApi, ModelCard, constants

import promptreid
from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError, WeightsError
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.evaluation.uncertainty.intervals import Interval, Intervals
from promptreid.inference.embedder import Embedder
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.thresholds.own_threshold import store_threshold

FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture(scope="module")
def run(crops, quick, tmp_path_factory):
    request = TrainRequest(
        recipe="zero-shot",
        overrides=[override for override in quick if override.startswith("backbone.")],
        data=(f"folder:{crops}",),
        out=tmp_path_factory.mktemp("runs") / "mine",
        device="cpu",
    )
    return train(request, progress=Silent())


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    embedder = promptreid.load(run.path, device="cpu")
    place = tmp_path_factory.mktemp("hub") / "people"
    return embedder.save_pretrained(place, license="mit")


@pytest.fixture
def cache(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in FILES:
        put_in_cache(tmp_path / "cache", "ann/people", folder / name, name)
    return tmp_path / "cache"


def names(place):
    return sorted(entry.name for entry in place.iterdir())


@pytest.mark.slow
def test_a_folder_is_read_back_by_all_ways(run, folder, cache, crops):
    image = crops / "000" / "0.png"
    wanted = promptreid.load(run.path, device="cpu").embed(image)
    assert names(folder) == FILES
    ways = [
        lambda: Embedder.from_pretrained(folder, device="cpu"),
        lambda: Embedder.from_pretrained("ann/people", device="cpu"),
        lambda: Embedder.from_pretrained("ann/people", revision=COMMIT, device="cpu"),
        lambda: Embedder.from_pretrained("hf:ann/people@main", local_files_only=True, device="cpu"),
        lambda: promptreid.load(folder, device="cpu"),
        lambda: promptreid.load("hf:ann/people", device="cpu"),
        lambda: promptreid.load("hf://ann/people/model.safetensors", device="cpu"),
    ]
    for way in ways:
        loaded = way()
        assert torch.equal(loaded.embed(image), wanted)
        assert loaded.threshold == promptreid.load(run.path, device="cpu").threshold


@pytest.mark.slow
def test_the_card_says_what_the_run_knows(run, folder):
    card = ModelCard.load(folder / "README.md")
    data, scores = card.data.to_dict(), run.scores()[0]
    assert (data["library_name"], data["pipeline_tag"]) == (
        "promptreid",
        "image-feature-extraction",
    )
    assert (data["license"], data["metrics"]) == ("mit", ["mAP", "rank1"])
    assert {"re-identification", "zero-shot", "clip"} <= set(data["tags"])
    assert [result.metric_type for result in card.data.eval_results] == ["mAP", "rank1"]
    result = card.data.eval_results[0]
    assert result.metric_value == pytest.approx(100 * scores["mAP"], abs=0.01)
    assert result.dataset_name == scores["protocol"]
    assert data["model-index"][0]["name"] == "people"
    assert not lacking(card.text, "zero-shot", "hf:OWNER/NAME", f"Protocol {scores['protocol']}")
    assert not lacking(card.text, "Intended use", "research", "mit")
    threshold = promptreid.load(run.path, device="cpu").threshold
    assert f"{threshold.threshold:.4f}" in card.text


def test_intervals_and_groups_come_from_an_evaluation(tmp_path):
    model = with_head()
    found = Intervals({"mAP": Interval(0.5, 0.4, 0.6)}, 0.95, 1000, 30)
    scores = {
        "data": "market1501:/x", "protocol": "mine", "ap": "step", "repeats": 1, "mAP": 0.5,
        "mINP": 0.4, "cmc": {"1": 0.6}, "queries": 3, "queries_without_match": 0, "gallery": 4,
        "same_camera": "keep", "note": "", "intervals": found.to_dict(),
    }  # fmt: skip
    embedder = Embedder(model, info_of(model))
    embedder.save_pretrained(tmp_path / "a", name="Mine", scores={"results": [scores]})
    card = ModelCard.load(tmp_path / "a" / "README.md")
    assert card.data.model_name == "Mine"
    assert card.data.eval_results[0].dataset_type == "market1501"
    assert not lacking(card.text, "# Mine", "40.0", "60.0")
    with pytest.raises(ConfigError) as caught:
        embedder.save_pretrained(tmp_path / "b", scores={"mAP": 0.5})
    assert "data: field required" in str(caught.value)
    embedder.save_pretrained(tmp_path / "b")
    card = ModelCard.load(tmp_path / "b" / "README.md")
    assert "model-index" not in card.data.to_dict()
    assert not lacking(card.text, "not scored", "not stated")


def test_nothing_of_this_machine_and_its_people_travels(tmp_path):
    model = with_sides()
    model.backbone.pretrained = str(tmp_path / "secret" / "weights.pt")
    info = info_of(model).updated(
        classes=("anna", "ben"),
        camera_values=((f"market1501:{tmp_path}/secret", "1"), ("veri776", "2"), ("veri776", "3")),
        recipe=load_recipe("clip-reid/tiny").model_copy(update={"name": "secret/mine.yaml"}),
    )
    embedder = Embedder(model, info)
    embedder.save_pretrained(tmp_path / "out")
    written = b"".join((tmp_path / "out" / name).read_bytes() for name in FILES)
    for private in (str(tmp_path).encode(), b"anna", b"ben", b"secret/"):
        assert private not in written
    loaded = Embedder.from_pretrained(tmp_path / "out", device="cpu")
    assert loaded.info.classes == ("0", "1")
    assert loaded.info.sides.cameras[0] == ("market1501:secret", "1")
    assert loaded.model.backbone.pretrained == "weights.pt"
    assert loaded.info.recipe is not None
    assert loaded.info.recipe.name == "mine.yaml"
    images = torch.randn(2, 3, 32, 16)
    rows = torch.tensor([1, -1])
    assert torch.equal(loaded.model.embed(images, rows), model.embed(images, rows))
    assert (embedder.info.classes, model.backbone.pretrained[-10:]) == (
        ("anna", "ben"),
        "weights.pt",
    )
    embedder.save_pretrained(tmp_path / "named", with_identities=True)
    assert Embedder.from_pretrained(tmp_path / "named", device="cpu").info.classes[0] == "anna"


def test_a_folder_that_holds_something_stays(tmp_path):
    model = with_head()
    embedder = Embedder(model, info_of(model))
    place = tmp_path / "mine"
    place.mkdir()
    (place / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(ConfigError) as caught:
            embedder.save_pretrained(place, overwrite=overwrite)
        assert not lacking(str(caught.value), str(place), "thesis.tex")
    assert names(place) == ["thesis.tex"]
    (place / "thesis.tex").unlink()
    embedder.save_pretrained(place)
    with pytest.raises(ConfigError, match="overwrite"):
        embedder.save_pretrained(place)
    embedder.save_pretrained(place, overwrite=True, name="Second")
    assert "# Second" in (place / "README.md").read_text()
    assert names(tmp_path) == ["mine"]
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file"):
        embedder.save_pretrained(tmp_path / "file")


def test_files_that_disagree_or_are_missing_are_refused(tmp_path):
    model = with_head()
    Embedder(model, info_of(model)).save_pretrained(tmp_path / "mine")
    config = tmp_path / "mine" / "config.json"
    said = json.loads(config.read_text())
    config.write_text(json.dumps(said | {"embedding_width": 7}))
    for read in (Embedder.from_pretrained, promptreid.load):
        with pytest.raises(WeightsError) as caught:
            read(tmp_path / "mine", device="cpu")
        assert not lacking(str(caught.value), str(config), "embedding_width")
    config.write_text("{")
    with pytest.raises(WeightsError, match="no JSON"):
        Embedder.from_pretrained(tmp_path / "mine", device="cpu")
    config.unlink()
    with pytest.raises(WeightsError) as caught:
        Embedder.from_pretrained(tmp_path / "mine", device="cpu")
    assert not lacking(str(caught.value), "config.json", "model.safetensors")
    assert promptreid.load(tmp_path / "mine", device="cpu").width == model.embedding_width


def test_a_threshold_is_not_put_into_what_others_read(cache, folder, tmp_path):
    embedder = promptreid.load(folder, device="cpu")
    chosen = Threshold(0.5, 0.01, 100)
    cached = promptreid.load("hf:ann/people", device="cpu").source
    before = (folder / "model.safetensors").read_bytes()
    for model in (folder, cached):
        with pytest.raises(WeightsError) as caught:
            store_threshold(model, embedder, chosen)
        assert not lacking(str(caught.value), "people", "--out", "run")
    stored = store_threshold(folder, embedder, chosen, out=tmp_path / "own.safetensors")
    assert promptreid.load(stored, device="cpu").threshold == chosen
    assert (folder / "model.safetensors").read_bytes() == before


def test_a_name_that_is_nothing_says_what_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="OWNER/NAME"):
        Embedder.from_pretrained("people")
    with pytest.raises(WeightsError) as caught:
        Embedder.from_pretrained("ann/none")
    assert not lacking(
        str(caught.value), "ann/none", str(tmp_path), "config.json", "HF_HUB_OFFLINE"
    )


def test_a_model_is_sent_in_one_commit(tmp_path, monkeypatch):
    sent = {}

    def upload(self, **arguments):
        shutil.copytree(arguments["folder_path"], tmp_path / "sent")
        sent.update(arguments)
        return "https://huggingface.co/ann/people/commit/1"

    monkeypatch.setattr(
        HfApi, "create_repo", lambda self, name, **more: sent.update(repo=name, **more)
    )
    monkeypatch.setattr(HfApi, "create_branch", lambda self, name, **more: sent.update(branch=more))
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    model = with_head()
    embedder = Embedder(model, info_of(model))
    with pytest.raises(ConfigError, match="licence"):
        embedder.push_to_hub("ann/people")
    assert not sent
    address = embedder.push_to_hub(
        "ann/people", license="mit", branch="dev", commit_message="First"
    )
    assert address.endswith("/commit/1")
    assert (sent["repo"], sent["private"], sent["revision"]) == ("ann/people", False, "dev")
    assert (sent["commit_message"], sent["create_pr"]) == ("First", False)
    assert names(tmp_path / "sent") == FILES
    assert ModelCard.load(tmp_path / "sent" / "README.md").data.license == "mit"


def test_what_the_hub_refuses_is_a_sentence(monkeypatch):
    def refuse(self, *arguments, **more):
        raise OSError("401 Unauthorized")

    monkeypatch.setattr(HfApi, "create_repo", refuse)
    model = with_head()
    with pytest.raises(ConfigError) as caught:
        Embedder(model, info_of(model)).push_to_hub("ann/people", private=True)
    assert not lacking(str(caught.value), "ann/people", "401 Unauthorized", "HF_TOKEN")
    with pytest.raises(ConfigError, match="OWNER/NAME"):
        Embedder(model, info_of(model)).push_to_hub("people", private=True)


@pytest.mark.slow
def test_a_run_starts_from_the_hub_and_notes_the_commit(crops, cache, quick, tmp_path):
    request = TrainRequest(
        recipe="zero-shot",
        overrides=[
            *(override for override in quick if override.startswith("backbone.")),
            "start.checkpoint=hf:ann/people",
        ],
        data=(f"folder:{crops}",),
        out=tmp_path / "second",
        device="cpu",
        before=False,
    )
    made = RunFolder.open(train(request, progress=Silent()).path)
    assert made.environment().hub == {"hf:ann/people": COMMIT}
    assert made.recipe().start.checkpoint == "hf:ann/people"
