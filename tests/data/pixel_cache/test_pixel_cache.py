"""Pixels on disk: the right ones or none, whoever writes, dies or damages."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from PIL import Image

from promptreid.data.images import image_store as store_module
from promptreid.data.images import shared_pictures
from promptreid.data.images.boxes import Box, ImageSource
from promptreid.data.images.decode import read_image
from promptreid.data.images.image_store import ImageStore
from promptreid.data.images.transforms import resize
from promptreid.data.pixel_cache.cache_folder import PixelFolder, default_pixel_folder
from promptreid.data.pixel_cache.pixel_cache import PixelCache, stamp_file
from promptreid.data.pixel_cache.segment import records_path
from promptreid.errors import ConfigError

SIZE = (24, 16)
SLOT = 3 * 24 * 16
LONG_AGO = (1_500_000_000, 1_500_000_000)
COUNT = 12


@pytest.fixture
def paths(tmp_path):
    made = []
    for number in range(COUNT):
        rng = np.random.default_rng(number)
        path = tmp_path / f"{number:02d}.jpg"
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(path)
        os.utime(path, LONG_AGO)
        made.append(path)
    return made


@pytest.fixture
def folder(tmp_path):
    return PixelFolder(tmp_path / "pixels", 1 << 20, free_share=0)


@pytest.fixture(autouse=True)
def reads(monkeypatch):
    """Paths that were decoded; a store of `cache="auto"` finds no room in memory."""
    decoded = []
    monkeypatch.setattr(store_module, "cache_budget", lambda: 0)
    monkeypatch.setattr(
        shared_pictures, "read_image", lambda path: (decoded.append(path), read_image(path))[1]
    )
    return decoded


def opened(paths, folder, **options):
    return ImageStore(paths, SIZE, "bilinear", disk=folder, **options)


def expected(paths, size=SIZE, interpolation="bilinear"):
    return torch.stack([resize(read_image(path), size, interpolation) for path in paths])


def segments(folder):
    return sorted(folder.path.glob("*/*.pixels"))


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_kept_is_not_decoded_again(paths, folder, reads, threads):
    for _ in range(2):  # the second store is another run
        store = opened(paths, folder, threads=threads)
        for wanted in ([3, 3, 1], range(COUNT), [7]):
            assert torch.equal(store.batch(wanted), expected([paths[row] for row in wanted]))
    assert sorted(set(reads)) == paths
    # An image that comes twice in one batch before it is kept may be decoded twice.
    assert len(reads) <= COUNT + 1
    (segment,) = segments(folder)
    assert segment.stat().st_mode & 0o077 == 0
    assert COUNT * SLOT <= segment.stat().st_size <= (COUNT + 1) * SLOT


def test_each_size_filter_box_and_file_has_pixels_of_its_own(paths, folder):
    sources = [ImageSource(paths[0], box) for box in (None, Box(0, 0, 9, 9), Box(5, 5, 9, 9))]
    for _ in range(2):
        for size, interpolation in ((SIZE, "bilinear"), (SIZE, "bicubic"), ((16, 24), "bilinear")):
            store = ImageStore([*sources, paths[1]], size, interpolation, disk=folder)
            found = store.batch(range(4))
            assert torch.equal(found, expected([*sources, paths[1]], size, interpolation))
    assert len({bytes(row) for row in found.numpy().reshape(4, -1)}) == 4


def test_a_changed_file_is_decoded_anew(paths, folder):
    opened(paths, folder).batch(range(COUNT))
    before = paths[0].stat()
    # The same bytes in number, the same time of change: what a careless copy leaves.
    content = bytearray(paths[1].read_bytes())
    paths[0].write_bytes(content.ljust(before.st_size, b"\0")[: max(before.st_size, len(content))])
    os.utime(paths[0], LONG_AGO)
    assert torch.equal(opened(paths, folder).batch([0]), expected([paths[0]]))


def test_a_file_that_has_just_changed_is_not_kept(paths, folder, reads):
    os.utime(paths[0])
    for _ in range(2):
        opened(paths, folder).batch([0])
    assert reads == [paths[0]] * 2
    assert stamp_file(paths[0]) is None
    assert stamp_file(paths[0].with_name("missing.jpg")) is None
    assert stamp_file(np.zeros((2, 2, 3), np.uint8)) is None


def test_a_file_that_changes_while_it_is_decoded_is_not_kept(paths, folder, monkeypatch):
    def read_slowly(path):
        pixels = read_image(path)
        Image.new("RGB", (30, 40)).save(path)
        os.utime(path, LONG_AGO)
        return pixels

    monkeypatch.setattr(shared_pictures, "read_image", read_slowly)
    opened(paths, folder).batch([0])
    assert not segments(folder)


@pytest.mark.parametrize("kind", ["flip", "cut", "zeros"])
def test_damaged_pixels_are_decoded_anew(paths, folder, kind):
    opened(paths, folder).batch(range(COUNT))
    (segment,) = segments(folder)
    content = bytearray(segment.read_bytes())
    if kind == "flip":
        content[5 * SLOT + 7] ^= 4
    elif kind == "cut":
        del content[5 * SLOT + 7 :]
    else:
        content[5 * SLOT :] = bytes(len(content) - 5 * SLOT)
    segment.write_bytes(content)
    assert torch.equal(opened(paths, folder).batch(range(COUNT)), expected(paths))


def test_damaged_records_count_as_none(paths, folder):
    opened(paths, folder).batch(range(COUNT))
    records = records_path(segments(folder)[0])
    whole = records.read_bytes()
    size = len(whole) // COUNT
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        records.write_bytes(damaged)
        cache = PixelCache(folder, SIZE, "bilinear")
        out = np.empty((3, *SIZE), np.uint8)
        found = [cache.read(stamp_file(path).key, out) for path in paths]
        assert found.count(False) == 1, place
    assert size == 32


def test_half_a_record_is_cut_off_before_more_is_written(paths, folder, reads):
    opened(paths[:6], folder).batch(range(6))
    records = records_path(segments(folder)[0])
    with records.open("ab") as file:
        file.write(b"half")
    opened(paths, folder).batch(range(COUNT))  # goes on with the same segment
    assert len(segments(folder)) == 1
    reads.clear()
    assert torch.equal(opened(paths, folder).batch(range(COUNT)), expected(paths))
    assert not reads


def test_two_writers_do_not_meet(paths, folder, reads):
    first, second = opened(paths, folder), opened(paths, folder)
    first.batch(range(6))
    second.batch(range(COUNT))
    assert len(segments(folder)) == 2
    reads.clear()
    assert torch.equal(opened(paths, folder).batch(range(COUNT)), expected(paths))
    assert not reads


def test_what_another_process_writes_is_found_while_running(paths, folder):
    watching = PixelCache(folder, SIZE, "bilinear")
    out, key = np.empty((3, *SIZE), np.uint8), stamp_file(paths[2]).key
    assert not watching.read(key, out)
    opened(paths, folder).batch([2])
    watching.refresh()
    assert watching.read(key, out)
    assert torch.equal(torch.from_numpy(out), expected([paths[2]])[0])


WRITER = textwrap.dedent(
    """
    import pathlib, sys
    import numpy as np
    from promptreid.data.pixel_cache.cache_folder import PixelFolder
    from promptreid.data.pixel_cache.pixel_cache import PixelCache, stamp_file
    root, folder = map(pathlib.Path, sys.argv[1:])
    paths = sorted(root.glob("*.jpg"))
    caches = {}
    print("ready", flush=True)
    for number in range(10**9):
        image, height = number % len(paths), 24 + number // len(paths) % 50
        if height not in caches:
            kept = PixelFolder(folder, 1 << 30, free_share=0)
            caches[height] = PixelCache(kept, (height, 16), "bilinear")
        pixels = np.random.default_rng([image, height]).integers(0, 256, (3, height, 16), np.uint8)
        caches[height].keep(stamp_file(paths[image]).key, pixels)
        print(number, flush=True)
    """
)


def test_killed_writers_leave_nothing_half_written(paths, folder, tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, folder.path],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout.readline() == "ready\n"
            for _ in range(int(rng.integers(1, 60))):
                process.stdout.readline()
            assert process.poll() is None
            process.kill()
            assert process.wait() == -signal.SIGKILL
    kept = 0
    for place in folder.path.iterdir():
        height = int(place.name.partition("x")[0])
        cache = PixelCache(folder, (height, 16), "bilinear")
        out = np.empty((3, height, 16), np.uint8)
        for number, path in enumerate(paths):
            if cache.read(stamp_file(path).key, out):
                kept += 1
                rng = np.random.default_rng([number, height])
                assert np.array_equal(out, rng.integers(0, 256, out.shape, np.uint8))
    assert kept >= 4


def test_a_full_disk_is_done_without(paths, folder, monkeypatch):
    written = []

    def write_some(descriptor, data, place):
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(place)
        return real(descriptor, data, place)

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", write_some)
    store = opened(paths, folder, threads=1)
    assert torch.equal(store.batch(range(COUNT)), expected(paths))
    assert len(written) == 3
    assert torch.equal(opened(paths, folder).batch(range(COUNT)), expected(paths))


def test_a_file_size_limit_is_done_without(paths, folder, tmp_path):
    script = textwrap.dedent(
        """
        import pathlib, resource, signal, sys
        import numpy as np
        from promptreid.data.pixel_cache.cache_folder import PixelFolder
        from promptreid.data.pixel_cache.pixel_cache import PixelCache, stamp_file
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))  # less than four images
        folder = PixelFolder(pathlib.Path(sys.argv[2]), 1 << 20, free_share=0)
        cache = PixelCache(folder, (24, 16), "bilinear")
        for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jpg")):
            cache.keep(stamp_file(path).key, np.zeros((3, 24, 16), np.uint8))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path, folder.path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert segments(folder)[0].stat().st_size == 4000
    cache, out = PixelCache(folder, SIZE, "bilinear"), np.ones((3, *SIZE), np.uint8)
    found = [cache.read(stamp_file(path).key, out) for path in paths]
    assert found == [True] * 3 + [False] * (COUNT - 3)


