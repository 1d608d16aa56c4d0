"""Readers of images: what they return, and what they say about files that are not whole."""

import gzip
import hashlib
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrmp.accuracy.lab.images import SOURCES, ImageSet, data_root, load_images
from lrmp.accuracy.lab.images.archive import read_jpeg_archive, read_pixel_archive
from lrmp.accuracy.lab.images.cifar_binary import RECORD, read_cifar10_binary
from lrmp.accuracy.lab.images.idx import read_idx, read_idx_images
from lrmp.accuracy.lab.images.image_folder import read_image_folder
from lrmp.accuracy.lab.images.sheets import NAMES, read_sheets, write_sheets
from lrmp.errors import AccuracyDataError

LOSSLESS = "cifar10-lossless-train"


def refused(message):
    return pytest.raises(AccuracyDataError, match=message)


# IDX


def idx_bytes(array):
    return b"\0\0\x08" + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def digits(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3, 4, 5), dtype=np.uint8)
    labels = np.array([7, 0, 9], np.uint8)
    (tmp_path / "images").write_bytes(idx_bytes(pixels))
    (tmp_path / "labels.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    return tmp_path, pixels, labels


def test_idx_is_read_plain_and_packed(digits):
    folder, pixels, labels = digits
    images = read_idx_images(folder / "images", folder / "labels.gz")
    assert np.array_equal(images.pixels, pixels[..., None])
    assert np.array_equal(images.labels, labels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:-1], r"Expected 60 bytes behind the header of .* got 59\. Fetch it again"),
        (lambda d: d + b"x", r"Expected 60 bytes behind the header of .* got 61"),
        (lambda d: d[:10], r"Expected 16 bytes of header in .* got 10"),
        (lambda d: b"\0\0\x0d" + d[3:], r"an IDX file of unsigned bytes, .* got 00 00 0d 03"),
        (lambda d: b"", r"an IDX file of unsigned bytes, .* got nothing"),
    ],
)
def test_damaged_idx_is_refused(digits, change, message):
    path = digits[0] / "images"
    path.write_bytes(change(path.read_bytes()))
    with refused(message):
        read_idx(path)


def test_truncated_gzip_is_refused(digits):
    path = digits[0] / "labels.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with refused(r"Expected .*labels\.gz to be a whole gzip file: .* Fetch it again"):
        read_idx(path)


def test_idx_files_that_do_not_belong_together_are_refused(digits):
    folder, pixels, _ = digits
    (folder / "images").write_bytes(idx_bytes(pixels[:2]))
    with refused(
        r"Expected as many labels in .* as images in .* got shapes \(3,\) and \(2, 4, 5\)"
    ):
        read_idx_images(folder / "images", folder / "labels.gz")


def test_missing_idx_is_refused(tmp_path):
    with refused(r"Expected an IDX file at .*none, got no such file"):
        read_idx(tmp_path / "none")


# CIFAR-10


def test_cifar_batches_are_joined(tmp_path):
    rng = np.random.default_rng(0)
    records = rng.integers(0, 10, (5, RECORD), dtype=np.uint8)
    paths = [tmp_path / "data_batch_1.bin", tmp_path / "data_batch_2.bin"]
    paths[0].write_bytes(records[:2].tobytes())
    paths[1].write_bytes(records[2:].tobytes())
    images = read_cifar10_binary(paths)
    assert images.labels.tolist() == records[:, 0].tolist()
    assert images.pixels.shape == (5, 32, 32, 3)
    # Red, green, blue planes of 1024 bytes, row by row.
    assert images.pixels[3, 7, 11].tolist() == [
        records[3, 1 + c * 1024 + 7 * 32 + 11] for c in range(3)
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(RECORD + 1), r"Expected .* to hold records of 3073 bytes, got 3074 bytes"),
        (b"", r"Expected .* to hold records of 3073 bytes, got 0 bytes"),
        (bytes([10] * RECORD), r"Expected classes 0 to 9 in .* got 10"),
    ],
)
def test_damaged_cifar_batch_is_refused(tmp_path, data, message):
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(data)
    with refused(message):
        read_cifar10_binary([path])


