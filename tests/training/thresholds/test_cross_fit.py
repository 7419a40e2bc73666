"""Cross-fitting: who learns from whom, what the threshold rests on, and that stops lose nothing."""

import json

import numpy as np
import pytest
import torch

import promptreid
from promptreid.data.load_data import load_data
from promptreid.data.splits.validation import halves
from promptreid.evaluation import read_embeddings
from promptreid.evaluation.thresholds.pair_sets import RankScale
from promptreid.models.checkpoint import read_info
from promptreid.progress import Silent
from promptreid.training.run.train import TrainRequest, train
from promptreid.training.stage.stop_signals import Interrupted
from promptreid.training.stage.trainer import Trainer
from promptreid.training.thresholds import cross_fit as module
from promptreid.training.thresholds.threshold_samples import CROSSED

pytestmark = pytest.mark.slow


class Said(Silent):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


@pytest.fixture
def asked(crops, quick, tmp_path):
    def ask(*overrides, data=(f"folder:{crops}",), **options):
        short = ("stages.prompts.epochs=1", "stages.image.epochs=1", "validation.kind=auto")
        return TrainRequest(
            recipe="clip-reid",
            overrides=(*quick, *short, *overrides),
            data=data,
            out=tmp_path / "run",
            seed=5,
            device="cpu",
            **options,
        )

    return ask


@pytest.fixture
def watched(monkeypatch):
    """Which identities each training learned from, and what a cross-fit embedded with what."""
    learned, embedded = [], []
    fit, embed = Trainer.fit, module.embed_manifest

    def fitted(self):
        learned.append(set(self.data.classes))
        fit(self)

    def embeds(embedder, manifest, *rest, **more):
        found = embed(embedder, manifest, *rest, **more)
        embedded.append((set(embedder.info.classes), set(manifest.identities), found))
        return found

    monkeypatch.setattr(Trainer, "fit", fitted)
    monkeypatch.setattr(module, "embed_manifest", embeds)
    return learned, embedded


def impostors(embeddings):
    count = len(embeddings)
    return torch.tensor(
        [
            float(embeddings.vectors[i] @ embeddings.vectors[j])
            for i in range(count)
            for j in range(i)
            if embeddings.identities[i] != embeddings.identities[j]
        ]
    )


def test_no_pair_is_of_identities_that_the_scoring_model_learned_from(asked, watched):
    learned, embedded = watched
    said = Said()
    run = train(asked(), progress=said)
    everybody, first, second = learned
    assert first.isdisjoint(second)
    assert first | second == everybody
    assert [(knows, shows) for knows, shows, _ in embedded] == [
        (everybody, everybody),  # the kept model's own scale
        *[(first, first), (first, second), (second, second), (second, first)],
    ]
    chosen = promptreid.load(run.path, device="cpu").threshold
    assert (chosen.people, chosen.source) == ("crossed", CROSSED)
    assert (chosen.images, chosen.identities, chosen.far) == (30, 6, 0.1)
    assert chosen.pairs == 2 * 3 * 25  # three pairs of identities in each half
    kept, *parts = [impostors(found) for _, _, found in embedded]
    scores = torch.cat([RankScale(seen, kept)(strange) for seen, strange in (parts[:2], parts[2:])])
    ordered = scores.sort(descending=True).values
    assert ordered[15] < chosen.threshold + 1e-6
    assert chosen.threshold < ordered[14] + 1e-4  # fifteen of a hundred and fifty are accepted
    assert any("cross-fitting: two further trainings" in line for line in said.lines)
    assert any(line.startswith("half 2/2: image 1/1") for line in said.lines)


def test_the_kept_model_is_that_of_all_images(asked, tmp_path):
    crossed = train(asked(), progress=Silent())
    plain = asked("validation.kind=none")
    alone = train(TrainRequest(**{**vars(plain), "out": tmp_path / "alone"}), progress=Silent())
    (first, second) = (promptreid.load(run.path, device="cpu") for run in (crossed, alone))
    for name, tensor in first.model.state_dict().items():
        assert tensor.equal(second.model.state_dict()[name])
    assert second.threshold is None
    rows = [run.path / "metrics.csv" for run in (crossed, alone)]
    assert [len(path.read_text().splitlines()) for path in rows] == [3, 3]
    assert not crossed.cache.exists()


def test_stopped_in_the_second_half_goes_on_there(asked, monkeypatch):
    """The threshold is that of a run which was never stopped, and the first half is not redone."""
    request = asked()
    real, trained = Trainer.fit, []

    def stops(self):
        trained.append(self.run.path.name)
        if trained[-1] == "half-2" and trained.count("half-2") == 1:
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(Trainer, "fit", stops)
    with pytest.raises(Interrupted):
        train(request, progress=Silent())
    assert json.loads((request.out / "status.json").read_text())["status"] == "stopped"
    kept = read_embeddings(request.out / "cache" / "half-1" / "embedded-1.safetensors")
    run = train(TrainRequest(out=request.out, resume=True, device="cpu"), progress=Silent())
    assert trained.count("half-1") == 1
    assert len(kept) == 15
    whole = train(
        TrainRequest(**{**vars(request), "out": request.out.with_name("whole")}), progress=Silent()
    )
    records = [read_info(one.best).verification for one in (run, whole)]
    assert records[0] == records[1]


def test_batches_ask_for_no_more_than_half_of_the_identities(asked, watched):
    """Six identities in a batch are all there are; a half has three."""
    run = train(asked("stages.image.batch={identities: 6, images: 2}"), progress=Silent())
    assert promptreid.load(run.path, device="cpu").threshold is not None
    assert [len(names) for names in watched[0]] == [6, 3, 3]
    batch = run.recipe().stages[1].batch
    assert batch.identities == 6


def test_several_data_sets_are_halved_each(asked, watched, crops, paint, tmp_path):
    other = paint(tmp_path / "other", identities=10, images=3)
    train(asked(data=(f"folder:{crops}", f"folder:{other}")), progress=Silent())
    _, first, second = watched[0]
    assert first.isdisjoint(second)
    of_sets = [sum(name.startswith(f"{one}/") for name in first) for one in ("set", "other")]
    assert of_sets[0] == 3
    assert of_sets[1] in (2, 3)
    assert len(watched[1]) == 2 + 2 * 4


def test_twenty_identities_are_held_out_instead(asked, watched, paint, tmp_path):
    many = paint(tmp_path / "many", identities=40, images=3)
    run = train(asked(data=(f"folder:{many}",)), progress=Silent())
    chosen = promptreid.load(run.path, device="cpu").threshold
    assert (chosen.people, chosen.identities) == ("unseen", 4)
    assert len(watched[0]) == 1
    held = load_data(f"folder:{many}").manifest.training()
    assert len(watched[0][0]) == len(set(held.identities)) - 4 == 16


def test_a_half_that_cannot_learn_fails_nothing(asked, paint, tmp_path):
    """Two identities a half with two images each: eight pairs carry no rate."""
    few = paint(tmp_path / "few", identities=8, images=2)
    said = Said()
    two = "stages.image.batch={identities: 2, images: 2}"
    run = train(asked(two, data=(f"folder:{few}",)), progress=said)
    assert read_info(run.best).verification is None
    (line,) = [line for line in said.lines if "no threshold" in line]
    assert "make 8 pairs of different identities, too few" in line
    assert run.status().status == "complete"
    rows = load_data(f"folder:{few}").manifest.training()
    assert [len(side) for side in halves(rows, 5)] == [4, 4]
    assert np.unique(rows.identities).size == 4
