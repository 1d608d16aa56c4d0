"""A task whose throughput the chip's digital unit bounds: a transformer on PUMA."""

import math

import gymnasium as gym
import numpy as np
import pytest

from lrmp.envs import CUSTOM_ID, make_task
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.table_optimum import joint_problem
from lrmp.solvers.joint.solve import solve_joint

LOSS = [4.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.0]
ACCURACY = {"provenance": "made up", "weight_bits": {"*": LOSS}, "activation_bits": {"*": LOSS}}


@pytest.fixture(scope="module")
def task():
    return make_task(
        "bert_base", accelerator="puma_asplos_2019", objective="throughput", accuracy=ACCURACY
    )


def test_scores_are_those_of_single_designs_and_of_the_chip(task):
    dynamics, rng = Dynamics(task), np.random.default_rng(0)
    settings = rng.integers(3, 7, (4, len(task.network), 2))
    scores = dynamics.scores(settings)
    for row in range(4):
        outcome = dynamics.outcome(settings[row])
        assert outcome.report.bottleneck_cycles >= 273_552
        assert scores.gain[row] == outcome.gain
        assert scores.replication[row].tolist() == outcome.design.replication.tolist()


def test_the_shown_bottleneck_is_no_less_than_the_digital_unit(task):
    model, layers = task.cost_model, len(task.network)
    plain = model.baseline.bottleneck_cycles
    dynamics = Dynamics(task)
    for place in (0, 6):
        whole = np.full((1, layers, 2), place)
        slowest = int(model.layer_cycles(whole).max())
        bottleneck = dynamics.design_totals(whole)[3][0]
        assert bottleneck == max(slowest, 273_552) / plain
        assert dynamics.totals(0, 0.0, 0, slowest)[3] == bottleneck


def test_layer_by_layer_and_vector_episodes_agree(task):
    env = gym.make(CUSTOM_ID, task=task)
    vector = gym.make_vec(CUSTOM_ID, 2, vectorization_mode="vector_entry_point", task=task)
    one, _ = env.reset(seed=0)
    many, _ = vector.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(len(task.network)):
        assert np.array_equal(many[0], one)
        action = rng.uniform(0, 1, 2).astype(np.float32)
        one, reward, *_ = env.step(action)
        many, rewards, *_ = vector.step(np.stack([action] * 2))
    assert rewards.tolist() == [reward] * 2
    env.close()
    vector.close()


def test_no_design_is_promised_to_beat_the_digital_unit():
    # Here two images are 2,626,008 cycles apart whatever the bits: nothing can be gained.
    task = make_task(
        "bert_base", accelerator="pimcomp_2023", objective="throughput", accuracy=ACCURACY
    )
    optimum = solve_joint(joint_problem(task))
    most = math.log(task.cost_model.baseline.bottleneck_cycles / 2_626_008)
    assert optimum.value == pytest.approx(most, abs=1e-9)
    assert optimum.bound <= most + 1e-6
