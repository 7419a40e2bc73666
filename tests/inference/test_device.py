"""Names of devices, as people type them."""

import pytest
import torch

from promptreid.errors import ConfigError
from promptreid.inference.device import pick_device


@pytest.mark.parametrize(
    ("name", "meant"),
    [("gpu", "cuda"), ("GPU", "cuda"), ("0", "cuda:0"), ("gpu:1", "cuda"), ("cuda0", "cuda:0"),
     ("metal", "mps")],
)  # fmt: skip
def test_other_words_lead_to_the_device(name, meant):
    with pytest.raises(ConfigError, match=f"no device named '{name}'. Did you mean '{meant}'"):
        pick_device(name)


@pytest.mark.parametrize("name", ["qpu", "cuda:x", ""])
def test_what_is_no_device_is_a_short_sentence(name):
    with pytest.raises(ConfigError, match=r"cannot be used here .*or give cpu") as caught:
        pick_device(name)
    assert len(str(caught.value)) < 250


def test_the_processor_is_always_there():
    assert pick_device("cpu") == torch.device("cpu")
