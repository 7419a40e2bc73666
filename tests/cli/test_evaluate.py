"""Options of `promptreid evaluate`, on a backbone with random weights."""

import json

import pytest
from published_files import save_published
from small_models import VIT, small_backbone
from small_prompts import identity_prompt

from promptreid.cli.main import main
from promptreid.models.reid import ReIDModel
from promptreid.models.sie import SideInformation


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def make(crops, out, *overrides):
    table = out.parent / f"{out.name}.csv"
    rows = ["path,identity,split,side"]
    for folder in sorted(crops.iterdir()):
        for number, image in enumerate(sorted(folder.iterdir())):
            split = "query" if number == 0 else "gallery"
            rows.append(f"{image},{folder.name},{split},{'left' if number % 2 else 'right'}")
    table.write_text("\n".join(rows))
    arguments = ["train", "zero-shot", "backbone.name=tiny", "backbone.image_size=32", *overrides]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--data", f"csv:{table}", "--out", str(out), "--device", "cpu"])
    assert caught.value.code == 0
    return out


@pytest.fixture(scope="module")
def plain(crops, tmp_path_factory):
    return make(crops, tmp_path_factory.mktemp("runs") / "plain")


@pytest.fixture(scope="module")
def tricks(crops, tmp_path_factory):
    evaluation = "evaluation={flip: true, query_expansion: 3, expansion_power: 2, rerank: true}"
    attributes = "zero_shot.attributes={side: ['a {side} hand', 'the {side} side']}"
    return make(crops, tmp_path_factory.mktemp("runs") / "tricks", evaluation, attributes)


def scored(capsys, run_folder, *options):
    file = run_folder.parent / "scores-again.json"
    code, out, err = run(capsys, "evaluate", run_folder, *options, "--json", file)
    assert code == 0, err
    return json.loads(file.read_text()), out


def test_nothing_is_applied_unless_asked_for(capsys, plain):
    found, out = scored(capsys, plain)
    assert (found["flip"], found["query_expansion"], found["rerank"]) == (False, None, None)
    for words in ("mirror", "averaged", "Re-ranked"):
        assert words not in out


@pytest.mark.slow
def test_matrices_in_16_bits_move_no_score_and_are_said(capsys, plain):
    before, out = scored(capsys, plain)
    assert before["precision"] == "fp32"
    assert "bf16" not in out
    found, out = scored(capsys, plain, "--precision", "bf16", "--flip")
    exact, _ = scored(capsys, plain, "--flip")
    assert found["precision"] == "bf16"
    assert "computed with bf16 matrices" in out
    assert found["mAP"] == pytest.approx(exact["mAP"], abs=0.02)  # few, small images


def test_options_are_applied_and_said(capsys, plain):
    before, _ = scored(capsys, plain)
    found, out = scored(capsys, plain, "--flip", "--query-expansion", "40", "--rerank")
    assert found["flip"] is True
    assert found["query_expansion"] == {"neighbours": 40, "power": 3.0}
    assert found["rerank"]["k1"] == 20
    assert "mirror image" in out
    assert "(40 neighbours, power 3)" in " ".join(out.split())
    assert "Re-ranked" in out
    assert found["mAP"] != before["mAP"]


@pytest.mark.slow
def test_recipe_gives_the_defaults_and_the_command_line_wins(capsys, tricks):
    found, out = scored(capsys, tricks)
    assert found["flip"] is True
    assert found["query_expansion"] == {"neighbours": 3, "power": 2.0}
    assert "Re-ranked" in out
    options = ["--no-flip", "--query-expansion", "0", "--no-rerank"]
    found, _ = scored(capsys, tricks, *options)
    assert (found["flip"], found["query_expansion"], found["rerank"]) == (False, None, None)
    found, _ = scored(capsys, tricks, "--expansion-power", "1")
    assert found["query_expansion"] == {"neighbours": 3, "power": 1.0}


def test_evaluating_again_gives_the_run_its_own_scores(capsys, tricks):
    own = json.loads((tricks / "scores.json").read_text())
    found, _ = scored(capsys, tricks)
    assert found["mAP"] == pytest.approx(own["mAP"], abs=1e-9)
    assert found["rerank"] == own["rerank"]
    assert found["query_expansion"] == own["query_expansion"]


