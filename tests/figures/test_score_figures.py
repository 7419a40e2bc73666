"""CMC, ROC, DET, histograms and rank lists by what is on them."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from promptreid.data.load_data import load_data
from promptreid.evaluation.embeddings.embeddings import Embeddings
from promptreid.evaluation.ranking.scoring import evaluate_protocol
from promptreid.evaluation.test_set import TestSet
from promptreid.evaluation.verification.verification import verify, verify_protocol
from promptreid.evaluation.verification.verification_result import Histogram
from promptreid.figures.cmc import cmc_alt, cmc_figure
from promptreid.figures.histogram import decidability, histogram_alt, histogram_figure
from promptreid.figures.rank_lists import Hit, RankList
from promptreid.figures.ranks_figure import ranks_alt, ranks_figure
from promptreid.figures.shown_queries import ShownQuery
from promptreid.figures.style import DARK, LIGHT, THEMES
from promptreid.figures.verification_figures import (
    det_figure,
    roc_figure,
    verification_alt,
)
from promptreid.text.number_words import similarity


@pytest.fixture(scope="module")
def tested(crops):
    return TestSet.of(load_data(f"folder:{crops}"))


def embedded(tested, noise):
    """Embeddings around a direction for each identity."""
    rng = np.random.default_rng(3)
    names = sorted(set(tested.manifest.identities))
    centres = dict(zip(names, rng.normal(size=(len(names), 8)), strict=True))
    rows = [centres[name] + noise * rng.normal(size=8) for name in tested.manifest.identities]
    return Embeddings.from_vectors(torch.tensor(np.array(rows)), tested.manifest.identities)


@pytest.fixture(scope="module")
def scores(tested):
    return {
        name: evaluate_protocol(embedded(tested, noise), tested.protocol)
        for name, noise in (("good", 0.5), ("bad", 2.0))
    }


@pytest.fixture(scope="module")
def verified(tested):
    return {
        name: verify_protocol(embedded(tested, noise), tested.protocol, fars=(0.1, 0.02, 1e-6))
        for name, noise in (("good", 0.5), ("bad", 2.0))
    }


def test_cmc_curves_are_the_means_with_a_band_of_one_deviation(scores):
    figure = cmc_figure(scores, ranks=6)
    (axes,) = figure.axes
    for line, band, found in zip(axes.lines, axes.collections, scores.values(), strict=True):
        assert list(line.get_xdata()) == list(range(1, 7))
        assert line.get_ydata() == pytest.approx([100 * value for value in found.curve[:6]])
        first = np.array([repeat.curve[0] for repeat in found.per_repeat]) * 100
        heights = band.get_paths()[0].vertices[:, 1][band.get_paths()[0].vertices[:, 0] == 1]
        assert heights.max() - heights.min() == pytest.approx(2 * first.std(ddof=1))
        assert axes.get_ylim()[0] <= heights.min()
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len({look[1] for look in looks}) == len({look[2] for look in looks}) == 2
    (legend,) = figure.legends
    said = [text.get_text() for text in legend.get_texts()]
    assert said[0] == (
        f"good: rank-1 {100 * scores['good'].cmc[1]:.1f} %, mAP {100 * scores['good'].mAP:.1f} %"
    )
    words = cmc_alt(scores, "crops")
    assert f"bad rank-1 {100 * scores['bad'].cmc[1]:.1f} %" in words
    assert "mean of 10 repeats" in words
    assert words.endswith("good has the highest rank-1.")


@pytest.mark.slow
def test_marks_of_roc_stand_at_the_rates_asked_for_with_thresholds(verified):
    figure = roc_figure(verified)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    marks = [line for line in axes.lines if line.get_marker() != "None" and len(line.get_xdata())]
    words = [text.get_text() for text in axes.texts]
    wanted = []
    for line, found in zip(marks, verified.values(), strict=True):
        measured = [point for point in found.per_repeat[0].points if point.tar is not None]
        assert [point.far for point in measured] == [0.1, 0.02]  # pairs do not suffice for 1e-6
        assert list(line.get_xdata()) == [0.1, 0.02]
        assert list(line.get_ydata()) == [100 * point.tar for point in measured]
        wanted += [similarity(point.threshold) for point in measured]
    assert words == wanted
    curve = axes.lines[0].get_xydata()
    first = verified["good"].per_repeat[0].curve
    assert curve[:, 1] == pytest.approx(100 * np.array(first.tar))
    assert (curve[:, 0] >= np.array(first.far)).all()


def test_det_axes_are_normal_deviates_of_both_rates(verified):
    axes = det_figure(verified, theme=DARK).axes[0]
    curve = axes.lines[3].get_xydata()  # of the run with errors at most thresholds
    normal = NormalDist()
    first = verified["bad"].per_repeat[0].curve
    wanted = [
        (normal.inv_cdf(far), normal.inv_cdf(frr))
        for far, frr in zip(first.far, first.frr, strict=True)
        if 0 < far < 1 and 0 < frr < 1
    ]
    assert curve == pytest.approx(np.array(wanted))
    for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        assert 100 * normal.cdf(place) == pytest.approx(float(label.get_text()))


@pytest.mark.parametrize("draw", [roc_figure, det_figure])
def test_names_with_dollars_are_no_formulas_and_decades_are_labelled(draw, verified):
    figure = draw({"$a$ and $b$": verified["good"]})
    FigureCanvasAgg(figure).draw()
    texts = figure.findobj(Text)
    assert any(text.get_text().startswith("$a$ and $b$: EER") for text in texts)
    assert not any(text.get_parse_math() for text in texts if "$" in text.get_text())
    if draw is roc_figure:
        labels = {text.get_text() for text in figure.axes[0].get_xticklabels()}
        assert {"0.01", "0.1", "1"} <= labels


def test_the_threshold_of_the_better_run_stands_on_the_better_side_of_each_point(verified):
    """Where curves cross, the run that is better over all is not better everywhere."""

    def changed(found, *rates):
        first = found.per_repeat[0]
        points = [
            replace(point, tar=rate) for point, rate in zip(first.points, rates, strict=False)
        ]
        return replace(found, per_repeat=(replace(first, points=tuple(points)),))

    good, bad = changed(verified["good"], 0.8, 0.6), changed(verified["bad"], 0.7, 0.65)
    for draw, upwards in ((roc_figure, 1), (det_figure, -1)):
        (axes,) = draw({"good": good, "bad": bad}).axes
        better = [words.xyann[0] < 0 for words in axes.texts]
        assert better == [True, False, False, True]
        assert [words.xyann[1] * upwards > 0 for words in axes.texts] == better


def test_thresholds_stay_within_the_axes_where_curves_lie_at_an_edge(verified):
    figure = roc_figure({"good": verified["good"], "bad": verified["bad"]})
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    frame = axes.get_window_extent()
    assert len(axes.texts) == 4
    for words in axes.texts:
        box = words.get_window_extent()
        assert frame.y0 <= box.y0 <= box.y1 <= frame.y1


def test_thresholds_are_written_out_for_two_runs_at_most(verified):
    three = {**verified, "third": verified["bad"]}
    assert not roc_figure(three).axes[0].texts
    words = verification_alt(three, "crops", "ROC curves")
    point = verified["bad"].per_repeat[0].points[0]
    assert f"at FAR 0.1 (threshold {similarity(point.threshold)})" in words
    assert "first of 10 repeats" in words
    assert [similarity(value) for value in (0.5, 0.95, 0.9961, 0.999922, None)] == [
        "0.50",
        "0.950",
        "0.9961",
        "0.999922",
        "",
    ]


def test_a_model_without_any_error_can_be_drawn():
    vectors = torch.eye(4).repeat(2, 1)
    perfect = Embeddings.from_vectors(vectors, [0, 1, 2, 3] * 2)
    runs = {"perfect": verify(perfect, perfect, fars=(0.1,))}
    for draw in (roc_figure, det_figure, histogram_figure):
        draw(runs).canvas.draw()
    assert "EER 0.0 %" in histogram_alt(runs, "x")


def test_histograms_give_each_kind_of_pair_its_own_hundred_percent(verified):
    figure = histogram_figure(verified)
    assert len(figure.axes) == 2
    for axes, (name, found) in zip(figure.axes, verified.items(), strict=True):
        first = found.per_repeat[0]
        impostors, genuine = axes.patches
        for patch, counts in (
            (impostors, first.histogram.impostors),
            (genuine, first.histogram.genuine),
        ):
            values, edges, _ = patch.get_data()
            assert values == pytest.approx(100 * np.array(counts) / sum(counts))
            assert tuple(edges) == first.histogram.edges
        assert impostors.get_hatch()
        assert not genuine.get_hatch()
        assert impostors.get_linestyle() != genuine.get_linestyle()
        assert axes.lines[0].get_xdata()[0] == found.eer_threshold
        assert axes.get_title(loc="left").startswith(f"{name}: EER {100 * found.eer:.1f} %")


def test_long_names_stay_within_figures(verified):
    name = "joint_without-market1501-site3_seed0_on_the_second_machine_of_two"
    figure = histogram_figure({name: verified["good"], "bad": verified["bad"]})
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        title = axes._left_title  # its box is nowhere else
        assert title.get_window_extent().x1 <= figure.bbox.x1
    assert "…" in figure.axes[0].get_title(loc="left")


def test_decidability_is_the_distance_in_spreads():
    edges = tuple(float(value) for value in np.linspace(-0.5, 10.5, 12))  # middles 0, 1, ..., 10
    genuine = (0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0)  # 8 ± 1
    impostors = (0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0)  # 2 ± 1
    assert decidability(Histogram(edges, genuine, impostors)) == pytest.approx(6)


def picture(shape=(60, 30), value=128):
    return np.full((*shape, 3), value, np.uint8)


def shown(runs=("one", "two"), queries=2):
    """Queries whose match is third under the first run and beyond the list under the second."""
    near = RankList(
        tuple(Hit(n, n + 1, n == 2, 0.9 - n / 10) for n in range(4)), Hit(2, 3, True, 0.7)
    )
    far = RankList(
        tuple(Hit(n, n + 1, False, 0.9 - n / 10) for n in range(4)), Hit(9, 12, True, -0.2)
    )
    lists = dict(zip(runs, (near, far), strict=False))
    precisions = dict.fromkeys(runs, 0.25)
    return [ShownQuery(f"id{n}", "gate6", picture(), lists, precisions) for n in range(queries)]


def gallery():
    return {row: picture(value=20 * row) for row in (*range(4), 9)}


def images(figure):
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize("theme", THEMES.values(), ids=str)
def test_true_and_false_matches_differ_in_frame_stroke_and_sign(theme):
    figure = ranks_figure(shown(("one",), 1), gallery(), top=4, theme=theme)
    query, *hits = images(figure)
    assert len(hits) == 4
    assert not query.lines
    signs = []
    for number, axes in enumerate(hits):
        spine = axes.spines["left"]
        wanted = theme.hues[0] if number == 2 else theme.hues[4]
        assert to_hex(spine.get_edgecolor()) == wanted
        assert (spine.get_linestyle() in ("-", "solid")) == (number == 2)
        signs.append(len(axes.lines[1].get_marker().vertices))
    assert len(set(signs)) == 2
    assert signs.count(signs[2]) == 1


@pytest.mark.slow
def test_the_first_match_is_told_and_shown_where_the_list_ends_before_it():
    figure = ranks_figure(shown(), gallery(), top=4, note="a note", theme=LIGHT)
    words = [text.get_text() for text in figure.texts]
    assert words.count("first match\nat rank 3") == 2
    assert words.count("match at rank 12") == 2
    assert words.count("one · AP 25.0 %") == words.count("two · AP 25.0 %") == 2
    assert {"id0", "id1", "same identity", "another identity", "a note"} <= set(words)
    # For each query: itself once, four hits for each run, and the match beyond the list.
    assert len(images(figure)) == 2 * (1 + 4 + 4 + 1)


def test_nothing_on_the_page_overlaps_or_leaves_it():
    note = "Images of the query's identity and camera are left out."
    figure = ranks_figure(shown(queries=3), gallery(), top=4, note=note)
    boxes = [axes.get_position() for axes in images(figure)]
    assert len(boxes) >= 3 * (1 + 4 + 4)
    for number, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.x1 <= 1
        assert one.y0 > 0
        assert one.y1 < 1
        for other in boxes[number + 1 :]:
            assert (
                one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
            )
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    for text in figure.texts:
        extent = text.get_window_extent()
        assert extent.x0 >= 0
        assert extent.x1 <= width
        assert 0 <= extent.y0 < extent.y1 <= height


def test_long_names_of_runs_end_before_the_first_match():
    figure = ranks_figure(shown(("short", "a" * 80), queries=1), gallery(), top=4)
    FigureCanvasAgg(figure).draw()
    lines = [text for text in figure.texts if "AP" in text.get_text()]
    assert ["…" in text.get_text() for text in lines] == [False, True]
    (place,) = [text for text in figure.texts if text.get_text().startswith("match at rank")]
    ends = [text.get_window_extent().x1 for text in lines]
    assert max(ends) < place.get_window_extent().x0


def test_words_of_rank_lists():
    words = ranks_alt(shown(), "hands", which="worst", top=4)
    assert words.startswith("Rank lists of 2 queries of hands, those with the lowest average")
    assert "averaged over the runs (identities id0, id1)" in words
    assert "one first true matches at ranks 3, 3; two first true matches at ranks 12, 12" in words
