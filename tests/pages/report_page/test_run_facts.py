"""What was run, as rows."""

from dataclasses import replace

from promptreid.pages.report_page.run_facts import data_rows, environment_rows, fact_rows


def test_facts_have_a_column_for_each_run(content):
    rows = {row.label: row.values for row in fact_rows(content.runs)}
    assert rows["Recipe"] == ("zero-shot", "clip-reid")
    assert rows["Training"] == ("complete, nothing was trained", "complete, 2 min 13 s")
    assert rows["Kept weights"][1].startswith("stage image, epoch 9, validation score 55.9")
    assert rows["Threshold"][0] == ""
    assert "of 100 validation images of <unseen> identities" in rows["Threshold"][1]


def test_a_stage_that_ended_early_is_told(content):
    run = content.runs[1]
    early = run.status.model_copy(update={"ended_early": {"prompts": 12, "image": 7}})
    rows = {row.label: row.values for row in fact_rows([replace(run, status=early)])}
    assert rows["Training"] == (
        "complete, 2 min 13 s; stage prompts ended early, after epoch 12; "
        "stage image ended early, after epoch 7",
    )


def test_what_is_known_of_no_run_is_left_out(content):
    bare = replace(content.runs[0], recipe="", source="", status=None, threshold=None)
    labels = [row.label for row in fact_rows([bare])]
    assert labels == ["Backbone", "Parameters", "Weights", "Folder"]


def test_environments_are_flat_and_differences_are_marked(content):
    rows = {row.label: row for row in environment_rows(content.runs)}
    assert rows["packages torch"].values == ("2.15.0", "2.15.0")
    assert not rows["packages torch"].differs
    assert rows["precision"].differs
    assert rows["command"].values[0].startswith("promptreid train '<script>")
    partly = [content.runs[0], replace(content.runs[1], environment=None)]
    assert {row.values[1] for row in environment_rows(partly)} == {""}


def test_data_of_several_runs_is_listed_once(content):
    (row,) = data_rows(content.runs)
    assert row.runs == tuple(run.name for run in content.runs)
    assert row.splits == "train 496 images of 80 identities"
    assert (row.role, row.protocol, row.fingerprint) == ("training", "market1501", "bb4409f6357c")
    changed = {"fingerprint": "0" * 64, "repeats": 3}
    record = content.runs[1].data[0].model_copy(update=changed)
    other = replace(content.runs[1], data=(record,))
    rows = data_rows([content.runs[0], other])
    assert [len(row.runs) for row in rows] == [1, 1]
    assert rows[1].protocol == "market1501, 3 repeats"
