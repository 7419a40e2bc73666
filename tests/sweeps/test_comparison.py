from __future__ import annotations

import csv
import io
import json
import statistics

import pytest

from promptreid.errors import ConfigError, EvaluationError, RunError
from promptreid.evaluation.metrics import METRICS, metric_by_key
from promptreid.files import write_json
from promptreid.sweeps import compare_runs, find_runs, read_runs
from promptreid.sweeps.comparison_table import comparison_text
from promptreid.sweeps.export import csv_text, json_text, markdown, write_comparison
from promptreid.sweeps.run_results import SWEEP
from promptreid.sweeps.scoring_differences import shorten_specs

from .conftest import SPEC, result

LR = "stages.image.optimizer.lr"


def compare(*paths, **options):
    return compare_runs(read_runs(find_runs(paths)), **options)


def row_named(comparison, name):
    (row,) = [row for row in comparison.rows if row.name == name]
    return row


def test_runs_that_differ_by_seed_are_one_row(make_run):
    scores = {0: 0.4, 1: 0.6, 5: 0.62}
    paths = [make_run(f"a_seed{s}", seed=s, results=[result(m)]) for s, m in scores.items()]
    paths.append(make_run("b-seed0", overrides=[f"{LR}=0.5"], results=[result(0.3)]))
    found = compare(*paths)
    assert [row.name for row in found.rows] == ["a", "b"]
    row = row_named(found, "a")
    cell = row.scores["mAP"]
    assert row.seeds == (0, 1, 5)
    assert cell.values == tuple(scores.values())
    assert cell.mean == pytest.approx(statistics.fmean(scores.values()))
    assert cell.std == pytest.approx(statistics.stdev(scores.values()))
    assert cell.std_over == "seeds"
    assert row_named(found, "b").scores["mAP"].std is None
    assert found.keys == (LR,)
    assert found.warnings == ()


def test_a_run_alone_has_the_deviation_over_its_draws(make_run):
    found = compare(make_run("a", results=[result(0.4, repeats=10, std=0.02)]))
    cell = found.rows[0].scores["rank1"]
    assert (cell.mean, cell.std, cell.std_over) == (0.4, 0.02, "draws")
    assert "over the protocol's draws" in comparison_text(found)


def test_seeds_apart(make_run):
    paths = [make_run(f"a_seed{s}", seed=s, results=[result(0.5)]) for s in (0, 1)]
    found = compare(*paths, seeds_together=False)
    assert [row.name for row in found.rows] == ["a_seed0", "a_seed1"]
    assert found.keys == ("seed",)


def test_the_same_run_twice_counts_once(make_run):
    first = make_run("a_seed0", results=[result(0.5)])
    copy = make_run("copy", results=[result(0.9)])
    found = compare(first, first, copy)
    assert found.rows[0].scores["mAP"].values == (0.5,)
    assert len(found.left_out) == 1
    assert "repeats" in found.left_out[0]


def test_a_start_from_a_run_of_the_same_seed_is_the_same_setting(make_run):
    for seed in (0, 12):
        start = [f"start.checkpoint=/runs/first_seed{seed}"]
        make_run(f"a_seed{seed}", seed=seed, overrides=start, results=[result(0.5)])
    path = make_run("b_seed0", overrides=["start.checkpoint=/else"], results=[result(0.5)]).parent
    found = compare(path)
    assert row_named(found, "a").seeds == (0, 12)
    assert row_named(found, "a").settings["start.checkpoint"] == "/runs/first_seed*"
    assert found.keys == ("start.checkpoint",)


def test_folders_are_read_in_the_order_of_their_sweep_else_by_number(make_run):
    for name in ("v10", "v2", "v1"):
        folder = make_run(name, overrides=[f"{LR}={name[1:]}"], results=[result()]).parent
    (folder / "notes").mkdir()
    assert [path.name for path in find_runs([folder])] == ["v1", "v2", "v10"]
    write_json(folder / SWEEP, {"runs": {"v10": {}, "v1": {}}})
    assert [path.name for path in find_runs([folder, folder / "v2"])] == ["v10", "v1", "v2"]
    (folder / "v2").rename(folder / "v2²")  # a digit that is no number
    assert [path.name for path in find_runs([folder])] == ["v10", "v1", "v2²"]


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(RunError, match=r"holds none \(it holds photo.jpg\)"):
        find_runs([tmp_path])
    with pytest.raises(RunError, match="no run folder"):
        find_runs([tmp_path / "absent"])
    with pytest.raises(RunError, match="it is a file"):
        find_runs([tmp_path / "photo.jpg"])


