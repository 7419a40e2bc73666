"""What the domain tokens of a finished run say, as it stands with its scores."""

import json

import pytest
import torch
from torch.nn import functional as F

from promptreid.data.images.image_store import ImageStore
from promptreid.data.load_data import load_data
from promptreid.inference.load import load
from promptreid.progress import Silent
from promptreid.synth.people.people import write_people
from promptreid.training.run import domain_control
from promptreid.training.run.train import TrainRequest, train

pytestmark = pytest.mark.slow

SMALL = (
    "backbone.name=tiny",
    "backbone.image_size=[48, 24]",
    "hardware.precision=fp32",
    "stages.prompts.epochs=1",
    "stages.prompts.batch={size: 8}",
    "stages.image.epochs=1",
    "stages.image.blocks=2",
    "stages.image.batch={identities: 3, images: 2}",
    "stages.image.augment.pad=2",
    "validation.kind=none",
)


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    root = tmp_path_factory.mktemp("sites")
    for number in range(2):
        write_people(
            root / f"site{number}",
            identities=8,
            cameras=2,
            seed=number,
            domain_index=number,
            size=(48, 24),
        )
    return tuple(f"market1501:{root / f'site{number}'}" for number in range(2))


@pytest.fixture(scope="module")
def both(specs, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "both"
    train(TrainRequest("mta-clip", SMALL, specs, out, device="cpu"), progress=Silent())
    return out


def test_training_images_meet_the_texts_of_their_domain(both, specs):
    records = json.loads((both / "scores.json").read_text())["domain_texts"]
    assert len(records) == 2
    embedder = load(both, device="cpu")
    model, prompt = embedder.model, embedder.model.prompt
    texts = {"own": prompt.bank()[0], "swapped": prompt.swapped(1)[0], "neutral": prompt.neutral()}
    start = 0
    for record, spec in zip(records, specs, strict=True):
        rows = load_data(spec).manifest.training()
        names = sorted(set(rows.identities), key=int)
        with torch.no_grad():
            images = torch.empty(len(rows), model.backbone.image.widths[2])
            size = embedder.preprocess.image_size
            store = ImageStore(
                rows.images(), size, embedder.preprocess.test_interpolation, cache=False
            )
            for numbers, pixels in embedder.batches(store, title="", progress=Silent()):
                images[numbers] = model.features(pixels).projected
        labels = torch.tensor([names.index(name) for name in rows.identities])
        assert (record["images"], record["identities"]) == (len(rows), len(names))
        for kind, bank in texts.items():
            own = F.normalize(bank[start : start + len(names)], dim=1)
            share = ((images @ own.T).argmax(1) == labels).double().mean()
            assert record[kind] == pytest.approx(float(share)), kind
        start += len(names)
    assert "to their text than another domain's" in (both / "log.txt").read_text()


def test_only_as_many_images_as_are_asked_for(both, specs, monkeypatch, tmp_path):
    monkeypatch.setattr(domain_control, "IMAGES", 5)
    request = TrainRequest("mta-clip", SMALL, specs, tmp_path / "few", device="cpu")
    run = train(request, progress=Silent())
    records = json.loads((run.path / "scores.json").read_text())["domain_texts"]
    assert [record["images"] for record in records] == [5, 5]


@pytest.mark.parametrize("change", ["prompt.domain_tokens=0", "prompt.shared_tokens=2"])
def test_without_tokens_of_several_domains_nothing_is_swapped(specs, tmp_path, change):
    data = specs if change == "prompt.domain_tokens=0" else specs[:1]
    request = TrainRequest("mta-clip", (*SMALL, change), data, tmp_path / "run", device="cpu")
    run = train(request, progress=Silent())
    assert "domain_texts" not in json.loads((run.path / "scores.json").read_text())
