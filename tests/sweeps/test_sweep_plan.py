from __future__ import annotations

import pytest

from promptreid.config.sweep import Sweep, load_sweep
from promptreid.errors import ConfigError
from promptreid.sweeps import sweep_plan
from promptreid.sweeps.run_state import read_state
from promptreid.sweeps.sweep_plan import count_runs, plan_sweep, select_runs

LR, EPOCHS = "stages.image.optimizer.lr", "stages.image.epochs"


def plan(tmp_path, *, data=(), overrides=(), **values):
    sweep = Sweep.model_validate({"recipe": "clip-reid", "data": ["folder:/x"]} | values)
    return plan_sweep(sweep, beside=tmp_path, out=tmp_path / "out", data=data, overrides=overrides)


def test_runs_times_grid_times_seeds(tmp_path):
    runs = plan(
        tmp_path,
        seeds=[0, 7],
        set=[f"{EPOCHS}=5"],
        grid={LR: [1e-4, 1e-3], "backbone.name": ["RN50", "ViT-B-16"]},
        runs={"plain": {}, "long": {"set": [f"{EPOCHS}=9"]}},
    )
    assert len(runs) == len({run.name for run in runs}) == 16
    assert [run.name for run in runs[:3]] == [
        "plain_lr-0.0001_backbone-RN50_seed0",
        "plain_lr-0.0001_backbone-RN50_seed7",
        "plain_lr-0.0001_backbone-ViT-B-16_seed0",
    ]
    last = runs[-1]
    assert (last.label, last.seed, last.group) == ("long", 7, "long_lr-0.001_backbone-ViT-B-16")
    assert last.out == tmp_path / "out" / last.name
    image = last.resolved.stages[1]
    assert (image.epochs, image.optimizer.lr) == (9, 1e-3)
    assert last.resolved.backbone.name == "ViT-B-16"
    assert runs[0].resolved.stages[1].epochs == 5


def test_neither_grid_nor_runs_is_one_setting(tmp_path):
    assert [run.name for run in plan(tmp_path, seeds=[0, 1])] == ["run_seed0", "run_seed1"]


def test_recipes_of_runs_and_files_beside_the_sweep(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: clip-reid\n")
    runs = plan(
        tmp_path, recipe=None, runs={"a": {"recipe": "mine.yaml"}, "b": {"recipe": "zero-shot"}}
    )
    assert [run.resolved.name for run in runs] == ["mine", "zero-shot"]


def test_a_metric_that_validation_lacks_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"validation\.metric: .*'mpa'.*mAP"):
        plan(tmp_path, set=["validation.metric=mpa"])


def test_command_line_wins(tmp_path):
    runs = plan(
        tmp_path,
        data=["folder:/y"],
        overrides=[f"{EPOCHS}=1"],
        set=[f"{EPOCHS}=5"],
        runs={"a": {"data": ["folder:/z"]}},
    )
    assert runs[0].data == ("folder:/y",)
    assert runs[0].resolved.stages[1].epochs == 1


def test_data_of_a_run(tmp_path):
    runs = plan(tmp_path, runs={"a": {}, "b": {"data": ["folder:/z", "csv:/t.csv"]}})
    assert [run.data for run in runs] == [("folder:/x",), ("folder:/z", "csv:/t.csv")]


SITES = ["market1501:/data/a", "market1501:/data/b", "cuhk01:/data/c?split=1"]


def test_a_run_for_each_data_set(tmp_path):
    runs = plan(
        tmp_path, data=SITES, test=["folder:/t"], runs={"alone": {"over": "each"}, "joint": {}}
    )
    assert [(run.name, run.data) for run in runs] == [
        ("alone_market1501-a_seed0", (SITES[0],)),
        ("alone_market1501-b_seed0", (SITES[1],)),
        ("alone_cuhk01-c_seed0", (SITES[2],)),
        ("joint_seed0", tuple(SITES)),
    ]
    assert runs[1].test == ("folder:/t", SITES[0], SITES[2])
    assert runs[3].test == ("folder:/t",)
    assert select_runs(runs, ["alone"]) == runs[:3]


def test_each_data_set_left_out_in_turn(tmp_path):
    runs = plan(tmp_path, data=SITES, over="others", grid={LR: [1e-4, 1e-3]}, seeds=[0, 1])
    assert len(runs) == 12
    assert runs[0].name == "without-market1501-a_lr-0.0001_seed0"
    assert runs[0].data == (SITES[1], SITES[2])
    assert runs[0].test == (SITES[0],)
    assert {run.test for run in runs} == {(site,) for site in SITES}


def test_data_sets_of_one_name_have_folders_of_their_own(tmp_path):
    runs = plan(tmp_path, data=["folder:/a/crops", "folder:/b/crops"], over="each")
    assert len({run.out for run in runs}) == 2


