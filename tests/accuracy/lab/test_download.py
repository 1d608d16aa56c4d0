"""Downloads, from files of this machine: checksums, damage, and what is written."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from lrmp.accuracy.lab.images import load_images
from lrmp.accuracy.lab.images.download import CIFAR10, MNIST, download_cifar10, fetch, main
from lrmp.errors import AccuracyDataError


def md5(data):
    return "md5:" + hashlib.md5(data).hexdigest()


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    return folder, f"file://{folder}/"


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    """An archive in CIFAR-10's layout, whose images are of one colour: they compress fast."""
    folder = tmp_path_factory.mktemp("cifar")
    rng = np.random.default_rng(0)
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    batches = {}
    with tarfile.open(folder / "cifar.tar.gz", mode="w:gz", compresslevel=1) as tar:
        for name in names:
            labels = rng.integers(0, 10, (10_000, 1), dtype=np.uint8)
            colors = rng.integers(0, 256, (10_000, 3), dtype=np.uint8)
            records = np.hstack([labels, colors.repeat(1024, axis=1)])
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = records.nbytes
            tar.addfile(member, io.BytesIO(records.tobytes()))
            batches[name] = labels[:, 0], colors
    return folder, batches


def test_file_with_its_checksum_is_fetched_once(server, tmp_path):
    folder, url = server
    (folder / "x").write_bytes(b"digits")
    path = fetch(url, "x", md5(b"digits"), tmp_path / "data")
    assert path == tmp_path / "data" / "x"
    (folder / "x").unlink()
    assert fetch(url, "x", md5(b"digits"), tmp_path / "data").read_bytes() == b"digits"


def test_wrong_checksum_is_refused_and_nothing_is_kept(server, tmp_path):
    folder, url = server
    (folder / "x").write_bytes(b"changed")
    with pytest.raises(AccuracyDataError, match=r"Expected .*x to have checksum md5:.*yourself"):
        fetch(url, "x", md5(b"digits"), tmp_path / "data")
    assert not (tmp_path / "data" / "x").exists()


def test_unreachable_file_is_refused(server, tmp_path):
    with pytest.raises(AccuracyDataError, match=r"Expected to fetch .*none: .* yourself\."):
        fetch(server[1], "none", md5(b""), tmp_path / "data")


@pytest.mark.long
def test_cifar_is_written_as_the_protocols_read_it(cifar, tmp_path):
    folder, batches = cifar
    digest = md5((folder / "cifar.tar.gz").read_bytes())
    download_cifar10(tmp_path, f"file://{folder}/", {"cifar.tar.gz": digest})

    def check(source, indices, name, places):
        images = load_images(source, np.array(indices), tmp_path)
        labels, colors = (of_batch[places] for of_batch in batches[name])
        assert images.labels.tolist() == labels.tolist()
        assert (images.pixels == colors[:, None, None]).all()

    check("cifar10-lossless-test", [5, 0, 999], "test_batch.bin", [5, 0, 999])
    check("cifar10-lossless-train", [3999, 7], "data_batch_1.bin", [3999, 7])
    check("cifar10-train", [3999, 7], "data_batch_1.bin", [3999, 7])
    check("cifar10-train", [49_999, 40_000], "data_batch_5.bin", [9_999, 0])


def test_archive_without_the_batches_is_refused(server, tmp_path):
    folder, url = server
    with tarfile.open(folder / "cifar.tar.gz", "w:gz"):
        pass
    data = (folder / "cifar.tar.gz").read_bytes()
    with pytest.raises(AccuracyDataError, match=r"Expected .* to be a whole archive .* Delete it"):
        download_cifar10(tmp_path, url, {"cifar.tar.gz": md5(data)})


def test_unknown_set_is_refused():
    with pytest.raises(AccuracyDataError, match=r"image set to be one of mnist, cifar10; got 'm"):
        main(["minst"])


def test_checksums_are_md5():
    for checksum in (*MNIST.values(), *CIFAR10.values()):
        algorithm, _, digits = checksum.partition(":")
        assert algorithm == "md5"
        assert len(bytes.fromhex(digits)) == 16