def test_a_folder_that_cannot_be_made_is_done_without(paths, tmp_path):
    (tmp_path / "pixels").write_text("in the way")
    store = opened(paths, PixelFolder(tmp_path / "pixels", 1 << 20, free_share=0))
    assert torch.equal(store.batch(range(COUNT)), expected(paths))


class TestWhatIsKept:
    def test_small_files_are_not_where_memory_holds_them(self, paths, folder, monkeypatch):
        monkeypatch.setattr(store_module, "cache_budget", lambda: 1 << 30)
        small = [path for path in paths if path.stat().st_size < 3 * 64 * 64]
        assert small == paths
        ImageStore(paths, (64, 64), "bilinear", disk=folder).batch(range(COUNT))
        ImageStore(paths, (64, 64), "bilinear", disk=folder, cache=False).batch(range(COUNT))
        assert not segments(folder)

    def test_files_larger_than_their_pixels_are(self, paths, folder, reads):
        size = (8, 8)
        for _ in range(2):
            ImageStore(paths, size, "bilinear", disk=folder, cache=False).batch(range(COUNT))
        assert sorted(reads) == paths

    def test_nothing_is_without_a_folder(self, paths, folder, reads):
        for _ in range(2):
            opened(paths, None).batch(range(COUNT))
        assert len(reads) == 2 * COUNT
        assert not folder.path.exists()

    def test_images_in_memory_are_not(self, paths, folder):
        pictures = [Image.open(path).convert("RGB") for path in paths]
        assert torch.equal(opened(pictures, folder).batch(range(COUNT)), expected(paths))
        assert not segments(folder)


