"""Every benchmark agrees with its plain formulation at small sizes. Times are not looked at."""

import json
import re

import pytest
import torch
from benchmarks.compare import Check, Outcome, Row, Settings
from benchmarks.growth import LIMITS, GrowthRow, growth_lines, measure
from benchmarks.growth_work import Work
from benchmarks.peak import operations, peak_operations
from benchmarks.plain_tower import plain_image, plain_text
from benchmarks.products import LIBRARIES, ProductSize, product_operands, product_sizes
from benchmarks.table import BENCHMARKS, GROWTH, check_names, failure_lines, run_benchmark
from facts import lacking
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import rerank as rerank_bench
from benchmarks import table
from promptreid.cli.bench import bench
from promptreid.cli.main import main
from promptreid.models.towers.backbone import build_backbone
from promptreid.models.towers.product_choice import has_onednn, own_choice
from promptreid.models.towers.products import multiply

pytestmark = pytest.mark.slow

SETTINGS = Settings(quick=True, threads=1, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def products():
    return list(run_benchmark("products", SETTINGS))


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "start"])
def test_both_sides_agree(name, products):
    outcomes = products if name == "products" else list(run_benchmark(name, SETTINGS))
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


def test_operations_are_those_that_torch_counts(tiny):
    # Written out: the counter of older releases does not know the fused attention of processors.
    plain = sdpa_kernel(SDPBackend.MATH)
    with plain, torch.no_grad(), FlopCounterMode(display=False) as counter:
        tiny.image(torch.randn(1, 3, 64, 32))
    assert operations(tiny.image) == counter.get_total_flops()


def test_peak_is_measured_with_the_threads_of_the_settings():
    before = torch.get_num_threads()
    assert peak_operations(SETTINGS, torch.float32) > 0
    assert torch.get_num_threads() == before


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


def outcome(name="embed", ratio=0.5, *, agrees=True, seconds=1.0):
    row = Row(
        name=name,
        ratio=ratio,
        lowest_ratio=ratio / 2,
        highest_ratio=ratio * 1.5,
        plain_seconds=ratio * seconds,
        seconds=seconds,
        max_difference=0.0,
        plain_memory=None,
        memory=None,
        device="a processor",
    )
    return Outcome(row, (Check("x", 0.0 if agrees else 1.0, 0.5),))


def test_rows_that_are_slower_or_differ_are_named():
    rows = [outcome("embed", 0.5), outcome("ranking", 0.9), outcome("rerank", 3, agrees=False)]
    differing, slower = failure_lines(rows, quick=False)
    assert not lacking(differing, "differ", "rerank")
    assert not lacking(slower, "slower", "embed", "0.50x", "0.75x")
    assert "ranking" not in slower  # faster in some round
    assert failure_lines(rows, quick=True) == [differing]
    assert failure_lines(rows[1:2], quick=False) == []


def test_a_slower_row_fails_the_command_after_the_table(monkeypatch, capsys):
    monkeypatch.setattr(table, "run_benchmark", lambda *a: iter([outcome("embed float32", 0.6)]))
    code, out, err = run(capsys, "embed", "--threads", 1, "--device", "cpu")
    assert code == 1
    assert not lacking(err, "slower", "embed float32", "0.60x")
    assert "max difference" in out
    assert run(capsys, "embed", "--quick", "--threads", 1, "--device", "cpu")[0] == 0


@pytest.mark.parametrize("kind", LIBRARIES)
def test_products_say_who_is_chosen_and_how_fast_each_is(kind, products):
    if not has_onednn():
        pytest.skip("needs the instructions of another processor, and oneDNN")
    found = {one.row.name: one for one in products}
    assert set(found) == {f"products {name}" for name in LIBRARIES}
    *sizes, verdict = found[f"products {kind}"].note.splitlines()
    assert len(sizes) == len(product_sizes(SETTINGS))
    for line, size in zip(sizes, product_sizes(SETTINGS), strict=True):
        assert not lacking(line, str(size), *LIBRARIES[kind])
    assert not lacking(verdict, "GFLOP/s", getattr(own_choice(), kind))