@pytest.mark.parametrize("over", ["each", "others"])
def test_one_data_set_cannot_be_divided(tmp_path, over):
    with pytest.raises(ConfigError, match=f"over: {over} makes a run for each of several"):
        plan(tmp_path, over=over)


def test_seeds_of_the_command_line_win(tmp_path):
    sweep = Sweep.model_validate({"recipe": "clip-reid", "data": ["folder:/x"], "seeds": [4]})
    runs = plan_sweep(sweep, beside=tmp_path, out=tmp_path / "out", seeds=[1, 2])
    assert [run.seed for run in runs] == [1, 2]


def test_a_run_can_start_from_an_earlier_one(tmp_path):
    chain = {"start.checkpoint": "{out}/first_seed{seed}"}
    runs = plan(tmp_path, seeds=[0, 3], runs={"first": {}, "then": {"set": chain}})
    found = [run.resolved.start.checkpoint for run in runs]
    assert found == [None, None, f"{tmp_path}/out/first_seed0", f"{tmp_path}/out/first_seed3"]
    texts = ["prompt.template=a photo of a {context} person", "start.checkpoint={out}/x"]
    filled = plan(tmp_path, set=texts)[0].resolved
    assert filled.prompt.template == ("a photo of a {context} person",)


def test_every_mistake_is_told_before_anything_trains(tmp_path):
    with pytest.raises(ConfigError) as caught:
        plan(
            tmp_path,
            seeds=[0, 1, 2],
            grid={LR: [1e-4, 1e-3]},
            runs={
                "good": {},
                "typo": {"set": ["stages.image.epohcs=1"]},
                "none": {"recipe": "clip-ried"},
                "odd": {"set": ["nothing"]},
                "far": {"data": ["folders:/x"]},
            },
        )
    text = str(caught.value)
    assert text.startswith("8 of the 10 settings of the sweep cannot be run")
    assert "typo_lr-0.0001 and 1 more: Recipe 'clip-reid' has 1 problem" in text
    assert "Did you mean 'stages.image.epochs'?" in text
    assert "Did you mean 'clip-reid'" in text
    assert "'nothing' is not of the form key=value" in text
    assert "Did you mean 'folder'?" in text
    assert "good" not in text


def test_no_data_is_told(tmp_path):
    with pytest.raises(ConfigError, match="No data is named"):
        plan_sweep(Sweep(recipe="clip-reid"), beside=tmp_path, out=tmp_path)


def test_the_same_settings_twice(tmp_path):
    with pytest.raises(ConfigError, match="a and b are the same settings"):
        plan(tmp_path, runs={"a": {}, "b": {"set": ["stages.image.losses.triplet.weight=1"]}})


def test_selecting(tmp_path):
    runs = plan(
        tmp_path,
        seeds=[0, 1],
        grid={LR: [1e-4, 1e-3]},
        runs={"a": {}, "ab": {"set": [f"{EPOCHS}=2"]}},
    )
    assert select_runs(runs, ()) == runs
    assert {run.label for run in select_runs(runs, ["a"])} == {"a"}
    assert [run.name for run in select_runs(runs, ["ab_lr-0.001"])] == [
        "ab_lr-0.001_seed0", "ab_lr-0.001_seed1",
    ]  # fmt: skip
    assert [run.name for run in select_runs(runs, ["a_lr-0.001_seed1"])] == ["a_lr-0.001_seed1"]
    assert len(select_runs(runs, ["*_seed0", "a"])) == 6
    with pytest.raises(ConfigError, match="run of this sweep named 'b'"):
        select_runs(runs, ["b"])


def test_states(tmp_path, make_run):
    spec = (("folder:/x", "f"),)
    runs = plan(
        tmp_path,
        set=[f"{EPOCHS}=5"],
        runs={name: {"set": [f"{LR}={1 + place}"]} for place, name in enumerate("abcdefg")},
    )
    own = {name: run.overrides for name, run in zip("abcdefg", runs, strict=True)}
    make_run("a_seed0", overrides=own["a"], data=spec, folder="out")
    make_run("b_seed0", overrides=own["b"], data=spec, folder="out", status="stopped")
    make_run("c_seed0", overrides=[*own["c"], f"{EPOCHS}=4"], data=spec, folder="out")
    make_run("d_seed0", overrides=own["d"], folder="out")
    make_run("e_seed0", overrides=own["e"], data=spec, seed=2, folder="out")
    (tmp_path / "out" / "f_seed0").mkdir()
    (tmp_path / "out" / "f_seed0" / "letter.txt").write_text("")
    found = {run.label: read_state(run) for run in runs}
    assert [found[name].kind for name in "abcdefg"] == [
        "complete", "unfinished", "changed", "changed", "changed", "blocked", "new",
    ]  # fmt: skip
    assert "stopped in stage image, epoch 3" in found["b"].note
    assert f"{EPOCHS} was 4 and is now 5" in found["c"].note
    assert "data was folder:/data/crops and is now folder:/x" in found["d"].note
    assert "seed was 2 and is now 0" in found["e"].note
    assert "letter.txt" in found["f"].note


