"""Scores, rank lists and maps of a report, on embeddings made up for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from promptreid.data.dataset import DataSet
from promptreid.data.manifest.manifest import Manifest, Sample
from promptreid.data.protocol import fixed_protocol
from promptreid.evaluation.assessment import Assessment
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.uncertainty.resampling import Bootstrap
from promptreid.evaluation.verification.accepted_pairs import accepted_protocol
from promptreid.evaluation.verification.verification import verify_protocol
from promptreid.figures.selection import pick_identities, pick_images
from promptreid.pages.collect_data import Pictures, ReportData
from promptreid.pages.collect_map import GAP, map_section
from promptreid.pages.collect_options import ReportOptions
from promptreid.pages.collect_ranks import rank_sections
from promptreid.pages.collect_scores import pair_runs, score_run, unmatched_queries
from promptreid.pages.collect_texts import Texts


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """Twelve people with two queries and three gallery images; the last two have no match."""
    root = tmp_path_factory.mktemp("images")
    rows = []
    for person in range(12):
        for image in range(5):
            name = f"{person:02d}-{image}.png"
            colour = (20 * person, 50 * image, 90)
            Image.new("RGB", (12 + person, 30), colour).save(root / name)
            split = "query" if image < 2 else "gallery"
            camera = "0" if person == 10 else str(image)
            owner = f"{person:02d}"
            if person == 11 and split == "gallery":
                owner = "99"
            rows.append(
                Sample(name, owner, split, camera=camera, attributes={"sex": "fm"[person % 2]})
            )
    manifest = Manifest.of("made-up", Path(root), rows)
    protocol = fixed_protocol(manifest, name="made-up", same_camera="exclude")
    return DataSet("made-up:x", manifest, protocol)


def report_data(dataset, **choices):
    test_set = TestSet.of(dataset)
    return ReportData(
        dataset=dataset,
        test_set=test_set,
        by=("sex", "camera"),
        mapped=pick_identities(test_set, identities=6),
        looked_at=pick_images(test_set, images=3),
        remarks=(),
    )


def made_up(data, noise, seed=0):
    manifest = data.test_set.manifest
    rng = np.random.default_rng(5)
    centres = {key: rng.normal(size=16) for key in sorted(set(manifest.identities))}
    rng = np.random.default_rng([6, int(100 * noise)])
    vectors = np.stack([centres[key] + noise * rng.normal(size=16) for key in manifest.identities])
    found = Embeddings.from_vectors(
        torch.tensor(vectors, dtype=torch.float32),
        [f"made-up/{key}" for key in manifest.identities],
        cameras=manifest.cameras,
        paths=manifest.paths,
    )
    return Assessment(data.test_set, found, bootstrap=Bootstrap(seed=seed))


def test_a_run_is_scored_as_the_single_functions_do(tested):
    data = report_data(tested)
    run = made_up(data, 0.8, seed=3)
    scored, remarks = score_run("good", run, data.by)
    protocol = data.test_set.protocol
    scores = evaluate_protocol(run.embeddings, protocol)
    verification = verify_protocol(run.embeddings, protocol)
    assert scored.scores == scores
    assert scored.verification == verification
    assert remarks == ()
    interval = scored.intervals.scores["mAP"]
    assert interval.value == scores.mAP
    assert interval.low < interval.value < interval.high
    assert scored.intervals.scores["EER"].value == verification.eer
    assert [one.attribute for one in scored.breakdowns] == ["sex", "camera"]
    alone = made_up(data, 0.8, seed=3).breakdown("camera")
    assert scored.breakdowns[1] == alone


def test_pairs_that_breakdowns_share_are_counted_once(tested, monkeypatch):
    data = report_data(tested)
    real, kinds = accepted_protocol, []

    def counted(*args, **options):
        kinds.append(options.get("by", "identity"))
        return real(*args, **options)

    monkeypatch.setattr("promptreid.evaluation.assessment.accepted_protocol", counted)
    score_run("good", made_up(data, 0.8), data.by)
    assert sorted(kinds) == ["identity", "query"]


def test_runs_are_compared_with_the_first(tested):
    data = report_data(tested)
    runs = {
        name: made_up(data, noise) for name, noise in (("middle", 1.2), ("good", 0.3), ("bad", 3.0))
    }
    good, bad = pair_runs(runs)
    assert (good.name, good.baseline, bad.name, bad.baseline) == ("good", "middle", "bad", "middle")
    assert good.differences["mAP"].value > 0 > bad.differences["mAP"].value
    maps = [run.scores.mAP for run in runs.values()]
    assert good.differences["mAP"].value == pytest.approx(maps[1] - maps[0])
    assert pair_runs({"middle": runs["middle"]}) == ()


def test_queries_without_a_match_are_listed_with_reasons(tested):
    data = report_data(tested)
    nobody, camera = unmatched_queries(made_up(data, 0.5))
    assert (nobody.reason, nobody.count) == ("identity not in the gallery", 2)
    assert nobody.examples == ("11-0.png", "11-1.png")
    assert (camera.reason, camera.count) == ("only in the query's own camera", 2)
    assert camera.examples == ("10-0.png", "10-1.png")


def test_one_identity_is_ranked_and_not_verified(tested):
    keep = [row for row, name in enumerate(tested.manifest.identities) if name == "03"]
    manifest = tested.manifest.select(keep)
    protocol = fixed_protocol(manifest, name="one", same_camera="exclude")
    test_set = TestSet.of(DataSet("one:x", manifest, protocol))
    data = replace(report_data(tested), test_set=test_set)
    scored, remarks = score_run("good", made_up(data, 0.5), data.by)
    assert scored.scores.mAP == 1
    assert scored.verification is None
    assert scored.breakdowns == ()
    verified, broken = remarks
    assert "Nothing can be verified" in verified
    assert "sex, camera" in broken


@pytest.mark.parametrize("queries", [1, 2, 3, 30])
def test_sections_share_no_query_and_are_sorted_by_precision(tested, queries):
    data = report_data(tested)
    runs = {"a": made_up(data, 1.5), "b": made_up(data, 2.0)}
    scored = list(runs.values())
    options = ReportOptions(queries=queries, top=4)
    pictures = Pictures(data.test_set, pixelate=False)
    sections = rank_sections(runs, options, pictures)
    mean = {
        section.which: [np.mean(list(query.precisions.values())) for query in section.queries]
        for section in sections
    }
    if queries <= 3:
        assert list(mean) == ["worst", "median", "best"]
        assert {len(values) for values in mean.values()} == {queries}
        assert max(mean["worst"]) <= min(mean["best"])
        values = torch.stack([run.scores.results[0].values["mAP"] for run in scored]).mean(0)
        known = values[~values.isnan()].sort().values
        assert mean["worst"][0] == pytest.approx(float(known[0]))
        assert mean["best"][0] == pytest.approx(float(known[-1]))
        for section in sections:
            assert len({query.identity for query in section.queries}) == queries
    assert sum(map(len, mean.values())) == min(20, 3 * queries)
    for section in sections:
        needed = set()
        for query in section.queries:
            for run, ranked in zip(scored, query.lists.values(), strict=True):
                assert [hit.rank for hit in ranked.hits] == [1, 2, 3, 4]
                needed |= {hit.row for hit in (*ranked.hits, ranked.first)}
                assert ranked.first.match
                assert ranked.first.rank in run.scores.results[0].first_rank.tolist()
        assert set(section.gallery) == needed
        assert all(max(picture.shape) <= 120 for picture in section.gallery.values())


def section(tested, runs, texts, **choices):
    data = report_data(tested)
    made = {name: made_up(data, noise).embeddings.vectors for name, noise in runs}
    pictures = Pictures(data.test_set, pixelate=False)
    options = ReportOptions(**choices)
    return map_section(data.mapped, made, texts, options, pictures), data.mapped


def no_texts(remark=""):
    return Texts(torch.zeros(0, 0), remark=remark)


def test_a_map_shows_the_same_images_under_every_run(tested):
    runs = [("tight", 0.1), ("loose", 2.0)]
    (found, remarks), mapped = section(tested, runs, [no_texts("none here"), no_texts()])
    assert remarks == ("none here",)
    assert [one.name for one in found.maps] == ["tight", "loose"]
    assert found.maps[0].ratio < found.maps[1].ratio
    for one in found.maps:
        assert one.method == "t-SNE"
        assert one.points.shape == (len(mapped.rows), 2)
        assert np.allclose(one.points.mean(axis=0), 0, atol=1e-4)
        assert (len(one.texts), one.text_points) == (0, ())
    assert {point.kind for point in found.points} == {"query", "gallery"}
    assert [point.picture for point in found.points] == list(range(len(mapped.rows)))
    assert all(max(picture.shape) <= 48 for picture in found.pictures)
    first = found.points[0]
    assert first.label.startswith(found.identities[first.group])
    assert mapped.manifest.paths[0] in first.label


def test_sentences_are_laid_out_with_the_images(tested):
    rng = np.random.default_rng(0)
    vectors = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(3, 16))).float())
    texts = Texts(vectors, ("one", "two", "three"), (-1, -1, 2))
    (found, remarks), mapped = section(tested, [("plain", 0.5), ("told", 0.5)], [no_texts(), texts])
    assert remarks == (GAP,)
    told = found.maps[1]
    assert told.texts.shape == (3, 2)
    assert [(p.kind, p.group, p.label, p.picture) for p in told.text_points] == [
        ("text", -1, "one", -1),
        ("text", -1, "two", -1),
        ("text", 2, "three", -1),
    ]
    assert len(told.points) == len(mapped.rows)
    assert np.allclose(told.points.mean(axis=0), 0, atol=1e-4)
