"""``lrmp optimize``: from an ONNX file and images to a design that the network was seen to hold."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import lrmp
from lrmp.accuracy.lab.images.own_images import Pixels
from lrmp.architect.effort import Effort
from lrmp.architect.folder import MEASUREMENTS, REPORT, SUMMARY
from lrmp.cli.exit_codes import EXIT_BAD_INPUT, EXIT_OK, EXIT_REFUSED
from lrmp.cli.main import main

pytestmark = pytest.mark.long


CHIP, OTHER = "lrmp_frontiers_2024", "isaac_isca_2016"
BOTH = ["--chip", CHIP, OTHER, "--max-drop", "5", "--checks", "4"]
FEW = ["--random", "12", "--near", "2", "--rounds", "8", "--checks", "2"]


def words(onnx_file, folders, out, *more):
    calibration, validation = map(str, folders)
    return [
        *("optimize", "--network", str(onnx_file), "--calibration", calibration),
        *("--validation", validation, "--out", str(out), *FEW, *more),
    ]


@pytest.fixture(scope="module")
def done(onnx_file, folders, tmp_path_factory):
    """The one command, with labels, on two chips."""
    out = tmp_path_factory.mktemp("done")
    assert main(words(onnx_file, folders, out, *BOTH)) == EXIT_OK
    return out


def summary(out):
    return json.loads((out / SUMMARY).read_text())


def test_the_network_holds_and_the_design_is_certified(done, trained, digits):
    answer = summary(done)
    assert answer["holds"] is True
    assert [chip["chip"] for chip in answer["chips"]] == [CHIP, OTHER]
    for chip in answer["chips"]:
        assert chip["gain"] > 1
        assert chip["certificate"]["value"] <= chip["certificate"]["bound"]
        assert np.exp(chip["certificate"]["value"]) == pytest.approx(chip["gain"])
        (check,) = [each for each in chip["checks"] if each["within"]]
        assert check["lost"] <= 5.0
        assert check["interval"][0] <= check["lost"] <= check["interval"][1]
        assert check["held_out"]["images"] == 150
    # The float network of the file is the one that was exported: same answers on the same images.
    import torch

    pixels, labels = digits
    places = sorted(range(1000, 1300), key=lambda place: (labels[place], str(place)))
    unseen = np.array(places)[np.random.default_rng(0).permutation(300)[150:]]
    with torch.no_grad():
        inputs = torch.from_numpy(pixels[unseen][:, None].astype(np.float32) / 255)
        right = (trained(inputs).argmax(1).numpy() == labels[unseen]).mean()
    assert check["held_out"]["float_top1"] == pytest.approx(100 * right)


def test_a_design_has_bits_and_copies_of_every_layer(done):
    design = summary(done)["chips"][0]["design"]
    assert set(design) == {"weight_bits", "activation_bits", "replication"}
    assert all(len(values) == 3 for values in design.values())
    assert min(design["weight_bits"]) < 8


def test_the_report_holds_all_it_shows(done):
    text = (done / REPORT).read_text()
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    for part in (
        "Summary",
        "Front: what accuracy buys",
        "Before and after, by component",
        "Floor plan",
        "By layer",
        "Certificate",
        "Accuracy: table and network",
        "Assumed and modelled numbers of the chip",
        "Provenance",
    ):
        assert part in text
    for chip in summary(done)["chips"]:
        assert f"{chip['gain']:.3f}x" in text
        assert chip["verdict"] in text
        assert f"{chip['certificate']['bound']:.6f}" in text
    assert "3 layers, 1,928 weights" in text  # 8 x 9, 8 x 72 and 10 x 128
    assert "How to read it." in text
    plain = "the plain design, weight bits 8 and activation bits 8 with one copy of every layer"
    assert text.count(plain) == 4  # in the summary and before every design
    assert '<td class="left">conv2d</td><td>72 x 8</td><td>64</td>' in text
    assert "Layers of kind matmul" not in text
    for layer in ("first", "second", "out"):
        assert f"<td>{layer}</td>" in text
    assert text.count("data:image/svg+xml;base64,") == 7


def test_what_assumed_numbers_decide_is_counted(done):
    chip = lrmp.load_preset(CHIP)
    assumed = [key for key, each in chip.provenance.items() if each.status == "assumed"]
    text = (done / REPORT).read_text()
    part = text[text.index(f'id="{CHIP}"') : text.index(f'id="{OTHER}"')]
    assert f"{len(chip.provenance)} entries" in part
    for key in assumed:
        assert key in part


def test_what_is_written_is_read_back(done, capsys):
    assert main(["evaluate", str(done / CHIP), "--json"]) == EXIT_OK
    found, chip = json.loads(capsys.readouterr().out), summary(done)["chips"][0]
    assert found["gain"] == chip["gain"]
    assert found["design"] == chip["design"]
    task = ["--env-id", str(done / CHIP / "task.json")]
    design = ["--design", str(done / CHIP / "design.json")]
    assert main(["evaluate", *task, *design, "--json"]) == EXIT_OK
    again = json.loads(capsys.readouterr().out)
    assert again["gain"] == chip["gain"]
    assert again["accuracy_drop"] == chip["accuracy_drop"]


def test_a_killed_run_goes_on_to_the_same_result(onnx_file, folders, done, tmp_path):
    command = words(onnx_file, folders, tmp_path, *BOTH)
    run = subprocess.Popen(
        [sys.executable, "-m", "lrmp", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    log = tmp_path / MEASUREMENTS
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None:
        if log.exists() and log.read_bytes().count(b"\n") > 30:
            break
        time.sleep(0.005)
    assert run.poll() is None, "it was to be killed in the middle"
    run.send_signal(signal.SIGKILL)
    run.wait()
    begun = log.read_bytes()
    assert not (tmp_path / REPORT).exists()
    assert main(command) == EXIT_OK
    whole = begun[: begun.rfind(b"\n") + 1]
    assert log.read_bytes().startswith(whole)
    assert (tmp_path / SUMMARY).read_text() == (done / SUMMARY).read_text()
    assert (tmp_path / REPORT).read_text() == (done / REPORT).read_text()
    for chip in (CHIP, OTHER):
        for name in ("design.json", "table.json", "task.json"):
            assert (tmp_path / chip / name).read_text() == (done / chip / name).read_text()


def test_a_folder_belongs_to_one_request(onnx_file, folders, done, capsys):
    assert main(words(onnx_file, folders, done, *BOTH[:-2], "--checks", "3")) == EXIT_BAD_INPUT
    error = capsys.readouterr().err
    assert "to be of this request, got one with other effort" in error
    assert "Name another folder" in error


def test_a_network_that_does_not_hold_is_said_plainly(onnx_file, folders, tmp_path, monkeypatch):
    """Labels of the unseen half are moved, so that what the network loses there is too much."""
    from lrmp.architect import search

    honest = search.design_result

    def worse(line):
        found = honest(line)
        if line["split"] != "test":
            return found
        right = [place for place in range(found.images) if place not in found.lost_images][:12]
        return search.replace(
            found, lost_images=tuple(sorted((*found.lost_images, *right))), gained_images=()
        )

    monkeypatch.setattr(search, "design_result", worse)
    command = words(onnx_file, folders, tmp_path)
    assert main(command) == EXIT_REFUSED
    (chip,) = summary(tmp_path)["chips"]
    assert chip["holds"] is False
    assert len(chip["checks"]) == 2
    assert chip["checks"][1]["share_of_limit"] < 1
    assert chip["verdict"].startswith("DOES NOT HOLD: the network lost")
    assert "none of 2 checked designs held" in chip["verdict"]
    assert "DOES NOT HOLD" in (tmp_path / REPORT).read_text()


def test_without_labels_divergence_is_the_limit(onnx_file, archives, tmp_path, capsys):
    assert main(words(onnx_file, archives, tmp_path / "a", "--max-divergence", "0.02")) == EXIT_OK
    (chip,) = summary(tmp_path / "a")["chips"]
    assert chip["limit"] == {"value": 0.02, "unit": "nats"}
    check = chip["checks"][-1]
    assert check["lost"] == check["held_out"]["divergence"] <= 0.02
    assert check["held_out"]["float_top1"] == 100
    assert "There were no labels" in (tmp_path / "a" / REPORT).read_text()
    capsys.readouterr()
    assert main(words(onnx_file, archives, tmp_path / "b", "--max-drop", "1")) == EXIT_BAD_INPUT
    assert "Expected labels to hold --max-drop" in capsys.readouterr().err


def test_a_limit_that_nothing_holds_is_one_error(onnx_file, folders, tmp_path, capsys):
    more = ["--max-divergence", "1e-12"]
    assert main(words(onnx_file, folders, tmp_path, *more)) == EXIT_BAD_INPUT
    assert "within 1e-12 nats, got none: the plain one alone loses" in capsys.readouterr().err


def test_without_accuracy_the_copies_are_the_best_and_nothing_else_is_claimed(
    onnx_file, tmp_path, capsys
):
    command = ["optimize", "--network", str(onnx_file), "--no-accuracy", "--budget", "60"]
    command += ["--set", "weight_bits=4", "--out", str(tmp_path)]
    assert main(command) == EXIT_OK
    assert "Accuracy was not looked at" in capsys.readouterr().out
    (chip,) = summary(tmp_path)["chips"]
    assert chip["design"]["weight_bits"] == [4, 4, 4]
    assert chip["design"]["activation_bits"] == [8, 8, 8]
    assert chip["proven_optimal"] is True
    assert chip["holds"] is chip["accuracy_drop"] is chip["score"] is None
    network = lrmp.Network.from_onnx(onnx_file)
    task = lrmp.make_task(network, budget=60, accuracy=nothing(network))
    assert chip["latency_s"] == lrmp.evaluate(task, weight_bits=4).report.latency_s
    text = (tmp_path / REPORT).read_text()
    assert "not looked at" in text
    assert not (tmp_path / CHIP / "record.jsonl").exists()


def nothing(network):
    points = {"*": [0.0] * 7}
    return {"weight_bits": points, "activation_bits": points, "provenance": "none"}


def test_the_function_takes_a_module(trained, archives, tmp_path):
    calibration, validation = archives
    answer = lrmp.optimize(
        trained,
        CHIP,
        out=tmp_path,
        calibration=calibration,
        validation=validation,
        effort=Effort(random=10, near=0, rounds=2, checks=1),
        progress=False,
    )
    assert answer.network == "Digits"
    assert [layer.name for layer in answer.chips[0].outcome.task.network.layers] == [
        "first",
        "second",
        "out",
    ]
    assert (tmp_path / REPORT).exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--no-accuracy"], "Expected images or --no-accuracy, got both"),
        (["--set", "weight_bits=4"], "--set and --design beside --no-accuracy"),
        (["--max-drop", "0"], "Expected --max-drop above 0"),
        (["--search-images", "3"], "Expected at least 10 search images"),
        (["--random", "3"], "Expected random of at least 10"),
        (["--chip", CHIP, CHIP], "chips with names of their own"),
        (["--chip", "isac_isca_2016"], "Did you mean 'isaac_isca_2016'"),
        (["--mean", "1,2"], "Expected one mean for all channels, or 1, got 2"),
        (["--resize", "4"], "a short side of at least 8"),
    ],
)
def test_what_cannot_be_is_one_line(onnx_file, folders, tmp_path, capsys, more, message):
    assert main(words(onnx_file, folders, tmp_path, *more)) == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err


def test_images_or_their_absence_must_be_said(onnx_file, tmp_path, capsys):
    command = ["optimize", "--network", str(onnx_file), "--out", str(tmp_path)]
    assert main(command) == EXIT_BAD_INPUT
    assert "Expected --calibration and --validation" in capsys.readouterr().err
    assert main([*command, "--calibration", "."]) == EXIT_BAD_INPUT
    assert "got one of them" in capsys.readouterr().err


def test_pixels_are_prepared_by_channel():
    pixels = np.array([[[[0, 255]], [[51, 102]]]], np.uint8)
    found = Pixels(mean=(0.5, 0.2), std=(0.5, 0.1))(pixels)
    np.testing.assert_allclose(found, [[[[-1, 1]], [[0, 2]]]], atol=1e-6)
