"""Necks of single domains in a run over two data sets."""

import pytest
import torch

from promptreid.config.recipes import load_recipe
from promptreid.errors import ConfigError
from promptreid.inference.load import load
from promptreid.models.checkpoint import load_model
from promptreid.models.heads.necks import DomainNeck
from promptreid.progress import Silent
from promptreid.synth.people.people import write_people
from promptreid.training.run.train import TrainRequest, train

SMALL = (
    "backbone.name=tiny",
    "backbone.pretrained=none",
    "backbone.image_size=[48, 24]",
    "hardware.precision=fp32",
    "stages.prompts.epochs=1",
    "stages.prompts.batch={size: 8}",
    "stages.image.epochs=1",
    "stages.image.blocks=2",
    "stages.image.batch={identities: 3, images: 2}",
    "stages.image.augment.pad=2",
    "head.necks=domain",
)


@pytest.mark.slow
def test_each_data_set_moves_its_own_necks(tmp_path):
    specs = []
    for number in range(2):
        root = tmp_path / f"site{number}"
        write_people(root, identities=8, cameras=2, seed=number, domain_index=number, size=(48, 24))
        specs.append(f"market1501:{root}")
    out = tmp_path / "run"
    run = train(TrainRequest("mta-clip", SMALL, tuple(specs), out, device="cpu"), progress=Silent())
    model, _ = load_model(run.last)
    neck = model.head.necks["final"]
    assert isinstance(neck, DomainNeck)
    means = [norm.running_mean for norm in neck.norms]
    assert len(means) == 2
    assert all(mean.abs().sum() > 0 for mean in means)
    assert not torch.equal(*means)
    images = sorted((tmp_path / "site0" / "query").glob("*.jpg"))[:2]
    assert load(out).embed(images).shape[0] == 2  # retrieval is before the necks


@pytest.mark.parametrize(
    ("change", "words"),
    [("embedding.neck=after", "domain of a query is not known"), ("head.kind=linear", "no necks")],
)
def test_what_has_no_meaning_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        load_recipe("mta-clip", [*SMALL, change])
