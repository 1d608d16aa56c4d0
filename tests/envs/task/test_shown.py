"""What tasks, outcomes, optima and records show of themselves, and how tasks are named."""

import csv
import dataclasses
import io
import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from lrmp.envs import (
    TASKS,
    Record,
    evaluate,
    find_task,
    list_tasks,
    load_task,
    make_task,
    stored_optimum,
)
from lrmp.envs.procedural.features import transfer_features
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.observation import layer_features
from lrmp.envs.scoring.outcome import gain
from lrmp.envs.task.environment_id import FORMS, environment_id, multi_agent_id, task_id_of
from lrmp.errors import TaskError
from lrmp.hardware import Design

ID = "LRMP-LeNet-v0"
TASK = load_task(ID)
OUTCOME = evaluate(ID, weight_bits=6, activation_bits=5)


def record(agent="annealing"):
    return Record.of(
        OUTCOME, agent=agent, seed=3, evaluated_designs=1200, env_steps=0, wall_time_s=1.0
    )


@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("form", FORMS)
def test_every_id_names_its_task(task_id, form):
    env_id = environment_id(task_id, form)
    assert task_id_of(env_id) == task_id_of(f"lrmp:{env_id}") == task_id
    assert task_id_of(multi_agent_id(task_id)) == task_id


@pytest.mark.parametrize(
    "name",
    ["LRMP-LeNet-v0", "lrmp:LRMP-LeNet-v0", "lrmp:LRMP-LeNet-OneShot-v0", "LRMP-LeNet-Refine-v0"],
)
def test_every_name_of_a_registered_task_is_the_one_object(name):
    assert find_task(name) is load_task(name) is TASK


def test_a_task_file_is_a_task_for_every_function(tmp_path):
    path = tmp_path / "task.toml"
    path.write_text('network = "lenet"\nbudget = 300\n', "utf-8")
    assert evaluate(path, weight_bits=6, activation_bits=6) == evaluate(
        str(path), weight_bits=6, activation_bits=6
    )
    assert evaluate(path, weight_bits=[6] * 4, activation_bits=[6] * 4).task.budget == 300
    assert stored_optimum(path) is None


def features(task):
    return [np.asarray(layer_features(task)[1]).tolist(), transfer_features(task).tolist()]


@pytest.mark.parametrize(
    "function",
    [
        lambda task: evaluate(task, weight_bits=[6] * 4, activation_bits=[5] * 4),
        lambda task: evaluate(task, weight_bits=6, activation_bits=5),
        stored_optimum,
        lambda task: gain(task, OUTCOME.report),
        lambda task: Dynamics(task).task,
        features,
    ],
)
def test_functions_of_a_task_take_its_id_and_say_what_they_expect(function):
    wanted = function(TASK)
    for name in (ID, "lrmp:LRMP-LeNet-OneShot-v0"):
        assert function(name) == wanted
    with pytest.raises(TaskError, match=r"Expected task to be one of LRMP-LeNet-v0, .* got 'LRMP-"):
        function("LRMP-Lenet-v0")
    with pytest.raises(TaskError, match=r"Expected a task: a Task, an id such as .* got 3\.5\."):
        function(3.5)


@pytest.mark.parametrize("given", [3, None, TASK])
def test_load_task_takes_an_id_alone(given):
    with pytest.raises(TaskError, match=r"Expected the id of a task, such as 'LRMP-.*; got .*\. f"):
        load_task(given)


@pytest.mark.parametrize("given", [None, "LRMP-Custom-v0", "lrmp:LRMP-Custom-OneShot-v0"])
def test_the_id_of_an_own_task_is_not_the_task(given):
    with pytest.raises(TaskError, match=r"Expected task= for LRMP-Custom-v0: what make_task ret"):
        find_task(given)


def test_what_is_no_task_is_shown_in_short():
    with pytest.raises(TaskError) as error:
        stored_optimum(list(range(10_000)))
    assert len(str(error.value)) < 200


