"""Gains against another design than the plain one: given, or the bits of an ONNX file."""

import json
import math
import pickle
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from lrmp.cli import main
from lrmp.envs import CUSTOM_ID, evaluate, load_task, make_task, read_task
from lrmp.envs.scoring.outcome import gain
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.errors import DesignError, InfeasibleBudgetError, NetworkError, TaskError
from lrmp.hardware import Accelerator, Design, Layer, Network, read_file_bits
from lrmp.hardware.space.precision import precision

# By hand, for layers of 16 x 8 and 8 x 4 with one position on crossbars of 8 x 8 cells of 2 bits,
# whose rows all work at once, with 1 input bit at a time and 2 columns per ADC: a cycles of input
# times 2 conversions a layer, and ceil(rows / 8) * ceil(columns * ceil(w / 2) / 8) tiles.
CHIP = Accelerator(
    name="toy",
    crossbar_rows=8,
    crossbar_columns=8,
    cell_bits=2,
    dac_bits=1,
    active_rows=8,
    columns_per_adc=2,
    clock_mhz=100,
    slice_placement="packed",
    output_elements_per_cycle=0,
)
NETWORK = Network("two", (Layer.linear("w", 16, 8), Layer.linear("v", 8, 4)))
POINTS = {
    "weight_bits": {"*": [4, 1, 0.3, 0.1, 0.03, 0.01, 0]},
    "activation_bits": {"*": [4, 1, 0.3, 0.1, 0.03, 0.01, 0]},
    "provenance": "made up",
}
QONNX = "qonnx.custom_op.general"


def task_of(**changes):
    return make_task(**{"network": NETWORK, "accelerator": CHIP, "accuracy": POINTS} | changes)


def test_gain_is_against_it():
    plain = task_of()
    # 8 * 2 and 8 * 2 cycles; 2 * 4 and 1 * 2 tiles.
    assert (plain.baseline_report.latency_cycles, plain.budget) == (32, 10)
    given = task_of(baseline={"weight_bits": [4, 8], "activation_bits": [4, 8]})
    # 4 * 2 and 8 * 2 cycles; 2 * 2 and 1 * 2 tiles: the chip that holds it.
    assert (given.baseline_report.latency_cycles, given.budget) == (24, 6)
    bits = {"weight_bits": 2, "activation_bits": 2}  # 2 * 2 cycles each; 2 * 1 and 1 * 1 tiles
    outcome = evaluate(given, bits)
    assert outcome.report.latency_cycles == 8
    assert (evaluate(plain, bits).gain, outcome.gain) == (4.0, 3.0)
    assert gain(given, outcome.report) == 3.0
    assert outcome.to_json()["baseline_layer_cycles"] == [8, 16]
    assert [row["baseline_cycles"] for row in outcome.to_table()] == [8, 16]
    with pytest.raises(InfeasibleBudgetError, match="at least 10 tiles"):
        evaluate(given)  # the plain design does not fit that chip
    larger = task_of(baseline={"weight_bits": [4, 8], "activation_bits": [4, 8]}, budget=10)
    assert evaluate(larger).gain == 24 / 32


def test_copies_count():
    # Conv of 4 positions: 8 * 2 cycles each; two copies have two positions.
    network = Network("conv", (Layer("c", "conv2d", rows=8, columns=2, positions=4),))
    points = POINTS | {"weight_bits": {"c": [1.0] * 7}}
    task = task_of(network=network, accuracy=points, baseline={"replication": [2]})
    assert (task.baseline_report.latency_cycles, task.budget) == (32, 2)
    assert task.baseline.replication.tolist() == [2]
    design = Design.plain(1)
    assert task_of(network=network, accuracy=points, baseline=design).baseline is None


def test_solvers_and_environments_agree():
    given = task_of(baseline={"activation_bits": [4, 8]}, allowed_drop=2.2)
    optimum = table_optimum(given)
    plain = table_optimum(task_of(allowed_drop=2.2, budget=given.budget))
    assert np.array_equal(optimum.design.settings, plain.design.settings)
    assert optimum.value == pytest.approx(plain.value - math.log(32 / 24))
    env = gym.make(CUSTOM_ID, task=given, discrete=True)
    env.reset(seed=0)
    for place in optimum.design.settings.tolist():
        *_, info = env.step(place)
    assert info["score"] == pytest.approx(optimum.value)
    envs = gym.make_vec(CUSTOM_ID, num_envs=2, task=given, discrete=True)
    envs.reset(seed=0)
    for place in optimum.design.settings.tolist():
        *_, infos = envs.step(np.tile(place, (2, 1)))
    assert np.allclose(infos["score"], optimum.value)


