from promptreid.progress import epoch_line

ROW = {
    "stage": "image",
    "epoch": 3,
    "loss": 1.5,
    "loss_id": 0.5,
    "accuracy": 0.25,
    "val_mAP": 0.705,
    "val_rank1": 0.8,
    "lr": 1e-4,
    "images": 100,
    "seconds": 4.0,
}


def test_validation_on_few_identities_is_called_uncertain():
    assert "val mAP 70.5% rank-1 80.0%  lr" in epoch_line(ROW, 9)
    assert "val mAP 70.5% rank-1 80.0%  lr" in epoch_line({**ROW, "val_identities": 20}, 9)
    few = epoch_line({**ROW, "val_identities": 4}, 9)
    assert "val mAP 70.5% rank-1 80.0% (uncertain: 4 identities)  lr" in few
