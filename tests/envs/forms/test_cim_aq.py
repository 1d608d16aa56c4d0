"""CIM-AQ's tasks in every form: nobody leaves the masks, and every layer has one copy."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from lrmp.envs import evaluate_settings, load_task, make_task
from lrmp.envs.forms.multi_agent import parallel_env
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.environment_id import environment_id, multi_agent_id
from lrmp.envs.wrappers import BudgetProjection, CellWidthWeights, PinFirstLast
from lrmp.errors import PresetError, TaskError

TASKS = ("LRMP-ResNet18-CIMAQ-v0", "LRMP-ResNet18-CIMAQ2-v0")
TASK = pytest.mark.parametrize("task_id", TASKS)
KINDS = pytest.mark.parametrize("discrete", [False, True, "flat"], ids=["box", "many", "flat"])


def assert_inside(outcome):
    """Weights fill their cells, both ends keep 8 bits, no layer has a second copy."""
    design, cell_bits = outcome.design, outcome.task.accelerator.cell_bits
    weights, activations = design["weight_bits"], design["activation_bits"]
    assert (weights % cell_bits == 0).all()
    assert {*weights[[0, -1]], *activations[[0, -1]]} == {8}
    assert (design.replication == 1).all()
    assert outcome.report.tiles > outcome.task.budget == 1


def play(env, seed):
    """Play an episode of random actions of the whole action space."""
    env.action_space.seed(seed)
    env.reset(seed=seed)
    ended, total = False, 0.0
    while not ended:
        _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        ended, total = terminated or truncated, total + reward
    return total


@TASK
@KINDS
@pytest.mark.parametrize("form", ["", "OneShot"])
def test_random_actions_stay_inside(task_id, form, discrete):
    env = gym.make(environment_id(task_id, form), discrete=discrete)
    for seed in range(3):
        total = play(env, seed)
        outcome = env.unwrapped.outcome
        assert_inside(outcome)
        assert total == pytest.approx(outcome.reward(), abs=1e-12)


@TASK
def test_steps_of_the_refinement_stay_inside(task_id):
    env = gym.make(environment_id(task_id, "Refine"), horizon=60)
    for seed in range(3):
        play(env, seed)
        assert_inside(env.unwrapped.outcome)


@TASK
@KINDS
def test_agents_of_layers_stay_inside(task_id, discrete):
    env = parallel_env(multi_agent_id(task_id), discrete=discrete)
    env.reset(seed=0)
    for agent in env.possible_agents:
        env.action_space(agent).seed(0)
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert_inside(env.unwrapped.outcome)


@TASK
def test_masks_say_what_layers_may_have(task_id):
    env = gym.make(task_id, discrete="flat")
    _, info = env.reset(seed=0)
    task, counts = load_task(task_id), []
    for layer in range(len(task.network)):
        mask = np.asarray(info["action_mask"])
        settings = task.space.settings[mask == 1]
        allowed = [set(places.tolist()) for places in task.space.choices(layer)]
        assert [set(column) for column in settings.T.tolist()] == allowed
        counts.append(len(settings))
        _, _, _, _, info = env.step(int(np.flatnonzero(mask)[0]))
    inner = 7 * 8 // task.accelerator.cell_bits  # 2 or 4 weight bits, 7 activation bits
    assert counts == [1, *[inner] * 19, 1]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize(
    ("form", "settings", "steps"),
    [
        ("", {}, 30),
        ("", {"discrete": "flat", "dense": True, "reward": "cim-aq"}, 30),
        ("OneShot", {"discrete": True}, 4),
        ("Refine", {"horizon": 5}, 12),
    ],
)
def test_vector_environments_play_the_same(form, settings, steps, mode, assert_parity):
    assert_parity(environment_id(TASKS[1], form), mode, settings, steps)


@TASK
def test_many_designs_score_as_one_by_one(task_id):
    task = load_task(task_id)
    designs = task.space.sample(np.random.default_rng(0), 21, 30)
    scores = Dynamics(task, "cim-aq").scores(designs)
    for row in (0, 7, 29):
        outcome = evaluate_settings(task, designs[row])
        assert_inside(outcome)
        assert scores.gain[row] == outcome.gain
        assert scores.reward[row] == outcome.reward("cim-aq")
        assert scores.proven_optimal[row]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["", "OneShot", "Refine"])
@pytest.mark.parametrize("render_mode", ["ansi", "rgb_array"])
def test_check_env_finds_nothing(form, render_mode):
    env = gym.make(environment_id(TASKS[0], form), render_mode=render_mode)
    check_env(env.unwrapped, skip_render_check=True)
    play(env, 0)
    frame = env.render()
    if render_mode == "ansi":
        tiles = env.unwrapped.outcome.report.tiles
        assert f"tiles {tiles} in turn on 1, latency gain" in frame


def test_the_masks_are_those_of_the_wrappers():
    """The wrappers on a task without masks reach the same designs."""
    free = make_task("resnet18", "cim_aq_date_2026")
    env = PinFirstLast(CellWidthWeights(gym.make("LRMP-Custom-v0", task=free, discrete=True)))
    assert env.action_space == gym.spaces.MultiDiscrete([2, 7])
    for seed in range(3):
        play(env, seed)
        assert load_task(TASKS[0]).space.allows(env.unwrapped.outcome.design.settings).all()
        assert_inside(env.unwrapped.outcome)


def test_there_is_no_budget_to_project_to():
    with pytest.raises(TaskError, match=r"layers share the tiles .* LRMP-ResNet18-CIMAQ-v0 on the"):
        BudgetProjection(gym.make(TASKS[0]))


def test_there_is_no_form_that_needs_energies():
    assert environment_id(TASKS[0], "MultiObjective") not in gym.registry
    with pytest.raises(PresetError, match=r"to give the energy of its events, got none"):
        gym.make("LRMP-Custom-MultiObjective-v0", task=TASKS[0])
