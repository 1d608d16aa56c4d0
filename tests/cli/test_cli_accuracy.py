"""The lrmp accuracy commands."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from lrmp.accuracy.model.sensitivity_table import SensitivityTable, load_table
from lrmp.cli import main


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
    assert found["table_drop"] == pytest.approx(0, abs=0.01)
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
    shipped = load_table("mlp").terms["activation_bits",]
    np.testing.assert_allclose(table.terms["activation_bits",], shipped, rtol=0.02, atol=1e-9)
    assert "--knobs activation_bits" in table.provenance["command"]
    with pytest.raises(SystemExit):
        main([*words[:-4], "adc_bits"])
    assert "invalid choice: 'adc_bits'" in capsys.readouterr().err


def test_report_writes_page_and_picture(capsys, tmp_path):
    assert main(["accuracy", "report", "--out", str(tmp_path)]) == 0
    assert "| resnet20 |" in (tmp_path / "fidelity.md").read_text("utf-8")
    assert (tmp_path / "fidelity.png").is_file()


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
