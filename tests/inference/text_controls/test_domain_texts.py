"""Images against texts with tokens of their own domain, of others, and of their mean."""

import pytest
import torch
from small_models import small_backbone
from small_prompts import identity_prompt

from promptreid.evaluation.uncertainty.intervals import Difference
from promptreid.evaluation.uncertainty.resampling import Bootstrap
from promptreid.inference.text_controls.domain_texts import DomainTexts, compare_domain_texts
from promptreid.models.prompts.sentences import SentenceFields

DOMAINS = (0, 1, 2, 0, 1, 2, 0, 1, 1)
NAMES = ("north", "south", "east")
ASPECTS = SentenceFields(variants=({"side": "palm"}, {"side": "back"}))


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=["one sentence", "two sentences"])
def prompt(request):
    backbone = small_backbone()
    options = {"domains": DOMAINS, "domain_tokens": 2, "context_tokens": 2}
    if request.param == "two sentences":
        options |= {"template": "the {side} of a {context} hand", "fields": ASPECTS}
    found = identity_prompt(backbone, len(DOMAINS), **options)
    with torch.no_grad():
        found.tokens.mul_(30)
        found.domain.mul_(60)
    return found


@pytest.fixture(scope="module")
def images(prompt):
    """Images near the text of their identity, none of domain 2 for identity 5."""
    labels = torch.tensor([0, 0, 3, 3, 6, 1, 1, 4, 7, 8, 8, 2, 2, 2])
    variants = torch.arange(len(labels)) % len(prompt.variants)
    texts = prompt.bank()[variants, labels]
    noise = draw(*texts.shape) * texts.norm(dim=1, keepdim=True) / texts.shape[1] ** 0.5
    return texts + 0.9 * noise, labels, variants


def closest(image, bank, identities):
    def cosine(number):
        return float(torch.cosine_similarity(image, bank[number], dim=0))

    return max(identities, key=cosine)


def naive(prompt, images, labels, variants, domain):
    """Shares of right images by kind of text, and the change of each image."""
    own, neutral = prompt.bank(), prompt.neutral()
    swapped = [prompt.swapped(shift) for shift in (1, 2)]
    right = {"own": [], "swapped": [], "neutral": []}
    for image, label, variant in zip(images, labels.tolist(), variants.tolist(), strict=True):
        if DOMAINS[label] != domain:
            continue
        candidates = [number for number, place in enumerate(DOMAINS) if place == domain]
        right["own"].append(closest(image, own[variant], candidates) == label)
        others = [closest(image, bank[variant], candidates) == label for bank in swapped]
        right["swapped"].append(sum(others) / 2)
        right["neutral"].append(closest(image, neutral, candidates) == label)
    return right


def test_shares_are_those_of_a_naive_search(prompt, images):
    found = compare_domain_texts(prompt, *images, NAMES)
    assert [one.domain for one in found] == list(NAMES)
    for number, one in enumerate(found):
        right = naive(prompt, *images, number)
        assert one.images == len(right["own"])
        assert one.identities == DOMAINS.count(number)
        for kind, values in right.items():
            assert getattr(one, kind) == pytest.approx(sum(values) / len(values)), kind
        assert one.own_minus_swapped.value == pytest.approx(one.own - one.swapped)
    assert any(one.own != one.swapped for one in found)


def test_the_interval_is_over_drawn_identities(prompt, images):
    (first, *_) = compare_domain_texts(prompt, *images, NAMES, seed=4)
    right = naive(prompt, *images, 0)
    change = [a - b for a, b in zip(right["own"], right["swapped"], strict=True)]
    of = [label for label in images[1].tolist() if DOMAINS[label] == 0]
    drawn = []
    for weights in Bootstrap(seed=4).weights(3).tolist():
        share = dict(zip((0, 3, 6), weights, strict=True))
        total = sum(share[label] * value for label, value in zip(of, change, strict=True))
        drawn.append(total / sum(share[label] for label in of))
    low, high = torch.tensor(drawn, dtype=torch.float64).quantile(
        torch.tensor([0.025, 0.975], dtype=torch.float64)
    )
    assert first.own_minus_swapped.low == pytest.approx(float(low))
    assert first.own_minus_swapped.high == pytest.approx(float(high))


def test_a_domain_without_images_is_left_out(prompt, images):
    features, labels, variants = images
    kept = torch.tensor([DOMAINS[label] != 1 for label in labels.tolist()])
    found = compare_domain_texts(prompt, features[kept], labels[kept], variants[kept], NAMES)
    assert [one.domain for one in found] == ["north", "east"]


@pytest.mark.parametrize(
    ("low", "words"), [(0.01, "Domain tokens matter"), (0.0, "do not help the texts")]
)
def test_the_verdict_is_that_of_the_interval(low, words):
    found = DomainTexts("north", 0.9, 0.7, 0.8, Difference(0.2, low, 0.3, 0.99), 40, 10)
    assert words in found.verdict()
    assert "20.00 points" in found.verdict()
    assert found.to_dict()["own_minus_swapped"]["low"] == low
