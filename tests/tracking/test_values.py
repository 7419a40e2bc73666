import math

from promptreid.tracking.values import epoch_values, score_values


def test_rows_are_named_by_stage_and_validation():
    row = {
        "stage": "image",
        "epoch": 2,
        "lr": 1e-4,
        "loss": 3.5,
        "loss_id": 1.5,
        "accuracy": "",
        "val_mAP": 0.25,
        "val_rank1": math.nan,
    }
    assert epoch_values(row) == {
        "image/epoch": 2.0,
        "image/lr": 1e-4,
        "image/loss": 3.5,
        "image/loss_id": 1.5,
        "validation/mAP": 0.25,
    }


SCORES = {
    "data": "folder:/data/a",
    "protocol": "x",
    "repeats": 1,
    "mAP": 0.5,
    "flip": True,
    "cmc": {"1": 0.7, "5": 0.9},
    "cmc_curve": [0.7, 0.8],
    "std": {"mAP": 0.0},
    "rerank": {"k1": 20},
    "attributes": {"aspect": {"accuracy": 0.75, "recall": {"left": 1.0}}},
    "per_repeat": [{"mAP": 0.5}],
}


def test_scores_of_one_test_set():
    assert score_values([SCORES]) == {
        "scores/mAP": 0.5,
        "scores/repeats": 1.0,
        "scores/rank1": 0.7,
        "scores/rank5": 0.9,
        "scores/attributes/aspect/accuracy": 0.75,
        "scores/attributes/aspect/recall/left": 1.0,
    }


def test_spread_is_told_when_there_is_one():
    found = score_values([{**SCORES, "repeats": 3, "std": {"mAP": 0.1, "cmc": {"1": 0.2}}}])
    assert found["scores/std/mAP"] == 0.1
    assert found["scores/std/rank1"] == 0.2


def test_several_test_sets_keep_apart():
    sets = [{"data": "folder:/a", "mAP": 0.1}, {"data": "market1501:/b", "mAP": 0.2}]
    sets.append({"data": "folder:/c", "mAP": 0.3})
    assert score_values(sets) == {
        "scores/folder/mAP": 0.1,
        "scores/market1501/mAP": 0.2,
        "scores/folder-2/mAP": 0.3,
    }


def test_of_exchanged_words_one_number_a_kind_is_told():
    kinds = {"own": {"mAP": 0.5, "rank-1": 0.4}, "permuted": {"mAP": 0.3}, "none": {"mAP": 0.45}}
    control = {**kinds, "own_minus_permuted": {"mAP": {"value": 0.2}}, "draws": 3}
    found = score_values([{"data": "folder:/a", "mAP": 0.5, "word_control": control}])
    assert found == {
        "scores/mAP": 0.5,
        "scores/word_control/own/mAP": 0.5,
        "scores/word_control/permuted/mAP": 0.3,
        "scores/word_control/none/mAP": 0.45,
    }
