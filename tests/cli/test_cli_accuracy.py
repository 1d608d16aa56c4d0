"""The lrmp accuracy commands."""

import json

import pytest

from lrmp.cli import main


def test_check_shows_table_and_network_side_by_side(data, capsys):
    command = ["accuracy", "check", "--env-id", "LRMP-MLP-v0", "--bits", "268/468"]
    assert main([*command, "--data", str(data)]) == 0
    text = capsys.readouterr().out
    assert "design          268/468" in text
    assert "table drop" in text
    for split in ("search", "test"):
        assert f"{split} split: top-1 99." in text
    assert "5000 images, 95 % paired bootstrap" in text


def test_check_prints_json(data, capsys):
    command = ["accuracy", "check", "--env-id", "LRMP-MLP-v0", "--bits", "8/8", "--json"]
    assert main([*command, "--data", str(data)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["design"] == "888/888"
    assert found["table"] == "table"
    assert found["table_drop"] == pytest.approx(0, abs=0.01)
    assert found["network_test"]["images"] == 5000
    assert abs(found["network_test"]["drop"]) < 0.2
    low, high = found["network_test"]["interval"]
    assert low <= found["network_test"]["drop"] <= high


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Expected either a run directory or --env-id with --bits"),
        (["--bits", "8/8"], "Expected --env-id beside --bits"),
        (["--env-id", "LRMP-MLP-v0", "--bits", "8"], "Expected --bits as W/A in digits"),
        (["--env-id", "LRMP-MLP-v0", "--bits", "8/x"], "Expected --bits as W/A in digits"),
        (
            ["--env-id", "LRMP-MLP-v0", "--bits", "8/8", "--data", "none"],
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


def test_report_writes_page_and_picture(capsys, tmp_path):
    assert main(["accuracy", "report", "--out", str(tmp_path)]) == 0
    assert "| resnet20 |" in (tmp_path / "fidelity.md").read_text("utf-8")
    assert (tmp_path / "fidelity.png").is_file()


def test_tune_recovers_what_two_bits_cost_and_resumes(data, capsys, tmp_path):
    command = ["accuracy", "tune", "--env-id", "LRMP-MLP-v0", "--bits", "2/2", "--json"]
    command += ["--epochs", "1", "--limit", "3000", "--data", str(data), "--out", str(tmp_path)]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["training_images"] == 3000
    assert found["before_test"]["drop"] > 15
    assert found["after_test"]["drop"] < 10
    epoch = tmp_path / "LRMP-MLP-v0__222-222__0__3000" / "epoch1.safetensors"
    written = epoch.stat().st_mtime_ns
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["after_test"] == found["after_test"]
    assert epoch.stat().st_mtime_ns == written  # it was taken as it is


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env-id", "LRMP-ResNet18-v1", "--bits", "4/4"], "Expected a network with a training"),
        (
            ["--env-id", "LRMP-MLP-v0", "--bits", "2/2", "--epochs", "0"],
            "Expected --epochs and --limit",
        ),
    ],
)
def test_tune_refuses_bad_input(words, message, data, capsys):
    assert main(["accuracy", "tune", *words, "--data", str(data)]) == 2
    assert message in capsys.readouterr().err
