"""What can be scored side by side."""

import pytest
from facts import lacking

from promptreid.actions.evaluate_models import evaluate
from promptreid.errors import ConfigError
from promptreid.inference.embedder import Embedder


def test_two_loaded_models_of_one_file_are_not_taken_for_each_other(tmp_path):
    """Such as one file in 32 and in 16 bits, whose scores would bear one name."""
    models = [object.__new__(Embedder), object.__new__(Embedder)]
    for model in models:
        model.source = tmp_path / "model.safetensors"
        model.source.touch()
    for given in (models, [models[0], models[0].source]):
        with pytest.raises(ConfigError) as caught:
            evaluate(*given, data="folder:photos")
        assert not lacking(str(caught.value), "model.safetensors", "one after the other")
