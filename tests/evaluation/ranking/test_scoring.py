from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptreid.data.protocol import Protocol, Repeat
from promptreid.errors import EvaluationError
from promptreid.evaluation import Embeddings, Rerank, evaluate, evaluate_protocol
from promptreid.evaluation.retrieval_settings import RetrievalSettings

GOLDEN = Path(__file__).parents[2] / "golden" / "clip_reid.npz"


def naive_query(similarity, name, camera, names, cameras, exclude, skip=None):
    """One query by sorting: (rank of the first hit, AP step, AP trapezoid, INP), or why not."""
    order = sorted(range(len(names)), key=lambda g: (-similarity[g], g))
    hits = []
    for g in order:
        same_camera = camera is not None and cameras[g] == camera
        if g == skip or (exclude and names[g] == name and same_camera):
            continue
        hits.append(names[g] == name)
    if not any(hits):
        same = [g for g in range(len(names)) if names[g] == name and g != skip]
        if same:
            return "only in the query's own camera"
        return "only the query's own image" if skip is not None else "identity not in the gallery"
    total, found, step, trapezoid, last = sum(hits), 0, 0.0, 0.0, 0
    for rank, hit in enumerate(hits, start=1):
        if hit:
            before = found / (rank - 1) if rank > 1 else 1.0
            found += 1
            step += found / rank / total
            trapezoid += (before + found / rank) / 2 / total
            last = rank
    return hits.index(True) + 1, step, trapezoid, total / last


def naive(query, gallery, exclude, leave_one_out=False):
    q, g = query.vectors.double().numpy(), gallery.vectors.double().numpy()
    query_cameras = query.cameras or (None,) * len(query)
    gallery_cameras = gallery.cameras or (None,) * len(gallery)
    return [
        naive_query(
            q[i] @ g.T,
            query.identities[i],
            query_cameras[i],
            gallery.identities,
            gallery_cameras,
            exclude,
            skip=i if leave_one_out else None,
        )
        for i in range(len(query))
    ]


def compare(scores, expected, ap="step"):
    found = [outcome for outcome in expected if not isinstance(outcome, str)]
    missing = [outcome for outcome in expected if isinstance(outcome, str)]
    first, step, trapezoid, inp = (np.array(column) for column in zip(*found, strict=True))
    assert scores.values["mAP_step"] == pytest.approx(step.mean(), abs=1e-12)
    assert scores.values["mAP_trapezoid"] == pytest.approx(trapezoid.mean(), abs=1e-12)
    assert scores.mAP == scores.values[f"mAP_{ap}"]
    assert scores.mINP == pytest.approx(inp.mean(), abs=1e-12)
    curve = [(first <= rank).mean() for rank in range(1, 51)]
    assert scores.curve == pytest.approx(curve, abs=1e-12)
    assert scores.queries == len(expected)
    assert scores.queries_without_match == len(missing)
    counts = {reason: missing.count(reason) for reason in set(missing)}
    assert scores.without_match_reasons == counts


# Four coordinates of one half each: unit length and similarities in quarters, both exact, so that
# equally close gallery images abound.
vectors = st.lists(st.sampled_from([-0.5, 0.5]), min_size=4, max_size=4)
images = st.tuples(
    vectors, st.sampled_from(["a", "b", "c", "only"]), st.sampled_from([None, 0, 1, 2])
)


def embed(rows, with_cameras=True):
    return Embeddings(
        vectors=torch.tensor([vector for vector, _, _ in rows]),
        identities=tuple(name for _, name, _ in rows),
        cameras=tuple(camera for _, _, camera in rows) if with_cameras else None,
    )


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.lists(images, min_size=1, max_size=40),
    st.lists(images, min_size=1, max_size=70),
    st.booleans(),
    st.sampled_from(["exclude", "keep"]),
    st.sampled_from(["step", "trapezoid"]),
)
def test_equals_the_naive_loop(query_rows, gallery_rows, with_cameras, rule, ap):
    query, gallery = embed(query_rows, with_cameras), embed(gallery_rows, with_cameras)
    expected = naive(query, gallery, exclude=rule == "exclude")
    if all(isinstance(outcome, str) for outcome in expected):
        with pytest.raises(EvaluationError, match="None of the"):
            evaluate(query, gallery, RetrievalSettings(same_camera=rule))
        return
    compare(
        evaluate(query, gallery, RetrievalSettings(same_camera=rule), ap=ap, block=16), expected, ap
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(images, min_size=2, max_size=50), st.sampled_from(["exclude", "keep"]))
def test_one_set_against_itself_leaves_each_image_out(rows, rule):
    data = embed(rows)
    expected = naive(data, data, exclude=rule == "exclude", leave_one_out=True)
    if all(isinstance(outcome, str) for outcome in expected):
        with pytest.raises(EvaluationError, match="None of the"):
            evaluate(data, data, RetrievalSettings(same_camera=rule))
        return
    compare(evaluate(data, data, RetrievalSettings(same_camera=rule)), expected)


