"""The multi-agent form: the same tasks, and correct PettingZoo environments."""

import doctest
import io
import pickle
import re
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import data_equivalence
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test
from pettingzoo.test.state_test import state_test

import lrmp.envs.forms.multi_agent
from lrmp.envs import TASKS, list_tasks, load_task
from lrmp.envs.forms.multi_agent import (
    MultiAgentEnv,
    env,
    parallel_env,
    register_multi_agent_envs,
)
from lrmp.envs.scoring.observation import layer_features
from lrmp.envs.scoring.reward import REWARDS
from lrmp.envs.task.environment_id import environment_id, multi_agent_id
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.errors import ActionError, InfeasibleBudgetError, TaskError
from lrmp.install_command import install_command

PAGE = Path(__file__).parents[3] / "docs" / "multi-agent.md"
TASK = pytest.mark.parametrize("task_id", TASKS)
# Whose layers all have many values: two designs of other families need not differ everywhere.
FULL = list_tasks(family="precision")


def same(a, b):
    return data_equivalence(a, b, exact=True)


def joint_actions(env, seed, rounds=1):
    """Draw the actions of all agents, for every round."""
    rng = np.random.default_rng(seed)
    agents, sizes = env.possible_agents, env.task.space.sizes
    if env.discrete:
        draws = rng.integers(0, sizes, (rounds, len(agents), len(sizes)))
    else:
        draws = 2 * rng.random((rounds, len(agents), len(sizes)), dtype=np.float32) - 1
    return [dict(zip(agents, draw, strict=True)) for draw in draws]


def play(env, actions, seed=None):
    """Play an episode: what reset and every step return, each with the state after it."""
    start = env.reset(seed=seed)
    transitions = [(*start, env.state())]
    for joint in actions:
        transitions.append((*env.step(joint), env.state()))
    assert env.agents == []
    return transitions


def seeded(env):
    """Make what PettingZoo's tests sample the same in every run."""
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(number)
    return env


@pytest.mark.long
@TASK
def test_pettingzoo_finds_nothing(task_id):
    env_id = multi_agent_id(task_id)
    with redirect_stdout(io.StringIO()):
        api_test(seeded(pettingzoo.make("aec", env_id)), num_cycles=2)
        parallel_api_test(seeded(pettingzoo.make("parallel", env_id)), num_cycles=3)
    parallel_seed_test(lambda: pettingzoo.make("parallel", env_id))


