"""Tasks of the user's own: in Python, as mappings, from TOML files."""

import json
import pickle
import re
import shlex
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector.utils import CloudpickleWrapper

from lrmp.accuracy.model.sensitivity_table import load_table
from lrmp.cli import main
from lrmp.envs import CUSTOM_ID, LayerwiseEnv, evaluate, load_task, make_task, read_task
from lrmp.errors import (
    AccuracyTableError,
    DesignError,
    InfeasibleBudgetError,
    NetworkError,
    PresetError,
    TaskError,
)
from lrmp.hardware import Layer, Network, load_network, load_preset
from lrmp.hardware.space.design import Design

DOCS = Path(__file__).parents[3] / "docs"
POINTS = {
    "weight_bits": {"*": [4, 1, 0.3, 0.1, 0.03, 0.01, 0], "fc": [7, 6, 5, 4, 3, 2, 1]},
    "activation_bits": {"*": [0.5, 0, 0, 0, 0, 0, 0]},
    "provenance": "made up",
}
OWN = Network(
    "own",
    (Layer.conv2d("conv", 3, 32, kernel_size=3, input_size=16), Layer.linear("fc", 8192, 10)),
)
ARGUMENTS = {"network": "lenet", "accelerator": "isaac_isca_2016", "objective": "throughput"}

needs_docs = pytest.mark.skipif(not DOCS.is_dir(), reason="the tests run outside the repository")


def test_defaults_give_the_registered_task_under_another_id():
    own, registered = make_task("resnet18"), load_task("LRMP-ResNet18-v0")
    assert own.id == CUSTOM_ID
    assert replace(own, id=registered.id).fingerprint == registered.fingerprint
    assert own.fingerprint != registered.fingerprint


def test_own_network_with_points_by_layer_is_played(play, random_actions):
    task = make_task(OWN, budget=300, accuracy=POINTS, allowed_drop=2.5)
    env = gym.make(CUSTOM_ID, task=task, discrete=True)
    *_, (_, reward, terminated, _, info) = play(env, [[1, 0], [0, 1]])
    assert terminated
    assert info["accuracy_drop"] == pytest.approx(1 + 7 + 0.5)
    assert info["accuracy_is_estimate"]
    assert env.unwrapped.outcome.report.tiles <= 300
    assert info["gain"] > 1
    assert reward == pytest.approx(-0.5 * np.log(8.5 / 2.5))  # divergences are points here
    check_env(LayerwiseEnv(task), skip_render_check=True)
    assert make_task(OWN, accuracy={**POINTS, "estimate": False}).accuracy.is_estimate is False


@needs_docs
def test_network_from_an_onnx_file_and_chip_from_a_preset_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    shapes = {"a": (64, 32), "b": (32, 10)}
    weights = [
        onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
        onnx.helper.make_node("MatMul", ["h", "b"], ["y"], name="second"),
    ]
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", (1, 64)), ("y", None))
    ]
    graph = onnx.helper.make_graph(nodes, "graph", values[:1], values[1:], weights)
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "net.onnx"
    )
    chip = (DOCS / "hardware" / "own-chip.toml").read_text("utf-8")
    (tmp_path / "chip.toml").write_text(chip, "utf-8")
    (tmp_path / "task.toml").write_text(
        'network = "net.onnx"\naccelerator = "chip.toml"\n'
        '[accuracy]\nprovenance = "made up"\n'
        'weight_bits."*" = [3, 1, 0, 0, 0, 0, 0]\nactivation_bits."*" = [3, 1, 0, 0, 0, 0, 0]\n'
    )
    task = read_task(tmp_path / "task.toml")
    assert [(layer.rows, layer.columns) for layer in task.network.layers] == [(64, 32), (32, 10)]
    assert task.accelerator.name == "chip"
    assert evaluate(task, weight_bits=[3, 4], activation_bits=[8, 3]).accuracy_drop == 2