def test_unfinished_and_damaged_runs_are_listed(make_run):
    folder = make_run("good", results=[result()]).parent
    make_run("stopped", status="stopped", results=[result(0.99)])
    make_run("broken", status="training")
    make_run("unscored")
    (make_run("damaged") / "recipe.yaml").write_text("stages: 3")
    write_json(folder / SWEEP, {"runs": {"broken": {"status": "failed", "error": "No room."}}})
    found = compare(folder)
    assert [row.name for row in found.rows] == ["good"]
    told = "\n".join(found.left_out)
    assert "stopped is not finished: stopped (in stage image, epoch 3, batch 1)" in told
    assert "broken failed: No room." in told
    assert "unscored has no scores" in told
    assert "damaged cannot be read: " in told
    assert comparison_text(found).count("Left out:") == 4
    with pytest.raises(RunError, match="nothing to compare: no run has scores"):
        compare(folder / "stopped", folder / "broken")


def test_several_data_sets_have_a_row_each(make_run):
    data = (("market1501:/data/m", "m"), ("msmt17:/data/s", "s"))
    for name, mean in (("a", 0.5), ("b", 0.7)):
        results = [result(mean, data=data[0][0]), result(mean / 2, data=data[1][0], queries=30)]
        folder = make_run(name, results=results, data=data, overrides=[f"{LR}={mean}"]).parent
    found = compare(folder, sort="mAP")
    assert [(row.data, row.name) for row in found.rows] == [
        ("market1501:/data/m", "b"), ("market1501:/data/m", "a"),
        ("msmt17:/data/s", "b"), ("msmt17:/data/s", "a"),
    ]  # fmt: skip
    assert found.warnings == ()
    assert [found.is_best(row, "mAP") for row in found.rows] == [True, False, True, False]
    text = comparison_text(found)
    assert "market1501: protocol toy, 20 queries" in text
    assert "msmt17: protocol toy, 30 queries" in text


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"flip": True}, "differ in flip averaging: none in a; on in b."),
        ({"rerank": {"k1": 20}}, "differ in re-ranking: none in a; k1 20 in b."),
        ({"protocol": "new"}, "differ in protocol: toy in a; new in b."),
        ({"queries": 7}, "differ in queries: 20 in a; 7 in b."),
        ({"same_camera": "exclude"}, "differ in same-camera rule"),
        ({"repeats": 10}, "differ in draws: 1 in a; 10 in b."),
    ],
)
def test_scores_of_other_rules_are_pointed_out(make_run, other, words):
    one = make_run("a", results=[result(0.5)])
    two = make_run("b", seed=1, results=[result(0.6, **other)])
    found = compare(one, two)
    assert len(found.rows) == 2, "another rule is another row, though only the seed differs"
    assert any(words in warning for warning in found.warnings)
    assert not any(found.is_best(row, "mAP") for row in found.rows)
    assert "Beware: Scores on folder" in comparison_text(found)


def test_other_data_is_pointed_out(make_run):
    one = make_run("a", results=[result(0.5)])
    changed = make_run("b", seed=1, results=[result(0.6)], data=((SPEC, "f2"),))
    found = compare(one, changed)
    assert len(found.rows) == 2
    assert "trained on different data" in found.warnings[0]
    assert "differ in fingerprint of the data" in found.warnings[1]
    spec = "folder:/data/others"
    elsewhere = make_run("c", results=[result(0.6, data=spec)], data=((spec, "f3"),))
    found = compare(one, elsewhere)
    assert found.warnings == (
        "The runs were scored on different data; only rows of the same data compare.",
    )
    assert found.keys == ("data",)
    assert set(found.data.values()) == {"folder:crops", "folder:others"}


