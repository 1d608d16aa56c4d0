"""Images of one's own: folders and archives, and what they must be."""

import numpy as np
import pytest

from lrmp.accuracy.lab.images.own_images import Pixels, class_folders, read_own_images
from lrmp.errors import AccuracyDataError

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def save(path, size=(8, 8), channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if channels == 1 else (*size, channels)
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def read(path, shape=(1, 8, 8), pixels=Pixels(), least=1):  # noqa: B008
    return read_own_images(path, shape, pixels, least, "validation")


def test_numbered_folders_are_classes_by_number(tmp_path):
    kept = [save(tmp_path / name / "a.png") for name in ("9", "10", "2")]
    found = read(tmp_path)
    assert found.labels.tolist() == [10, 2, 9]  # in the order of their names
    order = [kept[1], kept[2], kept[0]]
    np.testing.assert_allclose(found.inputs[:, 0], np.array(order) / np.float32(255))
    assert class_folders(tmp_path) is None


def test_named_folders_are_classes_in_order(tmp_path):
    for name in ("dog", "cat", "ant"):
        save(tmp_path / name / "a.jpg", channels=3)
    assert read(tmp_path, (3, 8, 8)).labels.tolist() == [0, 1, 2]
    assert class_folders(tmp_path) == 3


def test_a_flat_folder_has_no_labels(tmp_path):
    save(tmp_path / "b.png")
    save(tmp_path / "a.png")
    assert read(tmp_path).labels is None
    assert len(read(tmp_path)) == 2


def test_files_are_resized_and_cut_where_that_is_asked_for(tmp_path):
    save(tmp_path / "a.png", size=(32, 20), channels=3)
    found = read(tmp_path, (3, 8, 8), Pixels(resize=10))
    assert found.inputs.shape == (1, 3, 8, 8)


@pytest.mark.parametrize("layout", ["nhw", "nhwc", "nchw"])
def test_archives_of_pixels_may_be_laid_out_as_they_like(tmp_path, layout):
    pixels = RNG.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    given = {"nhw": pixels, "nhwc": pixels[..., None], "nchw": pixels[:, None]}[layout]
    np.savez(tmp_path / "a.npz", images=given, labels=np.array([1, 0, 2]))
    found = read(tmp_path / "a.npz")
    np.testing.assert_allclose(found.inputs[:, 0], pixels / np.float32(255))
    assert found.labels.tolist() == [1, 0, 2]


def test_floats_are_taken_as_they_are(tmp_path):
    values = RNG.normal(size=(3, 1, 8, 8))
    np.savez(tmp_path / "a.npz", images=values)
    np.testing.assert_array_equal(read(tmp_path / "a.npz").inputs, values.astype(np.float32))
    with pytest.raises(AccuracyDataError, match="Expected no --mean, --std, --scale or --resize"):
        read(tmp_path / "a.npz", pixels=Pixels(mean=(0.5,)))


def archive(**arrays):
    return lambda path: np.savez(path / "a.npz", **arrays) or path / "a.npz"


def folder(*files, **options):
    def make(path):
        for file in files:
            save(path / "f" / file, **options)
        (path / "f").mkdir(exist_ok=True)
        return path / "f"

    return make


BYTES = np.zeros((3, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "none", "got nothing there"),
        (folder(), r"Expected images \(.jpeg, .jpg, .png\) in"),
        (folder("a.png", size=(8, 9)), "images of 8 x 8, got 9 x 8 in .*--resize 8"),
        (folder("a.png", channels=3), "shades of grey, .* got colours"),
        (archive(x=BYTES), "Expected an array 'images' in .*, got x"),
        (archive(images=BYTES[:, :7]), r"images of shape \(1, 8, 8\), .* got \(1, 7, 8\)"),
        (archive(images=BYTES.astype(int)), "as bytes .* or floats .*, got int64"),
        (archive(images=BYTES, labels=np.zeros(2, int)), "Expected 3 whole numbers as 'labels'"),
        (archive(images=BYTES, labels=np.zeros(3)), "got float64 of shape"),
        (archive(images=np.array([object()])), "pickled objects"),
    ],
)
def test_what_does_not_fit_is_one_error(tmp_path, make, message):
    with pytest.raises(AccuracyDataError, match=message):
        read(make(tmp_path))


def test_too_few_are_refused(tmp_path):
    save(tmp_path / "a.png")
    with pytest.raises(AccuracyDataError, match=r"at least 20 validation images in .*, got 1"):
        read(tmp_path, least=20)


def test_a_folder_needs_a_network_of_images(tmp_path):
    save(tmp_path / "a.png")
    with pytest.raises(AccuracyDataError, match="Say it with --input-shape"):
        read(tmp_path, shape=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "Expected scale above 0, got 0"),
        ({"std": (1.0, -1.0)}, "Expected std above 0, got 1, -1"),
        ({"mean": (float("nan"),)}, "Expected finite means"),
        ({"resize": 0}, "at least 1 pixel"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(AccuracyDataError, match=message):
        Pixels(**options)
