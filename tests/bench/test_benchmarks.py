"""Every benchmark agrees with its plain formulation at small sizes. Times are not looked at."""

import json

import pytest
import torch

from promptreid.bench import rerank as rerank_bench
from promptreid.bench.compare import Settings
from promptreid.bench.plain_tower import plain_image, plain_text
from promptreid.bench.table import BENCHMARKS, run_benchmark
from promptreid.cli.main import main
from promptreid.models.backbone import build_backbone

SETTINGS = Settings(quick=True, threads=1, device=torch.device("cpu"))


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "start"])
def test_both_sides_agree(name):
    outcomes = list(run_benchmark(name, SETTINGS))
    assert outcomes
    for outcome in outcomes:
        assert outcome.row.name.startswith(name)
        assert outcome.agrees, [str(check) for check in outcome.checks]
        assert outcome.row.ratio > 0
        assert "quick" in outcome.row.device
    assert len({outcome.row.name for outcome in outcomes}) == len(outcomes)


@pytest.fixture(scope="module")
def tiny():
    return build_backbone("tiny", pretrained="none", image_size=(64, 32))


def test_plain_towers_are_those_of_the_library(tiny):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 3, 64, 32, generator=generator)
    tokens = tiny.tokenizer(["a hand", "a much longer sentence"])
    ends = tiny.text.read_position(tokens).tolist()
    with torch.no_grad():
        plain, found = plain_image(tiny.image, images), tiny.image(images)
        words = tiny.text.embed_tokens(tokens)
        texts = [plain_text(tiny.text, words[[row]], end)[0] for row, end in enumerate(ends)]
        expected = tiny.text.encode_tokens(tokens)
    for name in ("penultimate", "final", "projected"):
        torch.testing.assert_close(found[name], plain[name], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.stack(texts), expected, rtol=1e-5, atol=1e-5)


def test_a_difference_fails_the_command_after_the_table(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(rerank_bench, "_LAMBDA", 0.3)
    honest = rerank_bench.rerank_distances
    monkeypatch.setattr(rerank_bench, "rerank_distances", lambda *a, **k: honest(*a, **k) + 1e-3)
    code, out, err = run(capsys, "rerank", "--quick", "--json", tmp_path / "rows.json")
    assert code == 1
    assert "results differ" in err
    assert "rerank" in err
    assert "max difference" in out
    assert json.loads((tmp_path / "rows.json").read_text())[0]["max_difference"] > 9e-4


def test_command_writes_rows(capsys, tmp_path):
    file = tmp_path / "rows.json"
    names = ("ranking", "decode")
    code, out, _ = run(capsys, *names, "--quick", "--threads", 1, "--device", "cpu", "--json", file)
    assert code == 0
    rows = json.loads(file.read_text())
    assert [row["name"] for row in rows] == ["decode crops", "decode photographs", "ranking"]
    for row in rows:
        assert {"ratio", "plain_seconds", "seconds", "max_difference"} < set(row)
        assert row["name"] in out


def test_unknown_names_are_a_sentence(capsys):
    code, _, err = run(capsys, "rankin")
    assert code == 2
    assert "Did you mean 'ranking'" in err


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["bench", *map(str, arguments)])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err
