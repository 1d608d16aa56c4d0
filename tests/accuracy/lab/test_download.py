"""Downloads, from files of this machine: checksums, damage, and what is written."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from lrmp.accuracy.lab.images import load_images
from lrmp.accuracy.lab.images.cifar_binary import RECORD
from lrmp.accuracy.lab.images.download import CIFAR10, MNIST, download_cifar10, fetch, main
from lrmp.errors import AccuracyDataError


def md5(data):
    return "md5:" + hashlib.md5(data).hexdigest()


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    return folder, f"file://{folder}/"


@pytest.fixture
def cifar(server):
    """A small archive in CIFAR-10's layout: 5,000 training and 1,000 test records."""
    folder, _ = server
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, count in (("data_batch_1.bin", 4000), ("test_batch.bin", 1000)):
            records = rng.integers(0, 10, (count, RECORD), dtype=np.uint8)
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = records.nbytes
            tar.addfile(member, io.BytesIO(records.tobytes()))
    data = file.getvalue()
    (folder / "cifar.tar.gz").write_bytes(data)
    return records, data


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


def test_cifar_is_written_as_the_protocols_read_it(server, cifar, tmp_path):
    records, data = cifar
    download_cifar10(tmp_path, server[1], {"cifar.tar.gz": md5(data)})
    images = load_images("cifar10-lossless-test", np.array([5, 0]), tmp_path)
    assert images.labels.tolist() == records[[5, 0], 0].tolist()
    assert images.pixels[0, 0, 0, 0] == records[5, 1]
    assert len(load_images("cifar10-lossless-train", np.arange(4000), tmp_path)) == 4000


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
