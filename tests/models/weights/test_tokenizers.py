import json
import sys

import pytest
import torch
from small_models import small_architecture
from small_tokenizer import write_tokenizer

from promptreid.errors import ConfigError, ModelError
from promptreid.models.weights.architecture import find_architecture
from promptreid.models.weights.tokenizer_json import JsonTokenizer
from promptreid.models.weights.tokenizers import (
    describe_tokenizer,
    find_tokenizer,
    restore_tokenizer,
    tokenize,
)

SIGLIP = {
    "context_length": 8,
    "hf_tokenizer_name": "x",
    "tokenizer_kwargs": {"clean": "canonicalize"},
}


def test_clip_and_tiny_have_theirs():
    clip = find_tokenizer(find_architecture("ViT-B-16"))
    assert clip.context_length == 77
    assert tokenize(clip, ["a hand"])[0, :4].tolist() == [49406, 320, 2463, 49407]
    tiny = find_tokenizer(find_architecture("tiny"))
    assert tokenize(tiny, ["a hand"]).shape == (1, tiny.context_length)
    assert describe_tokenizer(clip) is None


def test_sentences_that_would_be_cut_are_refused():
    clip = find_tokenizer(find_architecture("ViT-B-16"))
    assert tokenize(clip, ["a " * 75])[0, 76] == 49407
    with pytest.raises(ConfigError, match="takes 78 tokens; this text tower has room for 77"):
        tokenize(clip, ["fine", "a " * 76])


def test_an_absent_tokenizer_says_what_to_give():
    tokenizer = find_tokenizer(find_architecture("ViT-B-16-SigLIP"))
    assert tokenizer.context_length == 64
    for use in (lambda: tokenize(tokenizer, ["a hand"]), lambda: tokenizer(["a hand"])):
        with pytest.raises(ModelError, match=r"folder with its tokenizer\.json"):
            use()


def test_files_that_are_not_there_are_refused(tmp_path):
    architecture = small_architecture(text=SIGLIP)
    with pytest.raises(ModelError, match="no tokenizer at"):
        find_tokenizer(architecture, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="not a readable tokenizer"):
        find_tokenizer(architecture, tmp_path)


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ModelError, match="pip install tokenizers"):
        JsonTokenizer("{}", context_length=8, clean="lower", pad=0, strip_separator=False)


class TestJson:
    @pytest.fixture
    def tokenizer(self, tmp_path):
        pytest.importorskip("tokenizers")
        return find_tokenizer(small_architecture(text=SIGLIP), write_tokenizer(tmp_path))

    def test_ends_and_pads_as_siglip_does(self, tokenizer):
        rows = tokenizer(["A photo, of a hand!", "a " * 20])
        assert rows.dtype == torch.long
        assert rows.tolist() == [[2, 3, 4, 2, 6, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 1]]
        assert tokenizer.encode("left hand") == [9, 6]
        assert tokenizer.special_tokens == 1

    def test_knows_when_a_sentence_is_too_long(self, tokenizer):
        assert tokenize(tokenizer, ["a " * 7]).shape == (1, 8)
        with pytest.raises(ConfigError, match="takes 9 tokens"):
            tokenize(tokenizer, ["a " * 8])

    def test_travels_as_text(self, tokenizer):
        description = json.loads(json.dumps(describe_tokenizer(tokenizer)))
        other = restore_tokenizer(small_architecture(), description, tokenizer.content)
        assert torch.equal(other(["a left hand"]), tokenizer(["a left hand"]))

    def test_padding_without_a_configuration_comes_from_the_file(self, tokenizer, tmp_path):
        (tmp_path / "tokenizer_config.json").unlink()
        other = find_tokenizer(small_architecture(text=SIGLIP), tmp_path / "tokenizer.json")
        assert other(["hand"]).tolist() == [[6, 1, 0, 0, 0, 0, 0, 0]]

    def test_separators_can_be_zeroed(self, tokenizer):
        content = tokenizer.content.replace("</s>", "[SEP]")
        bert = JsonTokenizer(content, context_length=4, clean="lower", pad=5, strip_separator=True)
        assert bert(["hand"]).tolist() == [[6, 0, 5, 5]]

    def test_another_format_is_refused(self, tmp_path):
        pytest.importorskip("tokenizers")
        (tmp_path / "tokenizer.json").write_text('{"version": "1.0"}')
        with pytest.raises(ModelError, match="cannot be read"):
            find_tokenizer(small_architecture(text=SIGLIP), tmp_path)
