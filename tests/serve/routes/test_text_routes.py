"""Looking for somebody by words, over HTTP."""

import pytest
from served_gallery import attach

from promptreid.gallery.texts.text_search import TextQuery
from promptreid.gallery.vector_model import GalleryImage


def ask(asked, picture=None, **fields):
    files = attach(picture, field="picture") if picture is not None else None
    return asked.client.post("/v1/search/text", files=files, data=fields)


@pytest.mark.parametrize("beside", [False, True])
def test_words_rank_as_the_gallery_does(asked, beside):
    picture = asked.query(3) if beside else None
    body = ask(asked, picture, text="a red coat", weight="0.3", top="4").json()
    image = GalleryImage(picture) if beside else None
    query = TextQuery("a red coat", image=image, weight=0.3)
    answer = asked.service.gallery.search_text(query, top=4)
    assert (body["text"], body["weight"]) == ("a red coat", 0.3 if beside else 1)
    assert (body["searched"], body["missing"]) == (40, 0)
    assert body["explanation"] == answer.explanation
    for one, candidate in zip(body["candidates"], answer.candidates, strict=True):
        expected = candidate.to_dict()
        assert {key: one[key] for key in expected} == pytest.approx(expected)
        assert one["number"] == asked.service.gallery.identity(candidate.identity).identity


def test_wrong_words_are_told(asked):
    assert ask(asked, text="").status_code == 422
    assert ask(asked, text="x" * 300).status_code == 422
    assert ask(asked, text="a coat", weight="2").status_code == 422
    assert ask(asked, text="a coat", identities="zoe").status_code == 404
    assert ask(asked, b"rubbish", text="a coat").status_code == 422
