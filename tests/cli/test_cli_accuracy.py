"""The lrmp accuracy commands."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from lrmp.accuracy.lab.models import load_model
from lrmp.accuracy.lab.protocol import load_protocol
from lrmp.accuracy.model.sensitivity_table import (
    SensitivityTable,
    load_measured,
    load_table,
    measured_terms,
)
from lrmp.cli import main
from lrmp.cli.accuracy import _with_images


def test_check_shows_table_and_network_side_by_side(data, capsys):
    command = ["accuracy", "check", "--env-id", "LRMP-MLP-v0"]
    command += ["--set", "weight_bits=2,6,8", "--set", "activation_bits=4,6,8"]
    assert main([*command, "--data", str(data)]) == 0
    text = capsys.readouterr().out
    assert "design          weight_bits 2 6 8, activation_bits 4 6 8" in text
    assert "table drop" in text
    for split in ("search", "test"):
        assert f"{split} split: top-1 99." in text
    assert "5000 images, 95 % paired bootstrap" in text


def test_check_prints_json(data, capsys):
    command = ["accuracy", "check", "--env-id", "LRMP-MLP-v0", "--set", "weight_bits=8", "--json"]
    assert main([*command, "--data", str(data)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["design"] == {"weight_bits": [8] * 3, "activation_bits": [8] * 3}
    assert found["table"] == "table"
    table = load_table("mlp")
    spent = sum(terms[:, -1].sum() for terms in table.terms.values())
    assert found["table_drop"] == pytest.approx(float(table.drop_map(spent)))
    assert 0 < found["table_drop"] < 0.1
    assert found["network_test"]["images"] == 5000
    assert abs(found["network_test"]["drop"]) < 0.2
    low, high = found["network_test"]["interval"]
    assert low <= found["network_test"]["drop"] <= high


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Expected either a run directory or --env-id, which takes --set or --design."),
        (["some_run", "--set", "weight_bits=8"], "Expected --set or --design beside --env-id"),
        (
            ["--env-id", "LRMP-MLP-v0", "--set", "weight_bits=x"],
            "Expected weight_bits between 2 and 8, got 'x'",
        ),
        (
            ["--env-id", "LRMP-MLP-v0", "--design", "none.json"],
            "Expected a file with a design at none.json",
        ),
        (
            ["--env-id", "LRMP-MLP-v0", "--set", "weight_bits=8", "--data", "none"],
            "Expected an IDX file at none/mnist",
        ),
    ],
)
def test_check_refuses_bad_input(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["accuracy", "check", *words]) == 2
    assert message in capsys.readouterr().err


def test_measure_refuses_the_test_images(capsys, tmp_path):
    words = ["--network", "resnet18", "--images", "imagenet-nips17", "--out", str(tmp_path)]
    assert main(["accuracy", "measure", *words]) == 2
    assert "A search never sees the test split" in capsys.readouterr().err


def test_measure_names_the_missing_weights(capsys, tmp_path):
    words = ["--network", "resnet20", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(["accuracy", "measure", *words]) == 2
    assert f"Expected weights at {tmp_path}" in capsys.readouterr().err


def test_measure_turns_the_knobs_that_it_is_told(data, capsys, tmp_path):
    words = ["accuracy", "measure", "--network", "mlp", "--data", str(data), "--out", str(tmp_path)]
    words += ["--knobs", "activation_bits", "--designs", "12", "--limit", "12"]
    assert main(words) == 0
    table = SensitivityTable.from_text((tmp_path / "mlp.json").read_text("utf-8"))
    assert list(table.terms) == [("activation_bits",)]
    log = (tmp_path / "mlp.measured.jsonl").read_text("utf-8").splitlines()
    measured, shipped = (
        measured_terms(lines, table.space, table.layers)["activation_bits",]
        for lines in (map(json.loads, log), load_measured("mlp"))
    )
    np.testing.assert_allclose(measured, shipped, rtol=0.02, atol=1e-9)
    assert "--knobs activation_bits" in table.provenance["command"]
    with pytest.raises(SystemExit):
        main([*words[:-4], "adc_bits"])
    assert "invalid choice: 'adc_bits'" in capsys.readouterr().err


SMALL = "--random 12 --near 2 --annealed 0 --learnt 0 --rounds 1 --judged-near 2 --judged-random 4"


@pytest.mark.long
def test_refine_writes_tables_and_what_they_were_made_of(data, capsys, tmp_path):
    words = ["accuracy", "refine", "--network", "mlp", "lenet", *SMALL.split()]
    assert main([*words, "--data", str(data), "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text.count("round 0: ") == text.count("wrote ") == 2
    for name in ("mlp", "lenet"):
        table = SensitivityTable.from_text((tmp_path / f"{name}.json").read_text("utf-8"))
        assert table.network == name
        assert table.provenance["command"] == f"lrmp accuracy refine --network {name} {SMALL}"
        assert [each["number"] for each in table.provenance["rounds"]] == [0]
        lines = (tmp_path / f"{name}.measured.jsonl").read_text("utf-8").splitlines()
        assert sum('"split":"test"' in line for line in lines) > 4
    assert main([*words, "--data", str(data), "--out", str(tmp_path)]) == 0  # all is there


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--network", "vgg16"], "invalid choice: 'vgg16' (choose from"),
        (["--network", "mlp", "--near", "-1"], "Expected near of at least 0, got -1."),
    ],
)
def test_refine_refuses_bad_input(words, message, capsys, tmp_path):
    try:
        code = main(["accuracy", "refine", *words, "--out", str(tmp_path)])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.long
def test_report_writes_page_and_picture(capsys, tmp_path):
    assert main(["accuracy", "report", "--out", str(tmp_path)]) == 0
    assert "| resnet20 |" in (tmp_path / "fidelity.md").read_text("utf-8")
    assert (tmp_path / "fidelity.png").is_file()


@pytest.mark.long
def test_tune_recovers_what_two_bits_cost_and_resumes(data, capsys, tmp_path):
    design = tmp_path / "design.json"
    design.write_text('{"weight_bits": [2, 2, 2], "activation_bits": [2, 2, 2]}')
    command = ["accuracy", "tune", "--env-id", "LRMP-MLP-v0", "--design", str(design), "--json"]
    command += ["--epochs", "1", "--limit", "3000", "--data", str(data), "--out", str(tmp_path)]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["training_images"] == 3000
    assert found["before_test"]["drop"] > 15
    assert found["after_test"]["drop"] < 10
    assert found["design"] == {"weight_bits": [2] * 3, "activation_bits": [2] * 3}
    (epoch,) = tmp_path.glob("LRMP-MLP-v0__*__0__3000/epoch1.safetensors")
    assert json.loads((epoch.parent / "design.json").read_text("utf-8")) == found["design"]
    written = epoch.stat().st_mtime_ns
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["after_test"] == found["after_test"]
    assert epoch.stat().st_mtime_ns == written  # it was taken as it is


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--env-id", "LRMP-ResNet18-v0", "--set", "weight_bits=4"],
            "Expected a network with a training",
        ),
        (
            ["--env-id", "LRMP-MLP-v0", "--set", "weight_bits=2", "--epochs", "0"],
            "Expected --epochs and --limit",
        ),
    ],
)
def test_tune_refuses_bad_input(words, message, data, capsys):
    assert main(["accuracy", "tune", *words, "--data", str(data)]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def digit_folder(tmp_path):
    """Scikit-learn's digits as a user's folder: one folder per class, PNG files of any size."""
    pixels, labels = load_digits(return_X_y=True)
    for index, (image, label) in enumerate(zip(pixels[:80], labels[:80], strict=True)):
        (tmp_path / "images" / str(label)).mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((image.reshape(8, 8) * 15.9).astype(np.uint8))
        grey.resize((30, 30)).save(tmp_path / "images" / str(label) / f"{index}.png")
    return tmp_path / "images"


@pytest.mark.long
def test_measure_takes_a_folder_of_images(digit_folder, capsys, tmp_path):
    words = ["--network", "mlp", "--images", str(digit_folder), "--designs", "12"]
    command = ["accuracy", "measure", *words, "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert "one point of drop is" in capsys.readouterr().out
    text = (tmp_path / "out" / "mlp.json").read_text("utf-8")
    table = SensitivityTable.from_text(text)
    assert table.provenance["calibration"] == "images[0:20] shuffled by 0"
    assert table.provenance["search"] == "images[20:80] shuffled by 0"
    assert table.provenance["search_float_top1"] > 50  # labels and shades are the right ones
    weights = table.terms["weight_bits",]
    assert weights[0, 0] > 10 * weights[0, 4] > 0
    log = (tmp_path / "out" / "mlp.log.jsonl").read_text("utf-8")
    assert main(command) == 0
    assert (tmp_path / "out" / "mlp.log.jsonl").read_text("utf-8") == log
    assert (tmp_path / "out" / "mlp.json").read_text("utf-8") == text


def test_measure_refuses_a_folder_without_all_classes(digit_folder, capsys, tmp_path):
    shutil.rmtree(digit_folder / "7")
    words = ["--network", "mlp", "--images", str(digit_folder), "--out", str(tmp_path)]
    assert main(["accuracy", "measure", *words]) == 2
    assert "Expected a folder for each of 10 classes in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "images", "calibration", "search"),
    [
        ("resnet18", "imagenet-val900", (0, 128), (128, 900)),
        ("mobilenet_v2", "imagenet-sample1000", (0, 128), (128, 578)),
        ("mlp", "mnist-train", (0, 1000), (1000, 6000)),
        ("resnet20", "cifar10-train", (0, 512), (512, 1012)),
    ],
)
def test_images_of_one_set_calibrate_or_are_searched_on_never_both(
    network, images, calibration, search
):
    protocol = _with_images(load_protocol(network), images)
    for split, places in ((protocol.calibration, calibration), (protocol.search, search)):
        assert (split.source, split.start, split.stop) == (images, *places)
    assert not set(protocol.calibration.indices()) & set(protocol.search.indices())
    assert protocol.sensitivity_images <= len(protocol.search)


@pytest.mark.parametrize(
    ("network", "images", "message"),
    [
        ("mlp", "cifar10-lossless-train", "Expected images of 28 x 28 with 1 channel for mlp, got"),
        ("resnet20", "mnist-train", "of 32 x 32 with 3 channels for resnet20, got 28 x 28 with 1"),
        ("mlp", "mnist", "image set to be one of mnist-test, mnist-train, cifar10-lossless-test"),
    ],
)
def test_measure_refuses_images_of_another_kind(network, images, message, data, capsys, tmp_path):
    words = ["--network", network, "--images", images, "--data", str(data), "--out", str(tmp_path)]
    assert main(["accuracy", "measure", *words]) == 2
    assert message in capsys.readouterr().err


def test_measure_refuses_weights_of_another_network(capsys, tmp_path):
    path = tmp_path / "resnet32.safetensors"
    save_file(load_model("resnet32").state_dict(), path)
    words = ["--network", "resnet20", "--weights", str(path), "--out", str(tmp_path / "out")]
    assert main(["accuracy", "measure", *words]) == 2
    error = capsys.readouterr().err
    assert f"Expected {path} to hold exactly the tensors of CifarResNet, got 0 missing" in error
    assert "Give weights of that network." in error


OWN = """
import numpy as np
import torch
from torch import nn

