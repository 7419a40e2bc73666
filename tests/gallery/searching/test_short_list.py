"""Re-ranked neighbours are in the order of the distances that evaluation computes."""

import numpy as np
import pytest
import torch
from gallery_model import PixelModel, draw_people, make_gallery

from promptreid.evaluation.reranking.rerank import rerank_distances
from promptreid.gallery.searching.filters import Filters
from promptreid.gallery.vector_model import GalleryImage


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    made = make_gallery(tmp_path_factory.mktemp("reranked") / "people")
    made.add(*draw_people(12, 6, families=4, noise=80))
    yield made
    made.close()


@pytest.mark.parametrize("people", [12, 1, 0])
def test_neighbours_are_in_the_order_of_re_ranked_distances(gallery, people):
    pictures, _ = draw_people(12, 7, families=4, noise=80, seed=0)
    query = np.clip(pictures[3].astype(int) + 9, 0, 255).astype(np.uint8)
    wanted = Filters(identities=[f"person {number}" for number in range(people)])
    plain = gallery.nearest([query], top=1000, filters=wanted)[0]
    reranked = gallery.nearest([query], top=1000, filters=wanted, rerank=True)[0]
    assert {one.entry: one.score for one in reranked} == {one.entry: one.score for one in plain}
    assert len(plain) == 6 * people
    if people != 12:
        return
    vector = torch.from_numpy(PixelModel().vectors([GalleryImage(query)]))
    vectors = torch.from_numpy(gallery.records.vectors([one.entry for one in plain]))
    order = rerank_distances(vector, vectors)[0].argsort(stable=True).tolist()
    assert [one.entry for one in reranked] == [plain[place].entry for place in order]
    assert [one.entry for one in reranked] != [one.entry for one in plain]
    first = gallery.nearest([query], top=5, filters=wanted, rerank=True)[0]
    assert first == reranked[:5]