def test_missing_cifar_batch_is_refused(tmp_path):
    with refused(r"Expected a CIFAR-10 batch at .*none, got no such file"):
        read_cifar10_binary([tmp_path / "none"])


# Archives


def jpeg(color, size=(8, 6)):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def archive(tmp_path):
    files = [jpeg((250, 0, 0)), jpeg((0, 250, 0)), jpeg((0, 0, 250))]
    offset = np.cumsum([0, *map(len, files)])
    path = tmp_path / "images.npz"
    joined = np.frombuffer(b"".join(files), np.uint8)
    np.savez(path, jpeg=joined, offset=offset, label=np.array([3, 1, 2], np.int16))
    return path


def test_jpeg_archive_is_decoded_in_the_wanted_order(archive):
    images = read_jpeg_archive(archive, np.array([2, 0]))
    assert images.labels.tolist() == [2, 3]
    assert images.pixels.shape == (2, 6, 8, 3)
    assert images.pixels[0, 0, 0].argmax() == 2
    assert images.pixels[1, 0, 0].argmax() == 0
    assert len(read_jpeg_archive(archive)) == 3


def test_damaged_jpeg_is_refused(archive):
    with np.load(archive) as whole:
        arrays = dict(whole)
    arrays["jpeg"] = arrays["jpeg"].copy()
    arrays["jpeg"][arrays["offset"][1] : arrays["offset"][2]] = 0
    np.savez(archive, **arrays)
    assert len(read_jpeg_archive(archive, np.array([0]))) == 1
    with refused(r"Expected image 1 of .* to be a whole JPEG file: .* Fetch it again"):
        read_jpeg_archive(archive)


def test_truncated_archive_is_refused(archive):
    archive.write_bytes(archive.read_bytes()[:500])
    with refused(r"Expected .* to be a whole archive of plain arrays: .* Fetch it again"):
        read_jpeg_archive(archive)


def test_archive_without_the_arrays_is_refused(archive):
    with refused(r"Expected arrays x_test, y_test in .*: .*x_test"):
        read_pixel_archive(archive, "x_test", "y_test")


class Tripwire:
    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_nothing_is_unpickled(tmp_path):
    tripwire = Tripwire()
    tripwire.path = tmp_path / "executed"
    path = tmp_path / "images.npz"
    np.savez(path, x=np.array([tripwire], dtype=object), y=np.zeros(1))
    with refused(r"a whole archive of plain arrays: .*allow_pickle"):
        read_pixel_archive(path, "x", "y")
    assert not tripwire.path.exists()


def test_missing_archive_is_refused(tmp_path):
    with refused(r"Expected images at .*none\.npz, got no such file"):
        read_jpeg_archive(tmp_path / "none.npz")


def test_archive_of_fewer_images_is_refused(archive):
    with refused(r"Expected at least 8 images in .*images\.npz, got 3\. Fetch it again"):
        read_jpeg_archive(archive, np.array([0, 7]))


@pytest.mark.parametrize(
    ("source", "write"),
    [
        ("cifar10-lossless-test", "cifar10_lossless_subset.npz"),
        ("mnist-test", "t10k-images-idx3-ubyte.gz"),
    ],
)
def test_source_of_fewer_images_is_refused(tmp_path, source, write):
    folder = tmp_path / source.partition("-")[0]
    folder.mkdir()
    pixels, labels = np.zeros((3, 32, 32, 3), np.uint8), np.zeros(3, np.uint8)
    np.savez(folder / "cifar10_lossless_subset.npz", x_test=pixels, y_test=labels)
    for name, array in (("images-idx3", pixels[..., 0]), ("labels-idx1", labels)):
        packed = gzip.compress(idx_bytes(array))
        (folder / f"t10k-{name}-ubyte.gz").write_bytes(packed)
    with refused(rf"Expected at least 8 images in .*{write}, got 3\. Fetch it again"):
        load_images(source, np.array([0, 7]), tmp_path)