def test_other_words_in_a_recipe_are_no_change(tmp_path, make_run):
    (run,) = plan(tmp_path, recipe="clip-reid")
    make_run("run_seed0", overrides=["description=x"], data=(("folder:/x", "f"),), folder="out")
    assert read_state(run).kind == "complete"


def test_a_sweep_is_counted_before_it_is_planned_and_has_a_limit(tmp_path, monkeypatch):
    lists = ", ".join(f"k{number}: [1, 2]" for number in range(40))
    text = f"recipe: clip-reid\ndata: [folder:/x]\nseeds: [0, 1]\ngrid: {{{lists}}}\n"
    (tmp_path / "s.yaml").write_text(text)
    sweep = load_sweep(tmp_path / "s.yaml")
    assert count_runs(sweep).runs == 2**41
    monkeypatch.setattr(sweep_plan, "_settings", None)  # no combination is worked out
    with pytest.raises(ConfigError) as caught:
        plan_sweep(sweep, beside=tmp_path, out=tmp_path / "out")
    assert "2,199,023,255,552 runs (1,099,511,627,776 combinations x 2 seeds)" in str(caught.value)
    assert "1,000 are the most" in str(caught.value)
    assert "--most-runs 2199023255552" in str(caught.value)


def test_the_limit_can_be_raised_and_lowered(tmp_path):
    (tmp_path / "s.yaml").write_text(
        "recipe: clip-reid\ndata: [folder:/x]\nseeds: [0, 1]\n"
        "grid: {hardware.precision: [fp32, bf16]}\n"
    )
    sweep = load_sweep(tmp_path / "s.yaml")
    assert len(plan_sweep(sweep, beside=tmp_path, out=tmp_path, most=4)) == 4
    with pytest.raises(ConfigError, match=r"4 runs \(2 combinations x 2 seeds\), and 3 are"):
        plan_sweep(sweep, beside=tmp_path, out=tmp_path, most=3)


@pytest.mark.parametrize(
    ("more", "data", "seeds", "told"),
    [
        ("", (), (), "1 run"),
        ("seeds: [0, 1]", (), (), "2 runs"),
        ("seeds: [0, 1]", (), (5,), "1 run"),
        ("over: each", ("folder:/a", "folder:/b", "folder:/c"), (), "3 runs"),
        ("runs: {a: , b: {over: others}}", ("folder:/a", "folder:/b"), (0, 1),
         "6 runs (3 settings x 2 seeds)"),
        ("grid: {hardware.precision: [fp32, bf16]}", (), (0, 1),
         "4 runs (2 combinations x 2 seeds)"),
    ],
)  # fmt: skip
def test_sizes_are_those_of_the_plans(tmp_path, more, data, seeds, told):
    (tmp_path / "s.yaml").write_text(f"recipe: clip-reid\ndata: [folder:/x]\n{more}\n")
    sweep = load_sweep(tmp_path / "s.yaml")
    size = count_runs(sweep, data=data, seeds=seeds)
    assert str(size) == told
    planned = plan_sweep(sweep, beside=tmp_path, out=tmp_path, data=data, seeds=seeds)
    assert len(planned) == size.runs


def test_spellings_of_one_rate_are_one_setting(tmp_path):
    (tmp_path / "s.yaml").write_text(
        f"recipe: clip-reid\ndata: [folder:/x]\ngrid: {{{LR}: [5e-4, 1e-3, .5]}}\n"
    )
    runs = plan_sweep(load_sweep(tmp_path / "s.yaml"), beside=tmp_path, out=tmp_path)
    assert [run.resolved.stages[1].optimizer.lr for run in runs] == [5e-4, 1e-3, 0.5]
    assert [run.name for run in runs] == ["lr-5e-4_seed0", "lr-1e-3_seed0", "lr-0.5_seed0"]
    (tmp_path / "twice.yaml").write_text(
        f"recipe: clip-reid\ndata: [folder:/x]\ngrid: {{{LR}: [5e-4, 0.0005]}}\n"
    )
    with pytest.raises(ConfigError, match="are the same settings"):
        plan_sweep(load_sweep(tmp_path / "twice.yaml"), beside=tmp_path, out=tmp_path)