def test_values_that_layers_may_have_from_a_file(tmp_path, play):
    rows = ", ".join(map(str, POINTS["activation_bits"]["*"]))
    (tmp_path / "task.toml").write_text(
        'network = "lenet"\n[accuracy]\nprovenance = "made up"\n'
        f'weight_bits."*" = [{rows}]\nactivation_bits."*" = [{rows}]\n'
        '[space]\nknobs = ["weight_bits", "activation_bits"]\n'
        "allowed.weight_bits = [[8], [4, 6, 8], [4, 6, 8], [8]]\n"
    )
    task = read_task(tmp_path / "task.toml")
    given = {"*": POINTS["activation_bits"]["*"]}
    accuracy = {"weight_bits": given, "activation_bits": given, "provenance": "made up"}
    allowed = {"weight_bits": [[8], [4, 6, 8], [4, 6, 8], [8]]}
    space = {"knobs": ["weight_bits", "activation_bits"], "allowed": allowed}
    own = make_task("lenet", accuracy=accuracy, space=space)
    assert own.fingerprint == task.fingerprint
    assert own.fingerprint != make_task("lenet", accuracy=accuracy).fingerprint
    env = gym.make(CUSTOM_ID, task=str(tmp_path / "task.toml"), discrete=True)
    *_, (*_, info) = play(env, [[0, 0], [0, 0], [3, 0], [5, 0]])
    assert info["design_weight_bits"].tolist() == [8, 4, 4, 8]
    with pytest.raises(DesignError, match=r"weight_bits of layer 0 \(conv1\) .*8; got 4"):
        evaluate(task, weight_bits=4)


def test_sensitivity_table_from_a_file(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(load_table("lenet").to_text(), "utf-8")
    task = make_task("lenet", accuracy=path)
    assert task.fingerprint == make_task("lenet").fingerprint
    path.unlink()  # the task has it by now
    assert pickle.loads(pickle.dumps(task)).accuracy.drop(
        Design.of({"weight_bits": [4] * 4, "activation_bits": [4] * 4})
    ) == task.accuracy.drop(Design.of({"weight_bits": [4] * 4, "activation_bits": [4] * 4}))
    assert make_task("lenet", accuracy=task.accuracy) == task


def test_network_itself_on_images():
    task = make_task("digits_cnn", accuracy="network")
    assert task.accuracy_label == "network"
    registered = load_task("LRMP-Digits-v0")
    assert replace(task, id=registered.id).fingerprint == registered.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"network": "mlp"},
        {"accelerator": "puma_asplos_2019"},
        {"budget": 100},
        {"objective": "energy"},
        {"allowed_drop": 2.0},
        {"accuracy": {**POINTS, "weight_bits": {"*": [1] * 7}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_fingerprint_tells_tasks_apart(change):
    assert make_task(**ARGUMENTS).fingerprint == make_task(**ARGUMENTS).fingerprint
    assert make_task(**ARGUMENTS | change).fingerprint != make_task(**ARGUMENTS).fingerprint


def test_task_travels_to_spawned_workers(play):
    task = make_task(OWN, accuracy=POINTS)
    copy = pickle.loads(pickle.dumps(task))
    assert copy == task
    assert copy.fingerprint == task.fingerprint

    def episode():  # nested: it travels by value, since the worker cannot import this file
        env = gym.make(f"lrmp:{CUSTOM_ID}", task=task)
        env.reset(seed=0)
        return task.fingerprint, [env.step([0.3, 0.4]) for _ in range(2)]

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        fingerprint, there = pool.submit(CloudpickleWrapper(episode)).result()
    assert fingerprint == task.fingerprint
    assert data_equivalence(there, episode()[1], exact=True)


def test_spec_with_plain_values_or_a_file_survives_json(tmp_path, play, random_actions):
    path = tmp_path / "task.toml"
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in ARGUMENTS.items()))
    expected = make_task(**ARGUMENTS)
    for task in (ARGUMENTS, str(path)):
        env = gym.make(CUSTOM_ID, task=task)
        other = gym.make(EnvSpec.from_json(env.spec.to_json()))
        assert other.spec == env.spec
        # What is read again is its definition, for the file may be elsewhere.
        assert other.unwrapped.task.fingerprint == expected.fingerprint
        assert env.unwrapped.task == expected
        actions = random_actions(env, 0)
        assert data_equivalence(play(other, actions), play(env, actions), exact=True)


@pytest.mark.parametrize("vectorization_mode", ["sync", "vector_entry_point"])
def test_vector_of_an_own_task(vectorization_mode):
    task = make_task(OWN, accuracy=POINTS)
    envs = gym.make_vec(
        CUSTOM_ID, num_envs=2, vectorization_mode=vectorization_mode, task=task, discrete=True
    )
    envs.reset(seed=0)
    envs.step([[0, 1], [2, 3]])
    _, rewards, terminated, _, _ = envs.step([[4, 5], [6, 6]])
    assert terminated.all()
    outcomes = [
        evaluate(task, weight_bits=[2, 6], activation_bits=[3, 7]),
        evaluate(task, weight_bits=[4, 8], activation_bits=[5, 8]),
    ]
    assert rewards.tolist() == [outcome.reward() for outcome in outcomes]