# Sheets


@pytest.fixture(scope="module")
def tiles():
    """10,000 images of one colour, but for a corner that tells up from down and left from right."""
    rng = np.random.default_rng(0)
    pixels = np.empty((10_000, 32, 32, 3), np.uint8)
    pixels[:] = rng.integers(0, 256, (10_000, 1, 1, 3), dtype=np.uint8)
    pixels[:, 0, 1:4] = 255 - pixels[:, 0, 1:4]
    return ImageSet(pixels, rng.integers(0, 10, 10_000))


@pytest.fixture(scope="module")
def written(tiles, tmp_path_factory):
    path = tmp_path_factory.mktemp("sheets") / "whole.npz"
    write_sheets(path, tiles)
    return path


@pytest.fixture
def sheets(written, tmp_path):
    """The archive's path and its arrays, and a function that writes changed ones."""
    with np.load(written) as whole:
        arrays = {name: whole[name].copy() for name in NAMES}
    path = tmp_path / "sheets.npz"

    def save(**changed):
        np.savez(path, **(arrays | changed))
        return path

    return save, arrays


def sheet_bytes(kind="WEBP", size=(1280, 800), **options):
    file = io.BytesIO()
    Image.new("RGB", size, (9, 8, 7)).save(file, kind, **options)
    return np.frombuffer(file.getvalue(), np.uint8)


def test_sheets_give_the_pixels_that_were_written(tiles, written):
    wanted = np.array([9_999, 0, 1_000, 39, 40, 41, 999, 5_432])
    found = read_sheets([written], wanted)
    assert np.array_equal(found.pixels, tiles.pixels[wanted])
    assert np.array_equal(found.labels, tiles.labels[wanted])
    assert np.array_equal(read_sheets([written], np.arange(10_000)).pixels, tiles.pixels)


def test_archives_of_sheets_follow_each_other(tiles, written, sheets):
    save, arrays = sheets
    second = save(label=9 - arrays["label"])
    wanted = np.array([10_005, 5, 19_999])
    found = read_sheets([written, second], wanted)
    assert np.array_equal(found.pixels, tiles.pixels[[5, 5, 9_999]])
    assert found.labels.tolist() == [9 - tiles.labels[5], tiles.labels[5], 9 - tiles.labels[9_999]]


def test_only_the_sheets_that_are_needed_are_decoded(sheets):
    save, arrays = sheets
    arrays["webp"][: arrays["offset"][3]] = 0  # sheets 0 to 2
    path = save()
    assert len(read_sheets([path], np.array([3_000, 9_999]))) == 2
    with refused(r"Expected sheet 2 of .*sheets\.npz to be a whole lossless WebP file, got"):
        read_sheets([path], np.array([3_000, 2_999]))