def test_tasks_are_listed():
    assert list_tasks() == list(TASKS)
    both = list_tasks("edp", "prediction")
    assert "LRMP-ResNet34-Predicted-EDP-v0" in both
    assert set(both) == set(list_tasks("edp")) & set(list_tasks(known_by="prediction"))
    for objective in ("latency", "throughput", "energy", "edp"):
        named = list_tasks(objective)
        assert named == [task_id for task_id in TASKS if load_task(task_id).objective == objective]
    by_kind = {kind: list_tasks(known_by=kind) for kind in ("network", "table", "prediction")}
    assert sorted(chain.from_iterable(by_kind.values())) == sorted(TASKS)
    for kind, label in (
        ("network", "network"),
        ("table", "table"),
        ("prediction", "table (estimate)"),
    ):
        assert {load_task(task_id).accuracy_label for task_id in by_kind[kind]} == {label}
    with pytest.raises(TaskError, match=r"objective to be one of latency, .* got 'latenzy'"):
        list_tasks("latenzy")
    with pytest.raises(TaskError, match=r"known_by to be one of .* got 'tables'"):
        list_tasks(known_by="tables")


@pytest.mark.parametrize(
    "thing",
    [TASK, OUTCOME, OUTCOME.replication, stored_optimum(ID), record(), record("a\n" * 500)],
)
def test_representation_is_one_line_of_less_than_200_characters(thing):
    assert len(repr(thing)) < 200
    assert repr(thing).isprintable()
    assert repr(thing).startswith(f"<{type(thing).__name__} ")


@pytest.mark.parametrize("task_id", TASKS)
def test_every_task_is_one_short_line(task_id):
    text = repr(load_task(task_id))
    assert text.startswith(f"<Task '{task_id}', ")
    assert len(text) <= 160


def test_a_task_is_shown_without_its_accuracy():
    def fails(network):
        raise AssertionError(network)

    assert "'lenet'" in repr(TASK.with_tenant(accuracy_factory=fails))


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy", "edp"])
def test_an_outcome_names_its_objective_and_its_gain(objective):
    outcome = evaluate(
        dataclasses.replace(TASK, objective=objective), weight_bits=6, activation_bits=5
    )
    assert f", {objective} gain {outcome.gain:.4g}x, " in repr(outcome)
    assert f"score {outcome.score:.4f}>" in repr(outcome)


def test_an_outcome_beyond_the_allowance_is_shown_without_a_score():
    bold = evaluate(TASK, weight_bits=2, activation_bits=2)
    assert bold.accuracy_drop > TASK.allowed_drop
    assert repr(bold).endswith(", no score>")
    document = json.loads(json.dumps(bold.to_json(), allow_nan=False))
    assert document["score"] is None
    assert document["gain"] == bold.gain > 1


def test_rows_of_an_outcome():
    rows = OUTCOME.to_table()
    assert [row["layer"] for row in rows] == [layer.name for layer in TASK.network.layers]
    assert sum(row["cycles"] for row in rows) == OUTCOME.report.latency_cycles
    assert sum(row["baseline_cycles"] for row in rows) == TASK.cost_model.baseline.latency_cycles
    assert [row["copies"] for row in rows] == OUTCOME.design.replication.tolist()
    assert {row["weight_bits"] for row in rows} == {6}
    read = list(csv.DictReader(io.StringIO(OUTCOME.to_csv())))
    assert [int(row["energy_fj"]) for row in read] == OUTCOME.report.layer_energy_fj.tolist()
    assert f"<td>{TASK.network.layers[0].name}</td>" in OUTCOME._repr_html_()


@pytest.mark.parametrize("thing", [TASK, OUTCOME, stored_optimum(ID), record()])
def test_json_is_plain(thing):
    document = thing.to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_json_of_an_outcome():
    document = OUTCOME.to_json()
    assert Design.from_json(document["design"]) == OUTCOME.design
    assert document["score"] == OUTCOME.score == OUTCOME.reward()
    assert document["tiles"] <= document["budget_tiles"]


def test_an_outcome_without_energies_is_shown():
    chip = dataclasses.replace(TASK.accelerator, energy=None)
    outcome = evaluate(make_task("lenet", chip), weight_bits=6, activation_bits=6)
    assert outcome.to_json()["energy_j"] is outcome.to_json()["baseline_energy_j"] is None
    assert {row["energy_fj"] for row in outcome.to_table()} == {None}
    assert len(repr(outcome)) < 200


def test_optima_are_stored_as_they_are_written():
    file = Path(__file__).parents[3] / "envs" / "optima" / f"{ID}.json"
    if file.exists():  # not where the tests run on an installed lrmp
        assert stored_optimum(ID).to_text() == file.read_text("utf-8")