def random_set(count, seed, *, dim=48, identities=12, cameras=4):
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((identities + 1, dim))
    owner = generator.integers(identities, size=count)
    points = centres[owner] + 1.5 * generator.standard_normal((count, dim))
    return Embeddings.from_vectors(
        points, owner.tolist(), cameras=generator.integers(cameras, size=count)
    )


def test_equals_the_naive_loop_on_continuous_vectors():
    query, gallery = random_set(90, 1), random_set(311, 2)
    compare(evaluate(query, gallery), naive(query, gallery, exclude=True))


def test_golden_scores():
    with np.load(GOLDEN) as golden:
        data = {key[8:]: golden[key] for key in golden.files if key.startswith("metrics/")}
    query, gallery = (
        Embeddings.from_vectors(data[f"{x}f"], data[f"{x}p"], cameras=data[f"{x}c"]) for x in "qg"
    )
    scores = evaluate(query, gallery, protocol="golden")
    assert np.abs(np.array(scores.curve) - data["cmc"]).max() < 1e-6
    assert scores.mAP == pytest.approx(float(data["mAP"]), abs=1e-9)
    assert (scores.queries, scores.queries_without_match, scores.gallery) == (120, 3, 900)
    assert scores.same_camera == "exclude"


@pytest.mark.parametrize("block", [1, 16, 17, 48, 10_000])
def test_scores_do_not_depend_on_the_block(block):
    query, gallery = random_set(133, 3, dim=37), random_set(257, 4, dim=37)
    assert evaluate(query, gallery, block=block) == evaluate(query, gallery)


def test_equally_close_images_count_in_the_order_of_the_gallery():
    one = torch.tensor([[1.0, 0.0]])
    query = Embeddings(one, ("a",))
    for place in range(4):
        names = ["x"] * 4
        names[place] = "a"
        scores = evaluate(query, Embeddings(one.repeat(4, 1), tuple(names)))
        assert scores.mAP == pytest.approx(1 / (place + 1))


def test_single_match_at_rank_two_by_both_definitions():
    query = Embeddings(torch.tensor([[1.0, 0.0]]), ("a",))
    gallery = Embeddings(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), ("b", "a"))
    assert evaluate(query, gallery).mAP == 0.5
    assert evaluate(query, gallery, ap="trapezoid").mAP == 0.25


def test_distractors_do_not_hide_a_perfect_feature():
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(464, 64, generator=generator), dim=1)
    names = [str(number) for number in range(464)]
    scores = evaluate(
        Embeddings.from_vectors(points[:251], names[:251]), Embeddings.from_vectors(points, names)
    )
    assert scores.mAP == scores.mINP == scores.cmc[1] == 1.0
    noise = torch.nn.functional.normalize(torch.randn(251, 64, generator=generator), dim=1)
    chance = evaluate(
        Embeddings.from_vectors(noise, names[:251]), Embeddings.from_vectors(points, names)
    )
    assert chance.cmc[1] < 0.03


@pytest.mark.parametrize(
    ("query_cameras", "gallery_cameras", "rule", "effective", "said"),
    [
        ((0, 1), (0, 1), "auto", "exclude", ""),
        ((0, None), (0, 1), "auto", "keep", "1 of 4 images is not known"),
        (None, None, "auto", "keep", "No image has a camera"),
        (None, (0, 1), "auto", "keep", "2 of 4"),
        ((0, None), (1, 1), "exclude", "exclude", "does not apply to them"),
        (None, None, "exclude", "keep", "No image has a camera"),
        ((0, 0), (0, 0), "keep", "keep", ""),
    ],
)
def test_camera_rule_is_decided_and_said(query_cameras, gallery_cameras, rule, effective, said):
    points = torch.eye(2)
    query = Embeddings(points, ("a", "b"), cameras=query_cameras)
    gallery = Embeddings(points, ("b", "a"), cameras=gallery_cameras)
    scores = evaluate(query, gallery, RetrievalSettings(same_camera=rule))
    assert scores.same_camera == effective
    assert said in scores.note
    assert bool(said) == bool(scores.note)


def test_vectors_of_any_length_are_compared_by_cosine():
    query, gallery = random_set(40, 5), random_set(100, 6)
    lengths = torch.linspace(0.01, 50, len(gallery))[:, None]
    long = Embeddings(
        gallery.vectors * lengths, gallery.identities, gallery.cameras, normalized=False
    )
    assert evaluate(query, long).curve == evaluate(query, gallery).curve