def test_attributes(capsys, tricks):
    found, out = scored(capsys, tricks, "--attributes")
    side = found["attributes"]["side"]
    assert side["values"] == ["left", "right"]
    assert sum(side["counts"]) == 60
    assert "Attributes read by sentences alone" in out
    (line,) = [line for line in out.splitlines() if line.startswith("side")]
    assert line.split()[1:5] == [
        "60", f"{100 * side['accuracy']:.2f}", f"{100 * side['balanced_accuracy']:.2f}", "50.00",
    ]  # fmt: skip
    assert "attributes" not in scored(capsys, tricks)[0]


def test_mistakes(capsys, plain):
    code, _, err = run(capsys, "evaluate", plain, "--expansion-power", "2")
    assert (code, "needs --query-expansion" in err) == (2, True)
    code, _, err = run(capsys, "evaluate", plain, "--attributes")
    assert (code, "zero_shot.attributes" in err) == (2, True)
    code, _, err = run(capsys, "evaluate", plain, "--query-expansion", "-1")
    assert code == 2


@pytest.mark.slow
def test_several_runs_and_data_sets_give_a_matrix(capsys, crops, plain, tricks, tmp_path):
    runs, datasets = [plain, tricks], [f"folder:{crops}?train=0", f"folder:{crops}?train=0.5"]
    file = tmp_path / "matrix.json"
    named = [word for spec in datasets for word in ("--data", spec)]
    code, out, err = run(capsys, "evaluate", *runs, *named, "--json", file, "--device", "cpu")
    assert code == 0, err
    content = json.loads(file.read_text())
    pairs = [(result["model"], result["data"]) for result in content["results"]]
    assert pairs == [(str(model), spec) for model in runs for spec in datasets]
    matrix = content["matrix"]
    assert matrix["models"] == [str(model) for model in runs]
    assert matrix["data"] == ["set?train=0", "set?train=0.5"]
    assert matrix["trained_on"] == [[], []]
    alone, _ = scored(capsys, tricks, "--data", datasets[1])
    assert matrix["mAP"][1][1] == pytest.approx(alone["mAP"], abs=1e-9)
    assert matrix["rank1"][1][1] == pytest.approx(alone["cmc"]["1"], abs=1e-9)
    lines = out.splitlines()
    (header,) = [n for n, line in enumerate(lines) if line.startswith("mAP / Rank-1")]
    assert lines[header + 2].split()[:2] == ["plain", "nothing"]
    assert f"{100 * alone['mAP']:.1f} / {100 * alone['cmc']['1']:.1f}" in lines[header + 3]
    assert sum("Re-ranked" in line for line in lines) == 2  # said of the run that does, per set


@pytest.mark.slow
def test_runs_are_scored_on_all_their_data_by_default(capsys, plain, tricks):
    found, out = scored(capsys, plain, tricks)
    assert len(found["results"]) == 4
    assert "\nmAP / Rank-1, percent:" in out


def test_one_run_on_two_data_sets_shows_both_whole(capsys, crops, plain):
    datasets = ["--data", f"folder:{crops}?train=0", "--data", f"folder:{crops}?train=0.5"]
    found, out = scored(capsys, plain, *datasets)
    assert len(found["results"]) == 2
    assert out.count("Protocol ") == 2
    assert "mAP / Rank-1, percent:" in out


def test_one_of_several_runs_is_missing(capsys, plain, tmp_path):
    code, _, err = run(capsys, "evaluate", plain, tmp_path / "none")
    assert (code, f"no run or checkpoint {tmp_path / 'none'}" in err) == (2, True)


def test_data_that_cannot_be_scored_are_asked_for(capsys, crops, tmp_path):
    with pytest.raises(SystemExit):
        main([
            "train", "zero-shot", "backbone.name=tiny", "backbone.image_size=32", "--device", "cpu",
            "--data", f"folder:{crops}?use=all", "--out", str(tmp_path / "all"),
        ])  # fmt: skip
    code, _, err = run(capsys, "evaluate", tmp_path / "all")
    assert (code, "have nothing to test on" in err) == (2, True)


def test_nothing_beyond_ranking_unless_asked_for(capsys, plain):
    found, out = scored(capsys, plain)
    assert not {"verification", "identification", "intervals", "breakdowns"} & set(found)
    assert "EER" not in out