def test_archives_that_are_not_needed_may_be_missing(written, tmp_path):
    paths = [written, tmp_path / "none.npz"]
    assert len(read_sheets(paths, np.array([7]))) == 1
    with refused(r"Expected images at .*none\.npz, got no such file"):
        read_sheets(paths, np.array([7, 10_000]))


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (sheet_bytes(lossless=True)[:-9], r"to be a whole lossless WebP file: .* Fetch it again"),
        (sheet_bytes(lossless=True)[:24], r"got another header\. Fetch it again"),
        (sheet_bytes(quality=90), r"to be a whole lossless WebP file, got another header"),
        (sheet_bytes("JPEG"), r"to be a whole lossless WebP file, got another header"),
        (
            sheet_bytes(
                lossless=True, save_all=True, append_images=[Image.new("RGB", (1280, 800))]
            ),
            r"got another header",
        ),
        (
            sheet_bytes(lossless=True, size=(800, 1280)),
            r"lossless WebP file of 1280 x 800, got 800 x 1280\. Fetch it again",
        ),
    ],
)
def test_damaged_sheet_is_refused(sheets, sheet, message):
    save, _ = sheets
    offset = np.concatenate([[0], np.full(10, len(sheet))])  # the first; the others are empty
    path = save(webp=sheet, offset=offset)
    with refused(rf"Expected sheet 0 of .*{message}"):
        read_sheets([path], np.array([0]))
    with refused(r"Expected sheet 1 of .* got another header"):
        read_sheets([path], np.array([1_000]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a: {"offset": a["offset"][:-1]},
            r"Expected 10 sheets and 10000 classes in .*, got 9 and 10000\. Fetch it again",
        ),
        (lambda a: {"label": a["label"][1:]}, r"got 10 and 9999\. Fetch it again"),
        (lambda a: {"offset": a["offset"] * 1.0}, r"Expected offset in .* as a row of integers"),
        (
            lambda a: {"webp": a["webp"].astype(np.int16)},
            r"webp in .* as uint8, got int16",
        ),
        (lambda a: {"offset": a["offset"][::-1]}, r"Expected sheet 9 of .* got another header"),
        (lambda a: {"offset": a["offset"] + 2**40}, r"Expected sheet 9 of .* got another header"),
    ],
)
def test_damaged_archive_of_sheets_is_refused(sheets, change, message):
    save, arrays = sheets
    path = save(**change(arrays))
    with refused(message):
        read_sheets([path], np.array([9_999]))


def test_truncated_archive_of_sheets_is_refused(sheets):
    path = sheets[0]()
    path.write_bytes(path.read_bytes()[:-2000])
    with refused(r"Expected .*sheets\.npz to be a whole archive of plain arrays: .* Fetch it"):
        read_sheets([path], np.array([0]))


def test_archive_of_sheets_without_classes_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", webp=np.zeros(3, np.uint8), offset=np.arange(11))
    with refused(r"Expected arrays webp, offset, label in .*x\.npz: label missing"):
        read_sheets([tmp_path / "x.npz"], np.array([0]))


def test_other_images_are_not_written_as_sheets(tmp_path):
    images = ImageSet(np.zeros((5, 32, 32, 3), np.uint8), np.zeros(5, np.int64))
    with refused(r"images of shape \(10000, 32, 32, 3\), got \(5, 32, 32, 3\)"):
        write_sheets(tmp_path / "x.npz", images)


# Folders


@pytest.fixture
def folder(tmp_path):
    for label, name in enumerate(("n01", "n02")):
        (tmp_path / name).mkdir()
        for index in range(3):
            color = (80 * index, 100 * label, 0)
            Image.new("RGB", (400 + index, 300), color).save(tmp_path / name / f"{index}.png")
    return tmp_path


def test_folder_is_read_by_class_and_name(folder):
    images = read_image_folder(folder, ["n01", "n02"], short_side=64, side=56, limit=2)
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.pixels.shape == (4, 56, 56, 3)
    assert images.pixels[:, 0, 0].tolist() == [[0, 0, 0], [80, 0, 0], [0, 100, 0], [80, 100, 0]]


def test_worker_processes_change_nothing(folder):
    one = read_image_folder(folder, ["n01", "n02"], short_side=32, side=28)
    two = read_image_folder(folder, ["n01", "n02"], short_side=32, side=28, processes=2)
    assert np.array_equal(one.pixels, two.pixels)
    assert np.array_equal(one.labels, two.labels)


def test_crop_is_taken_from_the_middle(tmp_path):
    (tmp_path / "a").mkdir()
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[16:48, 48:80] = 255
    Image.fromarray(pixels).save(tmp_path / "a" / "x.png")
    images = read_image_folder(tmp_path, ["a"], short_side=64, side=32)
    assert images.pixels.min() == 255