class TestPixelFolder:
    def fill(self, folder, paths, heights):
        for height in heights:
            ImageStore(paths, (height, 16), "bilinear", disk=folder).batch(range(COUNT))

    def test_the_least_recently_used_give_way(self, paths, tmp_path):
        folder = PixelFolder(tmp_path / "pixels", 8 * 32 * 1024, free_share=0)
        assert folder.segment_bytes == 32 * 1024
        heights = [24 + number for number in range(20)]
        for number, height in enumerate(heights):
            self.fill(folder, paths, [height])
            for path in folder.path.glob(f"{height}x*/*.pixels"):
                os.utime(path, (number, number))
            assert folder.used() <= folder.limit
        left = {int(path.parent.name[:2]) for path in segments(folder)}
        assert heights[-1] in left
        assert heights[0] not in left
        assert left == set(heights[-len(left) :])
        assert {path.with_suffix("") for path in segments(folder)} == {
            path.with_suffix("") for path in folder.path.glob("*/*.records")
        }

    def test_what_is_in_use_stays(self, paths, tmp_path):
        folder = PixelFolder(
            tmp_path / "pixels", 40 * 1024, free_share=0
        )  # segments of four images
        store = opened(paths * 3, folder)
        assert torch.equal(store.batch(range(COUNT)), expected(paths))
        used = {path: path.read_bytes() for path in segments(folder)}
        assert folder.used() <= folder.limit
        other = ImageStore(paths, (30, 16), "bilinear", disk=folder)
        assert torch.equal(other.batch(range(COUNT)), expected(paths, (30, 16)))
        writing = max(used, key=lambda path: path.stat().st_mtime_ns)
        assert writing.read_bytes() == used[writing]

    def test_half_a_pair_is_cleared_away(self, paths, folder):
        opened(paths, folder).batch(range(COUNT))
        (segment,) = segments(folder)
        records_path(segment).unlink()
        assert torch.equal(opened(paths, folder).batch([0]), expected(paths[:1]))
        assert folder.clear() > 0
        assert not segments(folder)

    @pytest.mark.parametrize(("free", "is_kept"), [(49, False), (900, True)])
    def test_a_full_disk_takes_no_more(self, paths, tmp_path, monkeypatch, free, is_kept):
        usage = type("Usage", (), {"total": 1000 * SLOT, "free": free * SLOT})
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
        folder = PixelFolder(tmp_path / "pixels", 1 << 20)
        assert torch.equal(opened(paths, folder).batch(range(COUNT)), expected(paths))
        assert bool(segments(folder)) == is_kept

    @pytest.mark.parametrize("text", ["much", "-1", "inf", "nan"])
    def test_a_wrong_limit_is_explained(self, monkeypatch, text):
        monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", text)
        with pytest.raises(ConfigError) as caught:
            default_pixel_folder()
        for word in ("PROMPTREID_PIXEL_CACHE_GIB", text, "0 or more"):
            assert word in str(caught.value)

    def test_the_environment_says_where_and_how_much(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "1.5")
        folder = default_pixel_folder()
        assert folder == PixelFolder(tmp_path / "promptreid" / "pixels", 3 << 29)
        monkeypatch.setenv("PROMPTREID_PIXEL_CACHE_GIB", "0")
        assert default_pixel_folder() is None
        monkeypatch.delenv("PROMPTREID_PIXEL_CACHE_GIB")
        assert default_pixel_folder().limit == 20 << 30