def test_verification_intervals_and_breakdowns(capsys, plain):
    options = ["--verification", "--intervals", "--by", "side", "--by", "domain"]
    found, out = scored(capsys, plain, *options)
    ranked, _ = scored(capsys, plain)
    assert found["mAP"] == ranked["mAP"]
    # Twelve queries against four gallery images of each of twelve identities.
    (repeat,) = found["verification"]["per_repeat"]
    assert (repeat["genuine"], repeat["impostors"]) == (48, 528)
    assert found["verification"]["tar"][0]["tar"] > 0
    assert "FAR 0.001, 0.0001, 1e-05, 1e-06 cannot be measured: that is less than one of 528" in out
    assert "FAR 0.01 rests on fewer than 30" in out
    assert found["identification"]["per_repeat"][0]["searches"] == 12
    assert "Open-set identification, TPIR at rank 1" in out
    interval = found["intervals"]["scores"]["mAP"]
    assert interval["low"] <= interval["value"] == found["mAP"] <= interval["high"]
    assert "95 % intervals: 1,000 draws of 12 identities" in out
    side, domain = found["breakdowns"]
    assert [group["name"] for group in side["groups"]] == ["right"]
    assert side["groups"][0]["scores"]["mAP"]["value"] == pytest.approx(found["mAP"])
    assert domain["groups"][0]["queries"] == 12
    assert "Fewer than two groups are large enough to compare." in out


def test_pairs_of_values_are_told_apart(capsys, plain):
    found, out = scored(capsys, plain, "--by", "side-pair")
    (pairs,) = found["breakdowns"]
    assert [group["name"] for group in pairs["groups"]] == ["right > left", "right > right"]
    assert "verification" not in found
    assert "Largest gap in mAP:" in out


def test_queries_are_joined(capsys, plain):
    found, out = scored(capsys, plain, "--multi-query", "identity", "--verification")
    assert found["multi_query"] == found["verification"]["multi_query"] == "identity"
    assert "mean of all query images of one identity" in out
    code, _, err = run(capsys, "evaluate", plain, "--multi-query", "identity", "--by", "side")
    assert code == 2
    assert "--by groups single queries" in err


def test_unknown_attributes_are_told(capsys, plain):
    code, _, err = run(capsys, "evaluate", plain, "--by", "sid")
    assert code == 2
    assert "Did you mean 'side'" in err


@pytest.mark.slow
def test_paired_differences_to_the_first_run(capsys, crops, plain, tricks):
    data = ["--data", f"folder:{crops}?train=0"]
    found, out = scored(capsys, plain, tricks, *data, "--paired", "--verification")
    (record,) = found["paired"]
    assert (record["model"], record["baseline"]) == (str(tricks), str(plain))
    assert record["data"] == data[1]
    first, second = found["results"]
    difference = record["differences"]["mAP"]
    assert difference["value"] == pytest.approx(second["mAP"] - first["mAP"])
    assert difference["low"] <= difference["value"] <= difference["high"]
    eer = [result["verification"]["eer"] for result in found["results"]]
    assert record["differences"]["EER"]["value"] == pytest.approx(eer[1] - eer[0])
    assert f"{tricks} minus {plain}" in out
    (line,) = [line for line in out.splitlines() if line.startswith("mINP ")]
    assert line.split()[1] == f"{100 * record['differences']['mINP']['value']:+.2f}"


@pytest.mark.slow
def test_ranking_alone_is_paired_without_verification(capsys, crops, plain, tricks):
    data = ["--data", f"folder:{crops}?train=0", "--data", f"folder:{crops}?train=0.5"]
    found, _ = scored(capsys, plain, tricks, *data, "--paired")
    assert [record["data"] for record in found["paired"]] == data[1::2]
    assert "EER" not in found["paired"][0]["differences"]


def test_one_run_has_nothing_to_be_paired_with(capsys, plain):
    code, _, err = run(capsys, "evaluate", plain, "--paired")
    assert (code, "two runs or more" in err) == (2, True)


def test_views_of_a_published_table_are_given(capsys, tmp_path):
    backbone = small_backbone(VIT)
    backbone.image.fit((256, 128), None)
    sie = SideInformation(cameras=3, views=2, width=backbone.image.widths[1])
    model = ReIDModel(backbone, prompt=identity_prompt(backbone, 7), sie=sie)
    file = save_published(tmp_path / "veri.pth", model)
    code, _, err = run(capsys, "evaluate", file, "--views", 4, "--data", f"veri776:{tmp_path}")
    assert (code, "6 rows, which 4 views do not divide" in " ".join(err.split())) == (2, True)
    _, _, err = run(capsys, "evaluate", file, "--views", 2, "--data", f"veri776:{tmp_path}")
    assert "image_train" in err  # the model is read; the data are not there