def test_another_baseline_is_another_task():
    plain, given = task_of(), task_of(baseline={"weight_bits": 4}, budget=10)
    assert given.fingerprint != plain.fingerprint
    assert replace(given, baseline=None).fingerprint == plain.fingerprint
    # However the plain design is written, it is the same task.
    assert task_of(baseline={"weight_bits": 8}).fingerprint == plain.fingerprint
    assert task_of(baseline={}).baseline is None
    env = gym.make(CUSTOM_ID, task=given)
    again = gym.make(EnvSpec.from_json(env.spec.to_json())).unwrapped.task
    assert again.fingerprint == given.fingerprint
    assert again.baseline == given.baseline
    assert pickle.loads(pickle.dumps(given)).baseline == given.baseline


@pytest.mark.parametrize(
    ("baseline", "error", "message"),
    [
        ({"weight_bits": [4]}, DesignError, "Expected 2 weight_bits, one per layer, got 1"),
        ({"weight_bits": 9}, DesignError, "Expected weight_bits between 2 and 8, got 9"),
        ({"bits": 4}, DesignError, "each key of baseline"),
        ({"replication": [0, 1]}, DesignError, "Expected replication of at least 1, got 0"),
        ("file", TaskError, "Did you mean 'from-file'"),
        ("from-file", NetworkError, "Expected an ONNX file beside baseline 'from-file', got 'two'"),
        (4, TaskError, "Expected baseline as a design, values by knob, or 'from-file'; got 4"),
        (Design.plain(3), DesignError, "Expected a design of 2 layers for two, got 3"),
        (Design.plain(2, precision(16)), DesignError, "with the values of the cost model"),
    ],
    ids=str,
)
def test_impossible_baselines(baseline, error, message):
    with pytest.raises(error) as caught:
        task_of(baseline=baseline)
    assert message in str(caught.value)


@pytest.mark.parametrize("baseline", [Design.plain(3), Design.plain(2, precision(16)), {}])
def test_a_task_refuses_what_is_no_design_of_it(baseline):
    with pytest.raises(TaskError, match="Expected baseline of LRMP-Custom-v0"):
        replace(task_of(), baseline=baseline)


def test_copies_must_fit_a_chip_on_which_layers_take_turns():
    chip = replace(CHIP, tiles=8, weight_loading="time-multiplexed")
    assert task_of(accelerator=chip, baseline={"activation_bits": 4}).budget == 8
    with pytest.raises(DesignError, match="fit the 8 tiles of the time-multiplexed chip"):
        task_of(accelerator=chip, baseline={"replication": [2, 1]})


def test_registered_tasks_have_the_plain_one():
    task = load_task("LRMP-MLP-v0")
    assert task.baseline is None
    assert task.baseline_report is task.cost_model.baseline


# -- of a file ---------------------------------------------------------------------------------


@pytest.fixture
def save(tmp_path):
    """Save a file of the two layers, whose first is quantised to some bits."""
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper

    def save(weights=4, inputs=4, *, quantised=True):
        constants = {
            "w": np.zeros((16, 8), np.float32),
            "v": np.zeros((8, 4), np.float32),
            "s": np.float32(1),
            "z": np.float32(0),
            "wb": np.float32(weights),
            "xb": np.float32(inputs),
        }
        operators = [("MatMul", "xq wq", "h"), ("MatMul", "h v", "y")]
        quantisers = [("Quant", "w s z wb", "wq"), ("Quant", "x s z xb", "xq")]
        if not quantised:
            operators, quantisers = [("MatMul", "x w", "h"), operators[1]], []
        nodes = [
            helper.make_node(
                kind, given.split(), [made], domain=QONNX if kind == "Quant" else "", name=made
            )
            for kind, given, made in (*quantisers, *operators)
        ]
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", 1, ("batch", 16))],
            [helper.make_tensor_value_info("y", 1, None)],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
        )
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(QONNX, 1)]
        path = tmp_path / "net.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
        return path

    return save