@pytest.mark.parametrize("kind", LIBRARIES)
def test_operands_are_those_of_the_gradients(kind):
    size = ProductSize(6, 4, 5)
    x, weight, gradient = (
        torch.randn(shape, generator=torch.Generator().manual_seed(1))
        for shape in ((6, 4), (5, 4), (6, 5))
    )
    inputs = [x.requires_grad_(), weight.requires_grad_()]
    result = torch.nn.functional.linear(*inputs)
    result.backward(gradient)
    expected = {"forward": result, "to_input": x.grad, "to_weight": weight.grad}[kind]
    left, right = product_operands(kind, size)
    assert (left @ right).shape == expected.shape
    assert 2 * left.shape[0] * left.shape[1] * right.shape[1] == size.operations
    for library in LIBRARIES[kind]:
        if library == "torch" or has_onednn():
            torch.testing.assert_close(multiply(left, right, library), left @ right)


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


def test_growth_is_a_table_of_its_own(capsys, tmp_path):
    file = tmp_path / "rows.json"
    options = ("--quick", "--threads", 1, "--device", "cpu", "--json", file)
    code, out, err = run(capsys, "growth", "ranking", *options)
    assert code == 0
    first, *rows = json.loads(file.read_text())
    assert first["name"] == "ranking"
    assert {row["name"] for row in rows} == set(LIMITS)
    for name in LIMITS:
        sizes = [row["size"] for row in rows if row["name"] == name]
        assert sizes == sorted(set(sizes))
        assert LIMITS[name] in out
    for row in rows:
        assert row["seconds"] > 0
        assert row["memory"] is None or row["memory"] >= 0
        assert row["device"].endswith("quick")
        assert f"{row['name']} {row['size']:,}: " in err
    assert next(row for row in rows if row["name"] == "rerank")["share_of_peak"] > 0
    assert next(row for row in rows if row["name"] == "prompt step")["share_of_peak"] is None


def test_growth_is_not_among_all():
    assert GROWTH not in check_names(())
    assert check_names((GROWTH, "ranking")) == ("ranking", GROWTH)


def test_short_work_is_run_again_and_long_work_is_not(monkeypatch):
    def measured(seconds):
        ticks = iter(tick for second in seconds for tick in (0.0, second))
        monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
        calls = []
        work = Work("evaluate", 5, lambda: calls.append(0), products=60.0, held=1 << 40)
        return measure(work, SETTINGS, peak=10.0), len(calls)

    row, calls = measured([0.3])
    assert (calls, row.seconds, row.share_of_peak) == (1, 0.3, pytest.approx(20.0))
    assert row.memory is None or row.memory >= 1 << 40
    row, calls = measured([0.1, 5.0, 1.0, 3.0, 2.0, 4.0])
    assert (calls, row.seconds, row.share_of_peak) == (6, 3.0, pytest.approx(2.0))


def test_the_help_names_every_benchmark():
    told = re.findall(r"[\w-]+", bench.help or "")
    assert not {*BENCHMARKS, GROWTH} - set(told)


def test_tables_of_growth_say_what_limits_what_was_measured():
    rows = [
        GrowthRow("evaluate", 1000, 0.012, 5 << 20, 0.5, "a processor"),
        GrowthRow("evaluate", 1_000_000, 7.0, None, None, "a processor"),
    ]
    header, small, large, empty, limit = growth_lines(rows)
    assert header.split()[:4] == ["name", "size", "seconds", "memory"]
    assert small.split() == ["evaluate", "1,000", "12", "ms", "5", "MiB", "50", "%"]
    assert large.split() == ["evaluate", "1,000,000", "7.00", "s"]
    assert (empty, limit) == ("", f"evaluate: {LIMITS['evaluate']}.")


def test_unknown_names_are_a_sentence(capsys):
    code, _, err = run(capsys, "rankin")
    assert code == 2
    assert "Did you mean 'ranking'" in err


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["bench", *map(str, arguments)])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err
