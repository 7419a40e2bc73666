"""Processes that embed together give the vectors of one process, to the bit."""

import hashlib
import json
import sys

import pytest
import torch
from forked_processes import run_processes

IMAGES, BATCH = 9, 2


def embed(processes=None):
    """Embed images of noise; return how many batches came by here, and the bytes of all vectors."""
    from drawn_pictures import small_model

    from promptreid.inference.embedding_loop import embed_images, encode_source

    model = small_model().eval()
    if processes is not None:
        model.backbone.share_rows(processes)
    images = torch.randn(IMAGES, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seen = []

    def encode(numbers, pixels):
        seen.append(len(numbers))
        return embed_images(model, pixels)

    vectors = encode_source(
        model, images, None, encode, width=model.embedding_width, title="noise", batch_size=BATCH
    )
    if processes is not None:
        assert model.backbone.image.processes is processes
    return seen, hashlib.sha256(vectors.numpy().tobytes()).hexdigest()


def main():
    """Be one of the processes."""
    from promptreid.processes.process_group import joined_processes

    with joined_processes("cpu") as processes:
        print(json.dumps(embed(processes)))


@pytest.fixture
def one_thread():
    """As many threads as each process has: rounding hangs on them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_each_process_embeds_whole_batches_of_its_own_and_all_have_all():
    batches, vectors = embed()
    assert batches == [2, 2, 2, 2, 1]
    said = [json.loads(one.said) for one in run_processes([__file__], 2)]
    assert [own for _, own in said] == [vectors] * 2
    assert [seen for seen, _ in said] == [[2, 2], [2, 2, 1]]


if __name__ == "__main__":
    sys.exit(main())