def write(path, **lines):
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
    path.write_text(
        f'network = "net.onnx"\naccelerator = "pimcomp_2023"\n{text}'
        "[input_shapes]\nx = [1, 16]\n"
        '[accuracy]\nprovenance = "made up"\n'
        'weight_bits = {"*" = [4, 1, 0.3, 0.1, 0.03, 0.01, 0]}\n'
        'activation_bits = {"*" = [4, 1, 0.3, 0.1, 0.03, 0.01, 0]}\n'
    )
    return path


def test_bits_of_a_file(save, tmp_path, capsys):
    bits = read_file_bits(save(), input_shapes={"x": (1, 16)})
    task = task_of(network=bits, baseline="from-file")
    assert task.baseline.to_json() == {
        "weight_bits": [4, 8],  # the second layer is left in floats: plain
        "activation_bits": [4, 8],
        "replication": [1, 1],
    }
    assert (task.baseline_report.latency_cycles, task.budget) == (24, 6)
    file = write(tmp_path / "task.toml", baseline="from-file")
    assert read_task(file).baseline == task.baseline
    assert main(["task", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["baseline"] == task.baseline.to_json()
    assert main(["task", str(file)]) == 0
    assert "the baseline, weight bits 4..8, activation bits 4..8, copies 1, holds" in (
        capsys.readouterr().out
    )


def test_file_without_bits_in_the_space(save, tmp_path):
    shapes = {"input_shapes": {"x": (1, 16)}}
    with pytest.raises(DesignError, match="Expected net to have quantised layers, got floats"):
        task_of(network=read_file_bits(save(quantised=False), **shapes), baseline="from-file")
    wide = read_file_bits(save(weights=1), **shapes)
    with pytest.raises(DesignError) as caught:
        task_of(network=wide, baseline="from-file")
    said = str(caught.value)
    assert "weight_bits of the task's space, 2, 3, 4, 5, 6, 7, 8; got 1 for w. Give" in said
    # What the message names is a space.
    knobs = json.loads("[" + said.split("such as ")[1].removesuffix(".").replace("'", '"') + "]")
    space = {"knobs": [*knobs, "activation_bits"]}
    points = POINTS | {"weight_bits": {"*": [9, 4, 1, 0.3, 0.1, 0.03, 0.01, 0]}}
    task = task_of(network=wide, baseline="from-file", space=space, accuracy=points)
    assert task.baseline["weight_bits"].tolist() == [1, 8]
    # A knob that the task does not turn is plain.
    one = {"knobs": ["weight_bits"]}
    points = {key: POINTS[key] for key in ("weight_bits", "provenance")}
    with pytest.raises(DesignError, match="activation_bits of the task's space, 8; got 4 for w"):
        task_of(
            network=read_file_bits(save(), **shapes),
            baseline="from-file",
            space=one,
            accuracy=points,
        )
    with pytest.raises(NetworkError, match=r"In a task file these are \[input_shapes\]"):
        read_task(_without_shapes(tmp_path, save))


def _without_shapes(tmp_path, save):
    save()
    file = write(tmp_path / "task.toml", baseline="from-file")
    file.write_text(file.read_text().replace("[input_shapes]\nx = [1, 16]\n", ""))
    return file


@pytest.mark.long
def test_optimize_takes_them(save, tmp_path, capsys):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    command = ["optimize", "--network", str(save()), "--no-accuracy", "--input-shape", "x=1,16"]
    chosen = ["--set", "from-file", "--baseline", "from-file", "--json"]
    assert main([*command, *chosen, "--out", str(tmp_path / "out")]) == 0
    (found,) = json.loads(capsys.readouterr().out)["chips"]
    assert found["design"]["weight_bits"] == [4, 8]
    assert found["design"]["activation_bits"] == [4, 8]
    assert found["gain"] == pytest.approx(1.0)
    assert main([*command, "--out", str(tmp_path / "plain"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["chips"]
    assert found["design"]["weight_bits"] == [8, 8]
    with pytest.raises(SystemExit):
        main([*command, "--baseline", "file", "--out", str(tmp_path / "none")])
    assert (
        main(
            [
                "optimize",
                "--network",
                "lenet",
                "--no-accuracy",
                *chosen,
                "--out",
                str(tmp_path / "lenet"),
            ]
        )
        == 2
    )
    assert "Expected an ONNX file where bits are taken" in capsys.readouterr().err