from lrmp.accuracy.lab.examples import Examples
from lrmp.accuracy.lab.subject import Subject


def small():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))
    inputs = np.random.default_rng(0).normal(0, 1, (88, 6)).astype(np.float32)
    return Subject("own", module, Examples(inputs[:8]), Examples(inputs[8:]))
"""


def test_measure_takes_a_network_of_the_users(tmp_path, monkeypatch, capsys):
    (tmp_path / "lrmp_test_own.py").write_text(OWN, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    command = ["accuracy", "measure", "--subject", "lrmp_test_own:small", "--designs", "24"]
    assert main([*command, "--out", "out"]) == 0
    table = SensitivityTable.from_text((tmp_path / "out" / "own.json").read_text("utf-8"))
    assert (table.network, table.layers) == ("own", ("0", "2"))
    assert "--subject lrmp_test_own:small --designs 24" in table.provenance["command"]
    assert (tmp_path / "out" / "own.log.jsonl").is_file()
    sys.modules.pop("lrmp_test_own")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weights", "w"], "Expected --weights, --images and --extend beside --network"),
        (["--extend"], "Expected --weights, --images and --extend beside --network"),
        ([], "Expected 'package.module:function', which makes a Subject, got 'no_such:module'"),
    ],
)
def test_measure_refuses_bad_subjects(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    command = ["accuracy", "measure", "--subject", "no_such:module", "--out", str(tmp_path)]
    assert main([*command, *words]) == 2
    assert message in capsys.readouterr().err