def test_seen_and_unseen_data_are_told_apart(make_run):
    """Each of two data sets left out, with a baseline that trained nothing."""
    sets = [("folder:/data/a", "a"), ("folder:/data/b", "b")]
    for name, trained, means in (("first", 0, (0.9, 0.4)), ("second", 1, (0.5, 0.8))):
        results = [result(mean, data=spec) for mean, (spec, _) in zip(means, sets, strict=True)]
        make_run(name, results=results, data=sets[trained:][:1], test=sets[1 - trained :][:1])
    results = [result(mean, data=spec) for mean, (spec, _) in zip((0.3, 0.3), sets, strict=True)]
    folder = make_run("zero", recipe="zero-shot", results=results, data=sets[:1], test=sets[1:])
    found = compare(folder.parent)
    assert found.mixed
    seen = {(row.name, found.data[row.data]): row.seen for row in found.rows}
    assert seen == {
        ("first", "folder:a"): True, ("first", "folder:b"): False,
        ("second", "folder:a"): False, ("second", "folder:b"): True,
        ("zero", "folder:a"): None, ("zero", "folder:b"): None,
    }  # fmt: skip
    best = {key for key, row in zip(seen, found.rows, strict=True) if found.is_best(row, "mAP")}
    assert best == {(name, data) for name, data in seen if name != "zero"}, "each of its own kind"
    text = comparison_text(found, width=200)
    assert text.splitlines()[0].split()[:3] == ["run", "data", "seen"]
    assert "trained on" in text.splitlines()[0]
    assert "seen: whether" in text
    lines = markdown(found).splitlines()
    assert lines[0].startswith("| run | seeds | data | seen | ")
    assert len({line.count("|") for line in lines[:8]}) == 1
    rows = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert [row["seen"] for row in rows] == ["true", "false", "", "false", "true", ""]
    assert [row["seen"] for row in json.loads(json_text(found))["rows"]][:3] == [True, False, None]


def test_where_all_data_were_seen_nothing_is_said_of_it(study):
    assert not study.mixed
    assert "seen" not in comparison_text(study)
    assert "seen" not in markdown(study)


def test_rows_of_one_name_are_told_apart_by_their_folder(make_run):
    one = make_run("a_seed0", folder="x", results=[result(0.5)])
    two = make_run("a_seed0", folder="y", overrides=[f"{LR}=1"], results=[result(0.6)])
    assert [row.name for row in compare(one, two).rows] == ["x/a", "y/a"]


def test_every_metric_is_read(make_run):
    path = make_run("a", results=[result(0.5, repeats=2, std=0.1)])
    keys = [metric.key for metric in METRICS.values()]
    cells = compare(path, metrics=keys).rows[0].scores
    assert {key: (cell.mean, cell.std) for key, cell in cells.items()} == {
        key: (0.25 if key == "mINP" else 0.5, 0.1) for key in keys
    }
    one = result(0.5)
    one["cmc"]["10"] = 0.9
    assert metric_by_key("rank10").read(one) == 0.9


def test_an_unknown_metric_is_named_with_the_known_ones(make_run):
    with pytest.raises(EvaluationError, match="rank7") as error:
        compare(make_run("a", results=[result(0.5)]), metrics=["rank7"])
    assert "mINP" in str(error.value)


def test_scores_that_lack_a_metric_name_the_run(make_run):
    lacking = result(0.5)
    del lacking["cmc"]["10"]
    path = make_run("a", results=[lacking])
    assert compare(path, metrics=["rank5"]).rows[0].scores["rank5"].mean == 0.5
    with pytest.raises(RunError, match="rank10") as error:
        compare(path, metrics=["rank10"])
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("specs", "names"),
    [
        (["market1501:/x", "msmt17:/x"], ["market1501", "msmt17"]),
        (["folder:/a/x", "folder:/a/y"], ["folder:x", "folder:y"]),
        (["hands11k:/a?aspect=l", "hands11k:/a?aspect=r"],
         ["hands11k:a?aspect=l", "hands11k:a?aspect=r"]),
        (["folder:/a/x", "folder:/b/x"], ["folder:/a/x", "folder:/b/x"]),
    ],
)  # fmt: skip
def test_short_names_of_data(specs, names):
    assert list(shorten_specs(specs).values()) == names


@pytest.fixture
def study(make_run):
    for name, texts in {
        "plain": (),
        "no-triplet": ["stages.image.losses.triplet=0"],
        "soft": ["stages.image.losses.triplet.margin=null"],
        "slow": [f"{LR}=0.00001"],
    }.items():
        for seed in (0, 1):
            mean = 0.5 + 0.01 * len(name) + 0.002 * seed
            path = make_run(
                f"{name}_seed{seed}", overrides=texts, seed=seed, results=[result(mean)]
            )
    return compare(path.parent)