def test_precision_settings_of_the_caller_neither_matter_nor_change():
    query, gallery = random_set(64, 7), random_set(200, 8)
    expected = evaluate(query, gallery, RetrievalSettings(rerank=Rerank(k1=5, k2=3)))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
            found = evaluate(query, gallery, RetrievalSettings(rerank=Rerank(k1=5, k2=3)))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert found == expected


def test_protocol_averages_its_repeats():
    data = random_set(300, 9)
    generator = np.random.default_rng(0)
    repeats = []
    for _ in range(4):
        rows = generator.permutation(300)
        repeats.append(Repeat(query=rows[:100], gallery=rows[100:]))
    protocol = Protocol("drawn", tuple(repeats), "exclude", "trapezoid", note="Drawn four times.")
    scores = evaluate_protocol(data, protocol)
    single = [
        evaluate(data.select(r.query), data.select(r.gallery), ap="trapezoid") for r in repeats
    ]
    assert scores.repeats == 4
    assert scores.mAP == pytest.approx(np.mean([s.mAP for s in single]))
    assert scores.std["mAP"] == pytest.approx(np.std([s.mAP for s in single], ddof=1))
    assert scores.std["rank-5"] == pytest.approx(np.std([s.cmc[5] for s in single], ddof=1))
    assert scores.cmc[1] == pytest.approx(np.mean([s.cmc[1] for s in single]))
    assert (scores.queries, scores.gallery, scores.ap) == (100, 200, "trapezoid")
    assert "Drawn four times." in scores.note
    kept = evaluate_protocol(data, protocol, RetrievalSettings(same_camera="keep"), ap="step")
    assert (kept.same_camera, kept.ap) == ("keep", "step")
    assert kept.mAP != scores.values["mAP_step"]


def test_rows_beyond_the_embeddings_are_told():
    protocol = Protocol("p", (Repeat(query=np.array([0]), gallery=np.array([7])),), "keep", "step")
    with pytest.raises(EvaluationError, match="Rows 0 to 7 are asked of 5 embeddings"):
        evaluate_protocol(random_set(5, 1), protocol)


def test_reranking_one_set_counts_each_image_once():
    data = random_set(120, 10)
    twice = Embeddings(data.vectors.clone(), data.identities, data.cameras)
    alone = evaluate(
        data, data, RetrievalSettings(same_camera="keep", rerank=Rerank(k1=8, k2=3, lam=0.0))
    )
    copied = evaluate(
        data, twice, RetrievalSettings(same_camera="keep", rerank=Rerank(k1=8, k2=3, lam=0.0))
    )
    # Beside a copy of itself every query finds itself first.
    assert copied.cmc[1] == 1.0
    assert alone.cmc[1] < 1.0


def test_empty_set_is_told():
    some, none = random_set(4, 1), random_set(4, 1).select([])
    with pytest.raises(EvaluationError, match="The query set is empty"):
        evaluate(none, some)
    with pytest.raises(EvaluationError, match="The gallery set is empty"):
        evaluate(some, none)


def test_differing_dimensions_are_told():
    with pytest.raises(EvaluationError, match="48 dimensions, the gallery vectors 20"):
        evaluate(random_set(4, 1), random_set(4, 1, dim=20))


def test_unknown_options_are_told():
    data = random_set(4, 1)
    with pytest.raises(EvaluationError, match="Did you mean 'exclude'"):
        evaluate(data, data, RetrievalSettings(same_camera="excluded"))
    with pytest.raises(EvaluationError, match="Did you mean 'trapezoid'"):
        evaluate(data, data, ap="trapezoidal")


def test_single_camera_data_get_an_explanation():
    points = torch.eye(3)
    data = Embeddings(points, ("a", "b", "c"), cameras=(4, 4, 4))
    other = Embeddings(points, ("a", "b", "c"), cameras=(4, 4, 4))
    with pytest.raises(EvaluationError, match=r"one camera \(4\).*same_camera=\"keep\"") as caught:
        evaluate(data, other)
    assert "3 only in the query's own camera" in str(caught.value)
    assert evaluate(data, other, RetrievalSettings(same_camera="keep")).mAP == 1.0


def test_distractors_alone_get_an_explanation():
    query = Embeddings(torch.eye(2), ("0001", "0002"))
    gallery = Embeddings(torch.eye(2), ("0", "0"))
    with pytest.raises(EvaluationError, match="2 identity not in the gallery") as caught:
        evaluate(query, gallery)
    assert "'0001', '0002'" in str(caught.value)
    assert "distractors" in str(caught.value)
