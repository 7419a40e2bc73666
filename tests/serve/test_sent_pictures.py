"""Pictures that clients send."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image, features
from served_gallery import png

from promptreid.errors import DataError
from promptreid.serve.sent_pictures import (
    TAKEN,
    PixelBudget,
    SentFile,
    TooLargeError,
    decoding,
)
from promptreid.serve.service_settings import ServiceSettings

SETTINGS = ServiceSettings(picture_pixels=10_000, decoded_pixels=15_000)
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def decode(*contents, settings=SETTINGS):
    files = [SentFile(f"{n}.png", content) for n, content in enumerate(contents)]
    with decoding(files, PixelBudget(settings.decoded_pixels), settings) as pictures:
        return pictures


def bomb(width, height):
    """Return a PNG of a few bytes that says it has so many pixels."""

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))  # fmt: skip

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))  # fmt: skip


@pytest.mark.parametrize("form", sorted(set(TAKEN) - {"DIB"}))
def test_formats_of_cameras_and_browsers_are_taken(form):
    if form == "AVIF" and not features.check("avif"):
        form = "PNG"  # this Pillow was built without
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, form)
    [picture] = decode(file.getvalue())
    assert picture.pixels.shape == (40, 30, 3)
    assert picture.content == file.getvalue()


@pytest.mark.parametrize("size", [(101, 100), (50_000, 50_000), (2**31 - 1, 1)])
def test_bombs_are_refused_by_their_header(size):
    with pytest.raises((TooLargeError, DataError)) as caught:
        decode(bomb(*size))
    assert "pixels" in str(caught.value)


def test_all_pictures_of_a_request_have_one_budget():
    picture = png(np.zeros((90, 90, 3), np.uint8))
    assert len(decode(picture)) == 1
    with pytest.raises(TooLargeError, match="16,200 pixels together"):
        decode(picture, picture)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish",
        b"%PDF-1.7",
        b"%!PS-Adobe",
        b"<svg/>",
        png(PIXELS)[:-200],
        b"GIF89a",
        b"PK\x03\x04",
    ],
)
def test_what_is_no_picture_is_told_in_words(content):
    with pytest.raises(DataError) as caught:
        decode(content)
    assert "0.png" in str(caught.value)


def test_who_asks_for_pixels_waits_until_they_are_free():
    budget = PixelBudget(100)
    inside = threading.Event()

    def wait():
        with budget.holding(60):
            inside.set()

    with budget.holding(60):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not inside.wait(0.05)
    thread.join(10)
    assert inside.is_set()


def test_small_requests_do_not_pass_a_large_one_that_waits():
    budget, order = PixelBudget(100), []

    def take(pixels):
        with budget.holding(pixels):
            order.append(pixels)

    threads = [threading.Thread(target=take, args=(pixels,)) for pixels in (100, 10)]
    with budget.holding(60):
        for thread in threads:
            thread.start()
            thread.join(0.05)
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == [100, 10]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\a.png", "a.png"),
        ("", "picture"),
        (None, "picture"),
        ("a\u202eb\n.png", "a\\u202eb\\u000a.png"),
        ("/", "picture"),
    ],
)
def test_a_clients_name_of_a_file_is_a_word_and_no_path(sent, name):
    assert SentFile.named(sent, b"").name == name