@pytest.mark.parametrize(("form", "action"), [("OneShot", [1, 2, 3, 4]), ("Refine", 0)])
def test_other_forms_of_an_own_task(form, action):
    task = make_task(OWN, accuracy=POINTS)
    options = {"horizon": 1} if form == "Refine" else {"discrete": True}
    env = gym.make(f"LRMP-Custom-{form}-v0", task=task, **options)
    env.reset(seed=0)
    _, reward, terminated, _, _info = env.step(action)
    assert terminated
    design = env.unwrapped.outcome.design
    outcome = evaluate(
        task, weight_bits=design["weight_bits"], activation_bits=design["activation_bits"]
    )
    assert reward == pytest.approx(outcome.reward(), abs=1e-12)
    with pytest.raises(TaskError, match="Expected task= for"):
        gym.make(f"LRMP-Custom-{form}-v0")


@pytest.mark.parametrize("arguments", [{}, {"task": None}])
def test_custom_id_without_a_task_is_refused(arguments):
    with pytest.raises(TaskError, match=rf"Expected task= for {CUSTOM_ID}: .*; got none\."):
        gym.make(CUSTOM_ID, **arguments)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"network": "lenets"},
            NetworkError,
            r"got 'lenets'\. Did you mean 'lenet'\? Your own: a f",
        ),
        ({"network": 3}, NetworkError, r"Expected network as a Network, .*, got 3\."),
        ({"network": "no.onnx"}, NetworkError, r"no\.onnx"),
        ({"accelerator": "isac"}, PresetError, r"got 'isac'\..* Your own: a file ending in \.toml"),
        ({"accelerator": 3}, PresetError, r"Expected accelerator as an Accelerator, .*, got 3\."),
        ({"accelerator": "no.toml"}, PresetError, r"Expected a readable preset at no\.toml"),
        (
            {"accelerator": "cim_aq_date_2026", "budget": 100},
            TaskError,
            r"Expected budget .* to be the 1 tiles of the time-multiplexed .*, got 100\. Leave",
        ),
        (
            {"accelerator": "cim_aq_date_2026", "objective": "energy"},
            PresetError,
            r"Expected accelerator 'cim_aq_date_2026' to give the energy of its events, got none",
        ),
        (
            {"accelerator": "cim_aq_date_2026", "objective": "edp"},
            PresetError,
            r"Expected accelerator 'cim_aq_date_2026' to give the energy of its events, got none",
        ),
        (
            {"budget": 3},
            InfeasibleBudgetError,
            r"at least 37 tiles, which lenet holds in its smallest",
        ),
        ({"budget": 0}, TaskError, r"Expected budget of .* to be a positive number .*, got 0\."),
        ({"budget": True}, TaskError, r"to be a positive number of tiles, got True\."),
        ({"budget": "100"}, TaskError, r"to be a positive number of tiles, got '100'\."),
        ({"objective": "speed"}, TaskError, r"to be one of .*latency, .*; got 'speed'\."),
        ({"allowed_drop": "1"}, TaskError, r"allowed_drop of .* in percentage points.* got '1'\."),
        ({"accuracy": "tables"}, AccuracyTableError, r"'table' or 'network', got 'tables'\."),
        ({"accuracy": 3}, AccuracyTableError, r"Expected accuracy as a model, .*, got 3\."),
        ({"accuracy": "no.json"}, AccuracyTableError, r"readable sensitivity table at no\.json"),
        ({"accuracy": {}}, AccuracyTableError, "weight_bits, activation_bits, provenance missing"),
        ({"accuracy": POINTS | {"weigth_bits": 1}}, AccuracyTableError, "mean 'weight_bits'"),
        ({"accuracy": POINTS | {"estimate": 1}}, AccuracyTableError, "estimate as true or false"),
        (
            {"accuracy": POINTS | {"weight_bits": [1]}},
            AccuracyTableError,
            r"weight_bits .* by layer, got",
        ),
        (
            {"accuracy": POINTS | {"weight_bits": {"fc1": [0] * 7}}},
            AccuracyTableError,
            r"Expected weight_bits of accuracy for every layer, got none for 'conv1'",
        ),
        (
            {"accuracy": POINTS | {"weight_bits": {"*": [0] * 6}}},
            AccuracyTableError,
            r"Expected weight_bits of layer 'conv1' as 7 numbers, for 2, 3, .*, 8; got \[0, 0",
        ),
        (
            {"accuracy": POINTS | {"weight_bits": {"conv": [0] * 7}}},
            AccuracyTableError,
            r"got 'conv'\. Did you mean 'conv[12]'\?",
        ),
        (
            {"accuracy": make_task("mlp").accuracy},
            AccuracyTableError,
            r"Expected an accuracy table of 4 layers for lenet, got one of 3\.",
        ),
    ],
)
def test_argument_is_refused(change, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        make_task(**ARGUMENTS | change)


def test_network_of_unknown_accuracy_is_refused_with_what_to_give():
    with pytest.raises(
        AccuracyTableError,
        match=r"Expected network with a sensitivity table .* got 'own'\. Measure one .* Or give "
        r"accuracy= as a sensitivity table of your own \(\.json\)",
    ):
        make_task(OWN)


def test_table_of_another_network_is_refused(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(load_table("mlp").to_text(), "utf-8")
    with pytest.raises(
        AccuracyTableError,
        match=r"table\.json to hold the 4 layers, number 1 'conv1'; got 3 layers, number 1 'fc1'\.",
    ):
        make_task("lenet", accuracy=str(path))
    path.write_text("{}")
    with pytest.raises(AccuracyTableError, match=r"table\.json: Expected a sensitivity table"):
        make_task("lenet", accuracy=path)


def test_table_with_a_level_map_is_refused(tmp_path):
    path = tmp_path / "table.json"
    document = json.loads(load_table("lenet").to_text())
    drops = document["drop_map"]["drops"]
    level = drops[2] = drops[1]
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(
        AccuracyTableError,
        match=r"table\.json: Expected the drops of a map to increase from knot to knot, got "
        + re.escape(f"{level} and {level} points at sums "),
    ):
        make_task("lenet", accuracy=path)


def test_energy_needs_a_chip_that_gives_it():
    with pytest.raises(PresetError, match="to give the energy of its events, got none"):
        make_task("lenet", "pimcomp_2023", objective="edp")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"Expected a readable task file at .*task\.toml"),
        ("network = ", r"Expected .*task\.toml to be valid TOML: "),
        ("budget = 3", r"Expected .*task\.toml to give a network, got budget\."),
        ("", r"Expected .*task\.toml to give a network, got none\."),
        (
            'network = "lenet"\nacelerator = "x"',
            r"Expected each key of .*task\.toml to be one of .*; got 'acelerator'\. Did",
        ),
        ('network = "lenet"\nbudget = 1.5', r"Expected budget of .* tiles, got 1\.5\."),
    ],
)
def test_malformed_file_is_refused(text, message, tmp_path, capsys):
    path = tmp_path / "task.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TaskError, match=message):
        gym.make(CUSTOM_ID, task=str(path))
    assert main(["task", str(path)]) == 2
    assert re.search(rf"^lrmp: {message}", capsys.readouterr().err)