def test_missing_class_folder_is_refused(folder):
    with refused(r"Expected a folder for each of 3 classes in .* got none for 1: n03\."):
        read_image_folder(folder, ["n01", "n02", "n03"])


def test_empty_class_folder_is_refused(folder):
    (folder / "n03").mkdir()
    with refused(r"Expected images \(\.jpeg, \.jpg, \.png\) in .*n03, got none"):
        read_image_folder(folder, ["n03"])


def test_truncated_image_is_refused(folder):
    path = folder / "n01" / "0.png"
    path.write_bytes(path.read_bytes()[:60])
    with refused(r"Expected .*0\.png to be a whole image: .* Fetch it again"):
        read_image_folder(folder, ["n01"])


def test_missing_folder_is_refused(tmp_path):
    with refused(r"Expected a folder of images at .*none, got no such folder"):
        read_image_folder(tmp_path / "none", ["a"])


# Image sets


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.zeros((2, 4, 4, 3)), np.zeros(2, int), r"pixels as uint8 .* got float64 of \(2, 4, 4"),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, int), r"got uint8 of \(2, 4, 4\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(3, int), r"Expected 2 labels .* shape \(3,\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2), r"Expected 2 labels as int64, got float64"),
    ],
)
def test_malformed_image_set_is_refused(pixels, labels, message):
    with refused(message):
        ImageSet(pixels, labels)


def test_unknown_source_is_refused(tmp_path):
    with refused(r"Expected image set to be one of .* Did you mean 'mnist-train'\?"):
        load_images("mnist-trai", np.arange(2), tmp_path)


def test_data_folder_is_the_given_one_or_the_variable(monkeypatch):
    monkeypatch.setenv("LRMP_DATA", "/elsewhere")
    assert data_root(Path("given")) == Path("given")
    assert data_root() == Path("/elsewhere")
    monkeypatch.delenv("LRMP_DATA")
    assert data_root() == Path("..") / "shared" / "data"


def test_mnist_is_the_original_one(data):
    test = load_images("mnist-test", np.arange(10_000), data)
    assert np.bincount(test.labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert hashlib.md5(test.pixels.tobytes()).hexdigest() == "240610fa99e73bfa49df8e7fc24d3206"


def test_cifar_training_images_begin_with_those_of_the_subset(data):
    indices = np.arange(4_000)
    whole, subset = (load_images(n, indices, data) for n in ("cifar10-train", LOSSLESS))
    assert np.array_equal(whole.pixels, subset.pixels)
    assert np.array_equal(whole.labels, subset.labels)


@pytest.mark.slow
def test_cifar_has_5000_training_images_of_every_class(data):
    labels = load_images("cifar10-train", np.arange(50_000), data).labels
    assert np.bincount(labels).tolist() == [5_000] * 10


@pytest.mark.parametrize("source", [name for name in SOURCES if name.startswith("imagenet")])
def test_imagenet_images_are_as_large_as_the_networks_take(source, data):
    images = load_images(source, np.array([0, SOURCES[source][0] - 1]), data)
    assert images.pixels.shape == (2, 224, 224, 3)
    assert 0 <= images.labels.min() <= images.labels.max() < 1000


@pytest.mark.slow
def test_imagenet_sets_share_no_image(data):
    def thumbnails(source):
        """Shades of 16 x 16, of mean 0 and length 1: a copy has nearly the same."""
        images = load_images(source, np.arange(SOURCES[source][0]), data)
        small = images.pixels.reshape(-1, 16, 14, 16, 14, 3).mean((2, 4, 5)).reshape(-1, 256)
        small -= small.mean(1, keepdims=True)
        return small / np.linalg.norm(small, axis=1, keepdims=True)

    sample, val, nips = map(
        thumbnails, ("imagenet-sample1000", "imagenet-val900", "imagenet-nips17")
    )
    for one, other in ((sample, val), (sample, nips), (val, nips)):
        assert (one @ other.T).max() < 0.96