@pytest.mark.parametrize(
    "settings",
    [
        {"discrete": True},
        {"discrete": "flat", "rounds": 2},
        {"rounds": 3},
        {"credit": "difference"},
        {"reward": "cim-aq"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Action space for each agent probably should be:UserWarning")
def test_pettingzoo_finds_nothing_with_other_arguments(settings):
    settings = {"task": "LRMP-ResNet20-v0", **settings}
    with redirect_stdout(io.StringIO()):
        api_test(seeded(env(**settings)), num_cycles=5)
        parallel_api_test(seeded(parallel_env(**settings)), num_cycles=5)
    parallel_seed_test(lambda: parallel_env(**settings))
    state_test(seeded(env(**settings)), parallel_env(**settings), num_cycles=5)


@TASK
def test_two_instances_play_the_same_episodes_whatever_the_seed(task_id):
    one, two = (parallel_env(task_id, discrete=True, rounds=2) for _ in range(2))
    actions = joint_actions(one, 1, rounds=2)
    expected = play(one, actions, seed=1)
    two.reset(seed=2)
    two.step(actions[1])  # an episode that is abandoned
    assert same(play(two, actions), expected)


@TASK
def test_observations_and_states_are_finite_in_their_space_and_never_constant(task_id):
    env = parallel_env(task_id, rounds=2)
    # Few bits too: of many layers that are equally slow, one may well keep 8.
    few = dict.fromkeys(env.possible_agents, -np.ones(len(env.task.space)))
    transitions = play(env, [*joint_actions(env, 2), few])
    views = [[], []]
    for observations, *_, state in transitions:
        assert list(observations) == env.possible_agents
        for agent, observation in observations.items():
            assert observation in env.observation_space(agent)
            views[0].append(observation)
        assert state in env.state_space
        views[1].append(state)
    for view in views:
        assert {array.dtype for array in view} == {np.dtype(np.float32)}
        assert np.isfinite(view).all()
        if task_id in FULL:
            assert np.ptp(view, axis=0).all()


def test_observations_and_states_share_no_memory():
    env = parallel_env("LRMP-LeNet-v0", rounds=2)
    transitions = play(env, joint_actions(env, 3, rounds=2))
    arrays = [a for step in transitions for a in (*step[0].values(), step[-1], env.state())]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    table = env._shown.layers
    assert not any(np.shares_memory(array, table) for array in arrays)


def test_elements_are_the_documented_ones():
    env = parallel_env("LRMP-LeNet-v0", discrete=True, rounds=4)
    layer_names, features = layer_features(env.task)
    running = ("weight_bits", "activation_bits", "tiles", "accuracy_spent", "cycles", "bottleneck")
    assert env.feature_names == (*layer_names, *running, "rounds_left")
    assert env.state_feature_names[:3] == ("weight_bits_0", "activation_bits_0", "weight_bits_1")
    assert env.state_feature_names[8:] == (*running[2:], "rounds_left")
    bits, observations = np.full((4, 2), 8), env.reset()[0]
    for rounds in range(5):
        totals = np.ravel(env.dynamics.design_totals(bits[None] - 2))
        shared = [*totals, 1 - rounds / 4]
        for layer, observation in enumerate(observations.values()):
            own = (bits[layer] - 2) / 6
            assert observation == pytest.approx([*features[layer], *own, *shared])
        assert env.state() == pytest.approx([*((bits - 2) / 6).ravel(), *shared])
        if env.agents:
            (actions,) = joint_actions(env, rounds)
            bits, observations = 2 + np.array(list(actions.values())), env.step(actions)[0]
    assert rounds == 4
    assert env.agents == []


@TASK
def test_one_round_scores_as_the_one_shot_form(task_id):
    env = parallel_env(task_id)
    (actions,) = joint_actions(env, 4)
    *_, (_, rewards, terminations, truncations, infos, _) = play(env, [actions])
    one_shot = gym.make(environment_id(task_id, "OneShot"))
    one_shot.reset()
    *_, reward, _, _, expected = one_shot.step(np.concatenate(list(actions.values())))
    agents = env.possible_agents
    assert agents == [f"layer_{layer}" for layer in range(len(env.task.network))]
    assert rewards == dict.fromkeys(agents, reward)
    assert type(rewards["layer_0"]) is float
    assert terminations == dict.fromkeys(agents, True)
    assert truncations == dict.fromkeys(agents, False)
    del expected["action_mask"]  # only a flat space has one
    chosen = {name: expected.pop(name) for name in env.task.space.names}
    for place, agent in enumerate(agents):
        own = {name: values[place] for name, values in chosen.items()}
        assert same(infos[agent], {**expected, **own, "team_reward": np.float64(reward)})
    assert env.outcome.design == one_shot.unwrapped.outcome.design


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("task_id", ["LRMP-ResNet18-v0", "LRMP-MLP-EDP-v0", "LRMP-Digits-v0"])
def test_return_is_the_score_of_the_last_design(task_id, reward):
    env = parallel_env(task_id, rounds=3, reward=reward, discrete=True)
    actions = joint_actions(env, 5, rounds=3)
    _, *steps = play(env, actions)
    total = 0.0
    for joint, (_, rewards, terminations, _, infos, _) in zip(actions, steps, strict=True):
        assert len(set(rewards.values())) == 1
        assert infos["layer_0"]["team_reward"] == rewards["layer_0"]
        total += rewards["layer_1"]
        outcome = env.dynamics.outcome(np.array(list(joint.values())))
        assert total == pytest.approx(outcome.reward(reward), rel=1e-12)
        assert infos["layer_2"]["gain"] == outcome.gain
        assert infos["layer_0"]["finished"] == terminations["layer_0"]
    assert env.outcome.design == outcome.design


@pytest.mark.parametrize("task_id", ["LRMP-ResNet18-v0", "LRMP-LeNet-EDP-v0", "LRMP-Digits-v0"])
def test_difference_rewards_are_what_each_layers_bits_are_worth(task_id):
    env = parallel_env(task_id, rounds=2, credit="difference", discrete=True)
    actions = joint_actions(env, 6, rounds=2)
    actions[1]["layer_1"] = np.array([6, 6])  # 8/8 bits
    _, *steps = play(env, actions)
    returns, team = dict.fromkeys(env.possible_agents, 0.0), 0.0
    for joint, (_, rewards, _, _, infos, _) in zip(actions, steps, strict=True):
        bits = 2 + np.array(list(joint.values()))
        score = env.dynamics.outcome(bits - 2).reward()
        team += infos["layer_0"]["team_reward"]
        assert team == pytest.approx(score, rel=1e-12)
        for layer, agent in enumerate(env.possible_agents):
            returns[agent] += rewards[agent]
            plain = bits.copy()
            plain[layer] = 8
            worth = score - env.dynamics.outcome(plain - 2).reward()
            assert returns[agent] == pytest.approx(worth, rel=1e-12, abs=1e-12)
    assert returns["layer_1"] == pytest.approx(0, abs=1e-12)
    assert len(set(returns.values())) > 2


def test_own_choice_changes_difference_reward_and_score_alike():
    rewards = []
    for bits in ([5, 5], [2, 3]):
        env = parallel_env("LRMP-ResNet20-v0", credit="difference", discrete=True)
        actions = joint_actions(env, 7)[0] | {"layer_9": np.array(bits)}
        *_, (_, found, _, _, infos, _) = play(env, [actions])
        rewards.append((found["layer_9"], infos["layer_9"]["team_reward"]))
    (own, team), (other_own, other_team) = rewards
    assert other_team != team
    assert other_own - own == pytest.approx(other_team - team, rel=1e-9)


@pytest.mark.parametrize("credit", ["team", "difference"])
def test_layers_in_turn_play_as_all_at_once(credit):
    settings = {"rounds": 2, "credit": credit, "discrete": True}
    parallel = pettingzoo.make("parallel", "LRMP/LeNet-v0", **settings)
    turns = pettingzoo.make("aec", "LRMP/LeNet-v0", **settings)
    actions = joint_actions(parallel, 8, rounds=2)
    transitions = play(parallel, actions)
    turns.reset()
    expected = [(step[0], step[1:-2], step[-2], step[-1]) for step in transitions]
    for round_, joint in enumerate(actions):
        observations, before, infos, state = expected[round_]
        for agent, action in joint.items():
            assert turns.agent_selection == agent
            observation, reward, terminated, truncated, info = turns.last()
            assert same(observation, observations[agent])
            assert reward == (before[0][agent] if before else 0)
            assert (terminated, truncated) == (False, False)
            assert same(info, infos[agent])
            assert same(turns.state(), state)
            turns.step(action)
    observations, (rewards, *_), infos, state = expected[-1]
    assert same(turns.state(), state)
    for agent in actions[0]:
        observation, reward, terminated, truncated, info = turns.last()
        assert turns.agent_selection == agent
        assert same(
            (observation, reward, info), (observations[agent], rewards[agent], infos[agent])
        )
        assert (terminated, truncated) == (True, False)
        turns.step(None)
    assert turns.agents == []


def test_pickle_in_the_middle_of_an_episode():
    env = parallel_env("LRMP-ResNet8-v0", rounds=2, credit="difference")
    first, second = joint_actions(env, 9, rounds=2)
    env.reset(seed=3)
    env.step(first)
    clone = pickle.loads(pickle.dumps(env))
    assert clone.task is env.task
    assert clone.np_random_seed == 3
    assert same((clone.state(), clone.step(second)), (env.state(), env.step(second)))


def test_pickle_of_the_form_with_turns():
    turns = env("LRMP-MLP-v0")
    turns.reset()
    turns.step(np.array([0.1, 0.2], np.float32))
    clone = pickle.loads(pickle.dumps(turns))
    for each in (turns, clone):
        for _ in range(2):
            each.step(np.array([0.3, 0.4], np.float32))
    assert same(clone.last(), turns.last())


WRONG = [
    ([0.5, 1.1], r"an action of layer_1 in Box\(-1\.0, 1\.0, \(2,\).*got \[0\.5, 1\.1\]"),
    (
        [np.nan, 0.5],
        r"an action of layer_1 in Box\(-1\.0, 1\.0, \(2,\).*got \[nan, 0\.5\]",
    ),
    ([0.5] * 3, r"Expected an action of layer_1 in Box"),
    ([[0.5], [0.5, 0.5]], r"Expected an action of layer_1 in Box"),
    (None, r"Expected an action of layer_1 in Box.*got None"),
]


@pytest.mark.parametrize(("action", "message"), WRONG)
def test_wrong_action_is_refused_and_changes_nothing(action, message):
    env = parallel_env("LRMP-MLP-v0", rounds=2)
    first, second = joint_actions(env, 10, rounds=2)
    expected = play(env, [first, second])
    env.reset()
    env.step(first)
    with pytest.raises(ActionError, match=message):
        env.step(second | {"layer_1": action})
    assert same((*env.step(second), env.state()), expected[-1])


def test_actions_of_other_agents_than_the_live_ones_are_refused():
    env = parallel_env("LRMP-MLP-v0")
    (actions,) = joint_actions(env, 11)
    env.reset()
    message = r"Expected actions of exactly the agents layer_0 to layer_2, got "
    with pytest.raises(ActionError, match=message + r"\['layer_0', .*'layer_3'\]"):
        env.step(actions | {"layer_3": actions["layer_0"]})
    with pytest.raises(ActionError, match=message + r"\['layer_0'\]"):
        env.step({"layer_0": actions["layer_0"]})
    with pytest.raises(ActionError, match=message + r"\[0\.5, 0\.5\]"):
        env.step([0.5, 0.5])
    assert env.step(actions)[2]["layer_2"]


def test_dead_agents_cannot_act():
    env = parallel_env("LRMP-MLP-v0")
    (actions,) = joint_actions(env, 12)
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before state\(\)"):
        env.state()
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
        env.step(actions)
    *_, last = play(env, [actions])
    for dead in (actions, {}):
        with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before step\(\)"):
            env.step(dead)
    assert same(env.state(), last[-1])


def test_turns_are_held_to_order_and_space():
    turns = env("LRMP-MLP-v0")
    with pytest.raises(AttributeError, match="agents cannot be accessed before reset"):
        turns.agents  # noqa: B018
    turns.reset()
    with pytest.raises(AssertionError, match="action is not in action space"):
        turns.step(np.array([0.5, 1.5], np.float32))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": 0}, r"Expected rounds to be a number of at least 1, got 0\."),
        ({"rounds": 1.5}, r"Expected rounds to be a number of at least 1, got 1\.5\."),
        ({"credit": "diference"}, r"Expected credit .*got 'diference'.*Did you mean 'difference'"),
        ({"reward": "lrpm"}, r"Expected reward to be one of"),
        ({"render_mode": "a"}, r"Expected render_mode None, 'ansi' or 'rgb_array'; got 'a'\."),
    ],
)
def test_wrong_arguments_are_refused(settings, message):
    with pytest.raises(TaskError, match=message):
        parallel_env("LRMP-MLP-v0", **settings)


def test_spaces_of_unknown_agents_are_refused():
    env = parallel_env("LRMP-MLP-v0")
    for space in (env.observation_space, env.action_space):
        with pytest.raises(TaskError, match=r"Expected agent .*got 'layer_3'"):
            space("layer_3")


def test_design_beyond_a_smaller_budget_changes_nothing():
    task = load_task("LRMP-MLP-v0")
    env = MultiAgentEnv(replace(task, id="small", budget=task.budget // 2), rounds=2)
    env.reset()
    state = env.state()
    with pytest.raises(InfeasibleBudgetError):
        env.step(dict.fromkeys(env.agents, (1.0, 1.0)))
    assert same(env.state(), state)
    assert env.step(dict.fromkeys(env.agents, (-1.0, -1.0)))[2]["layer_0"] is False


def test_spaces_of_all_agents_are_dictionaries_too():
    for made in (parallel_env("LRMP-LeNet-v0"), parallel_env("LRMP-LeNet-v0", discrete=True)):
        assert list(made.observation_spaces) == list(made.action_spaces) == made.possible_agents
        for agent in made.possible_agents:
            assert made.observation_spaces[agent] is made.observation_space(agent)
            assert made.action_spaces[agent] is made.action_space(agent)


def test_rounds_are_shown():
    made = parallel_env("LRMP-LeNet-v0", discrete=True, rounds=2, render_mode="ansi")
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) before render\(\)"):
        made.render()
    made.reset(seed=0)
    assert made.render().startswith("LRMP-LeNet-v0: 0 of 2 rounds\ntiles")
    made.step({agent: [3, 4] for agent in made.agents})
    lines = made.render().splitlines()
    assert lines[0] == "LRMP-LeNet-v0: 1 of 2 rounds"
    assert len(lines) == 1 + len(made.possible_agents) + 3
    made.step({agent: [6, 6] for agent in made.agents})
    assert made.render().endswith("\nreward 0.0000")
    turns = env("LRMP-LeNet-v0", render_mode="rgb_array")
    turns.reset(seed=0)
    assert turns.render().shape[2] == 3
    silent = parallel_env("LRMP-LeNet-v0")
    silent.reset(seed=0)
    assert silent.render() is None


def test_every_task_is_registered_once():
    names = {multi_agent_id(task_id): task_id for task_id in TASKS}
    for task_id in list_tasks(family="shared"):
        names[multi_agent_id(environment_id(task_id, "PerNetwork"))] = task_id
    names |= {multi_agent_id(problem_id): problem_id for problem_id in VARIANT_PROBLEMS}
    assert names["LRMP/ResNet18-EDP-v0"] == "LRMP-ResNet18-EDP-v0"
    for registry in (pettingzoo.parallel_registry, pettingzoo.aec_registry):
        before = {env_id: spec for env_id, spec in registry.items() if "LRMP" in env_id}
        played = {env_id: next(iter(spec.kwargs.values())) for env_id, spec in before.items()}
        assert played == names
        register_multi_agent_envs()
        assert all(registry[env_id] is spec for env_id, spec in before.items())
    assert str(pettingzoo.make("parallel", "LRMP/MLP-v0")) == "LRMP-MLP-v0"


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_core_does_not_load_pettingzoo():
    code = "import sys, lrmp.envs.forms.multi_agent_vector; print('pettingzoo' in sys.modules)"
    assert run_python(code) == "False\n"


def test_without_pettingzoo_the_error_says_what_to_install():
    code = """
import sys
sys.modules["pettingzoo"] = None  # how Python itself marks a module that must not be imported
try:
    import lrmp.envs.forms.multi_agent
except ImportError as error:
    print(type(error).__name__, error)
"""
    assert run_python(code) == (
        "MissingExtraError Expected pettingzoo for the multi-agent form; "
        f"run {install_command('multiagent')}.\n"
    )


def test_docstring_example():
    found = doctest.testmod(lrmp.envs.forms.multi_agent)
    assert found.attempted > 0
    assert found.failed == 0


def test_documented_arguments_are_the_constructors():
    table = MultiAgentEnv.__doc__.partition("## Arguments")[2].partition(">>>")[0]
    documented = re.findall(r"^ *\| `(\w+)` \|", table, flags=re.MULTILINE)
    assert documented == [
        name for name in MultiAgentEnv.__init__.__annotations__ if name != "return"
    ]


@pytest.mark.long
@pytest.mark.skipif(not PAGE.exists(), reason="the tests run outside the repository")
def test_example_of_the_page_learns_faster_with_difference_rewards():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    output = io.StringIO()
    with redirect_stdout(output):
        exec(example, {})
    team, difference = re.fullmatch(r"team: (\S+)\ndifference: (\S+)\n", output.getvalue()).groups()
    assert float(difference) > 0 > float(team)