def test_text_has_the_settings_as_columns_where_they_fit(study):
    wide = comparison_text(study, width=120).splitlines()
    assert wide[0].split() == ["run", "seeds", "triplet", "margin", "lr", "mAP", "R1", "R5"]
    assert [line.split()[:5] for line in wide[1:5]] == [
        ["no-triplet", "2", "–", "–", "5e-06"],
        ["plain", "2", "1", "0.3", "5e-06"],
        ["slow", "2", "1", "0.3", "1e-05"],
        ["soft", "2", "1", "–", "5e-06"],
    ]
    assert "60.10 ±0.14" in wide[1]


def test_text_lists_settings_where_columns_do_not_fit(study):
    text = comparison_text(study, width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert "no-triplet: no triplet" in text
    assert "plain: nothing" in text
    assert "slow: lr 1e-05" in text
    assert "over seeds" in text


def test_markdown(study):
    lines = markdown(study).splitlines()
    assert lines[0] == "| run | seeds | data | triplet | margin | lr | mAP | R1 | R5 |"
    assert lines[1].count("---:") == 3
    assert "| **60.10 ±0.14** |" in lines[2]
    assert "**" not in lines[3]
    assert f"lr is `{LR}`" in lines[-1]
    assert len({line.count("|") for line in lines[:6]}) == 1


def test_markdown_of_many_settings_has_a_table_of_them(make_run):
    one = make_run("a|b", results=[result(0.5)])
    two = make_run("z", recipe="zero-shot", results=[result(0.4)])
    text = markdown(compare(one, two))
    assert "| run | seeds | data | mAP | R1 | R5 |" in text
    assert "| setting | a\\|b | z |" in text
    assert "| `stages.image` | yes | – |" in text
    assert "| `recipe` | clip-reid | zero-shot |" in text
    assert "optimizer" not in text, "a stage that is not there differs as a whole"


def test_csv_and_json_hold_all_digits(study, tmp_path):
    rows = list(csv.DictReader(io.StringIO(csv_text(study))))
    assert [row["run"] for row in rows] == ["no-triplet", "plain", "slow", "soft"]
    assert float(rows[0]["mAP"]) == study.rows[0].scores["mAP"].mean
    assert float(rows[0]["mAP_std"]) == study.rows[0].scores["mAP"].std
    assert rows[0]["stages.image.losses.triplet"] == ""
    assert (rows[0]["seeds"], rows[0]["runs"], rows[0]["std_over"]) == ("0 1", "2", "seeds")
    found = json.loads(json_text(study))
    assert found["rows"][1]["settings"]["stages.image.losses.triplet.margin"] == 0.3
    assert found["rows"][1]["scores"]["mAP"]["values"] == list(study.rows[1].scores["mAP"].values)
    for suffix, text in ((".md", markdown), (".csv", csv_text), (".JSON", json_text)):
        path = tmp_path / "deep" / f"table{suffix}"
        write_comparison(study, path)
        assert path.read_text() == text(study)
    assert not list((tmp_path / "deep").glob("*.tmp"))
    with pytest.raises(ConfigError, match=r"must end in .md, .csv or .json"):
        write_comparison(study, tmp_path / "table.xlsx")


def test_names_are_no_formulas_in_a_spreadsheet_and_no_markup_in_markdown(make_run):
    names = ["=HYPERLINK(1)", "=cmd|'calc'!A0", "-1+1", "<b>*it*", "two\nlines"]
    paths = [
        make_run(name, overrides=[f"{LR}={number}e-3"], results=[result(0.5)])
        for number, name in enumerate(names, start=1)
    ]
    found = compare(*paths)
    table = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert {line["run"] for line in table} == {
        "'=HYPERLINK(1)", "'=cmd|'calc'!A0", "'-1+1", "<b>*it*", r"two\u000alines"
    }  # fmt: skip
    assert {float(line["mAP"]) for line in table} == {0.5}
    text = markdown(found)
    assert r"| =cmd\|'calc'!A0 |" in text
    assert r"| \<b>\*it\* |" in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 2 + len(names)
    assert "two\nlines" not in comparison_text(found)
