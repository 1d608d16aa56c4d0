"""An agent for the chip, and one per layer."""

import doctest

import gymnasium as gym
import numpy as np
import pettingzoo
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test

import lrmp.envs.variant_choice.chip_agents
from lrmp.envs.task.environment_id import multi_agent_id
from lrmp.envs.variant_choice.chip_agents import env, parallel_env
from lrmp.envs.variant_choice.optimum import optimal_design, stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.problem_ids import CHIP_PROBLEMS
from lrmp.errors import ActionError, TaskError

LENET = "LRMP-LeNet-Chip-v0"


def joint(chip, settings):
    return {"chip": chip} | {f"layer_{layer}": own for layer, own in enumerate(settings)}


@pytest.mark.parametrize("settings", [{}, {"discrete": True}, {"rounds": 3}])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_pettingzoo_finds_nothing(settings):
    for each in (env(LENET, **settings), parallel_env(LENET, **settings)):
        test = api_test if isinstance(each, pettingzoo.AECEnv) else parallel_api_test
        for agent in each.possible_agents:
            each.action_space(agent).seed(0)
        test(each, num_cycles=5)
    parallel_seed_test(lambda: parallel_env(LENET, **settings))


@pytest.mark.parametrize("problem_id", CHIP_PROBLEMS)
def test_every_problem_is_registered_and_its_best_is_played(problem_id):
    import lrmp.envs.forms.multi_agent  # noqa: F401  registers

    problem = load_problem(problem_id)
    proven = stored_variant_optimum(problem_id)
    number, design = optimal_design(problem, proven)
    agents = pettingzoo.make("parallel", multi_agent_id(problem_id), discrete=True)
    agents.reset()
    _, rewards, terminations, _, infos = agents.step(
        joint(problem.variants[number], design.settings)
    )
    assert all(terminations.values())
    assert len(set(rewards.values())) == 1
    assert rewards["layer_0"] == pytest.approx(proven.value, abs=1e-12)
    assert infos["chip"]["score"] == pytest.approx(infos["chip"]["optimum"], abs=1e-12)
    assert agents.unwrapped.outcome.design.settings.tolist() == design.settings.tolist()


@pytest.mark.parametrize("number", [0, 40, 90])
def test_it_scores_what_the_one_shot_form_scores(number):
    problem = load_problem(LENET)
    settings = np.array([[4, 5], [3, 3], [2, 4], [5, 6]])
    one_shot = gym.make("LRMP-LeNet-Chip-OneShot-v0", discrete=True)
    one_shot.reset()
    whole = np.concatenate([problem.variants[number], settings.ravel()])
    _, reward, _, _, info = one_shot.step(whole)
    agents = parallel_env(LENET, discrete=True)
    agents.reset()
    _, rewards, _, _, infos = agents.step(joint(problem.variants[number], settings))
    assert set(rewards.values()) == {reward}
    assert infos["layer_2"].keys() == info.keys()
    assert all(np.array_equal(infos["layer_2"][key], info[key]) for key in info)


def test_rounds_show_the_chip_before_and_add_up_to_the_last_reward():
    agents = parallel_env(LENET, discrete=True, rounds=3)
    first, _ = agents.reset()
    total, seen = 0.0, [first]
    for chip, bits in (([0, 1, 3, 3, 2], 3), ([0, 2, 3, 3, 2], 0), ([0, 1, 3, 3, 2], 1)):
        observations, rewards, terminations, _, infos = agents.step(joint(chip, [[bits] * 2] * 4))
        total += rewards["chip"]
        seen.append(observations)
    assert all(terminations.values())
    alone = parallel_env(LENET, discrete=True)
    alone.reset()
    assert total == pytest.approx(alone.step(joint([0, 1, 3, 3, 2], [[1, 1]] * 4))[1]["chip"])
    assert infos["chip"]["chip_crossbar_side"] == 64
    # Crossbar side 256 of 64, 128, 256 is LRMP's; then 64.
    assert [round(float(each["layer_1"][0]), 2) for each in seen] == [1.0, 0.0, 0.0, 0.0]
    assert [round(float(each["chip"][-1]), 2) for each in seen] == [1.0, 0.67, 0.33, 0.0]
    assert agents.state() in agents.state_space


def test_wrong_actions_are_refused_and_change_nothing():
    agents = parallel_env(LENET, discrete=True)
    with pytest.raises(gym.error.ResetNeeded):
        agents.step({})
    agents.reset()
    good = joint([0, 1, 3, 3, 2], [[1, 1]] * 4)
    for wrong, message in (
        ({"layer_0": [1, 1]}, r"exactly the agents chip and layer_0 to layer_3, got \['layer_0'\]"),
        (
            good | {"chip": [0, 1, 3, 3, 3]},
            r"an action of chip in MultiDiscrete.*\[0, 1, 3, 3, 3\]",
        ),
        (good | {"layer_1": [1]}, r"an action of layer_1 in MultiDiscrete"),
        (good | {"layer_1": [0.5, 1.0]}, r"an action of layer_1 in MultiDiscrete"),
    ):
        with pytest.raises(ActionError, match=message):
            agents.step(wrong)
    assert agents.step(good)[1]["chip"] > 2
    with pytest.raises(TaskError, match="agent"):
        agents.action_space("layer_9")
    with pytest.raises(TaskError, match="flat"):
        parallel_env(LENET, discrete="flat")


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_it_is_shown(mode):
    agents = parallel_env(LENET, render_mode=mode, discrete=True)
    agents.reset()
    before = agents.render()
    agents.step(joint([0, 1, 3, 3, 2], [[1, 1]] * 4))
    after = agents.render()
    assert np.any(before != after)


def test_its_example_runs():
    assert doctest.testmod(lrmp.envs.variant_choice.chip_agents).failed == 0