@needs_docs
def test_file_of_the_manual_is_described(capsys):
    path = DOCS / "own-task.toml"
    assert main(["task", str(path)]) == 0
    text = capsys.readouterr().out
    task = read_task(path)
    for shown in (
        *(CUSTOM_ID, task.fingerprint, "lenet, 4 layers", "own-chip", "table (estimate)"),
        f"{task.budget} tiles; the plain design holds {task.cost_model.baseline.tiles}",
    ):
        assert shown in text
    line = text.splitlines()[-1].partition("gym.make")[2]
    env = eval(f"gym.make{line}")
    assert env.unwrapped.task == task


@pytest.mark.long
@needs_docs
def test_manual_runs(tmp_path, monkeypatch, capsys):
    page = (DOCS / "own-task.md").read_text("utf-8")
    blocks = re.findall(r"```(\w+)\n(.*?)```", page, flags=re.DOTALL)
    code = dict(blocks)
    assert len(code) == len(blocks)
    done = subprocess.run(
        [sys.executable, "-c", code["python"]], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert ": best score " in done.stdout

    (tmp_path / "hardware").mkdir()
    chip = (DOCS / "hardware" / "own-chip.toml").read_text("utf-8")
    (tmp_path / "hardware" / "own-chip.toml").write_text(chip, "utf-8")
    (tmp_path / "own-task.toml").write_text(code["toml"], "utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_task(Path("own-task.toml")) == read_task(DOCS / "own-task.toml")
    for command in code["sh"].splitlines():
        program, *words = shlex.split(command, comments=True)
        assert program == "lrmp"
        assert main(words) == 0, command
    assert capsys.readouterr().out.count(CUSTOM_ID) >= 3
    assert (tmp_path / "own-task.gif").read_bytes().startswith(b"GIF89a")


def test_accelerator_and_network_objects_are_taken_as_they_are():
    network, chip = load_network("lenet"), load_preset("isaac_isca_2016")
    task = make_task(network, chip)
    assert task.network is network
    assert task.accelerator is chip
