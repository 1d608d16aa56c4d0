"""LRMP-Board-v0 against a board that is served here."""

import itertools
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from lrmp.errors import ActionError, BoardError, TaskError
from lrmp.leaderboard.client.environment import BoardEnv
from lrmp.leaderboard.client.metered_run import BudgetSpentError

NUMBERS = itertools.count()


@pytest.fixture
def agent(live_board):
    """An agent without runs."""
    name = f"ants/env@{next(NUMBERS)}"
    with live_board.connection() as connection:
        connection.post("/agents", {"agent": name, "code": None})
    return name


@pytest.fixture
def make(live_board, agent):
    made = []

    def environment(**settings):
        settings = {"agent": agent, "track": "search", "discrete": True} | settings
        made.append(BoardEnv(live_board.url, token=live_board.member, **settings))
        return made[-1]

    yield environment
    for env in made:
        env.close()


def play(env, setting):
    """Give all layers the same setting."""
    env.reset()
    while True:
        *_, reward, terminated, _, info = env.step(setting)
        if terminated:
            return reward, info


def test_the_board_scores_a_design_as_its_instance_does_and_counts_it(make, live_board):
    from lrmp.envs.scoring.outcome import evaluate
    from lrmp.leaderboard.board.database.models import Round
    from lrmp.leaderboard.board.instances import instance_task

    env = make()
    reward, info = play(env, [5, 5])
    with live_board.board.database.read() as session:
        secret = session.get_one(Round, "search-1").secret
    task = instance_task(secret, "search-1", env.agent, 0, "latency")
    expected = evaluate(task, weight_bits=7, activation_bits=7)
    assert reward == expected.reward()
    assert info["gain"] == expected.gain
    assert info["accuracy_drop"] == expected.accuracy_drop
    assert info["within_allowance"] == expected.within_allowance
    with live_board.connection() as connection:
        assert connection.get(f"/runs/{env.run.id}")["evaluations"] == 1
    # All but the accuracy is computed here, and is the same.
    assert env.task.cost_model.baseline == task.cost_model.baseline
    assert env.task.budget == task.budget


def test_it_is_an_environment(make):
    env = make(discrete=False)
    check_env(env, skip_render_check=True)
    env.close()  # again: the checker closes it, too


def test_observations_and_infos_keep_their_form(make):
    env = make()
    observation, info = env.reset()
    kinds = {name: (value.dtype, value.shape) for name, value in info.items()}
    env.action_space.seed(0)
    ended = False
    while not ended:
        observation, _, ended, truncated, info = env.step(env.action_space.sample())
        assert observation in env.observation_space
        assert {name: (value.dtype, value.shape) for name, value in info.items()} == kinds
        assert truncated is False
    assert len(env.feature_names) == len(observation)


def test_the_harms_are_told_where_there_is_no_feedback(make):
    assert not any("harm" in name for name in make().feature_names)
    assert sum("harm" in name for name in make(track="zero-shot").feature_names) == 4


def test_a_run_is_returned_to_by_its_key(make):
    first = make(key="mine")
    play(first, [5, 5])
    again = make(key="mine")
    _, info = play(again, [4, 5])
    assert again.run.id == first.run.id
    assert info["evaluations"] == 2


def test_every_run_of_zero_shot_is_one_design_and_nothing_is_told(make):
    env = make(track="zero-shot", runs=2)
    runs = []
    for _ in range(2):
        reward, info = play(env, [5, 5])
        runs.append(env.run.id)
        assert (reward, bool(info["scored"]), bool(info["finished"])) == (0.0, False, True)
        assert env.run.state in ("finishing", "finished")
    assert len(set(runs)) == 2
    observation, _ = env.reset()  # as vector environments do by themselves: it opens nothing
    assert observation in env.observation_space
    with pytest.raises(BudgetSpentError, match="got none: all 2 runs of this environment are over"):
        env.step([5, 5])


@pytest.fixture
def registered():
    """Leave the registry as it was: other tests go through it."""
    yield
    gym.registry.pop("LRMP-Board-v0", None)
    sys.modules.pop("lrmp.leaderboard.client.registration", None)


def test_it_plays_in_gymnasiums_vectors(live_board, agent, registered):
    envs = gym.make_vec(
        "lrmp.leaderboard.client.registration:LRMP-Board-v0",
        num_envs=2,
        vectorization_mode="sync",
        board=live_board.url,
        agent=agent,
        token=live_board.member,
        discrete=True,
    )
    envs.reset(seed=0)
    envs.action_space.seed(0)
    for _ in range(12):
        observations, *_ = envs.step(envs.action_space.sample())
    assert observations.shape == (2, len(envs.envs[0].unwrapped.feature_names))
    envs.close()


def test_nothing_but_its_own_module_registers_what_needs_a_server():
    import lrmp.cli  # noqa: F401

    assert "LRMP-Board-v0" not in gym.registry


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"track": "serch"}, TaskError, "Did you mean 'search'"),
        ({"runs": 0}, TaskError, "Expected at least 1 run, got 0"),
    ],
)
def test_wrong_settings_are_refused(make, settings, error, message):
    with pytest.raises(error, match=message):
        make(**settings)


def test_wrong_use_is_refused(make):
    env = make()
    with pytest.raises(gym.error.ResetNeeded, match=r"Expected reset\(\) first"):
        env.step([0, 0])
    with pytest.raises(TaskError, match="Expected no reset options"):
        env.reset(options={"instance": 1})
    env.reset()
    with pytest.raises(ActionError, match="Expected an action in MultiDiscrete"):
        env.step([7, 0])


def test_another_teams_agent_is_refused(make, live_board):
    with pytest.raises(BoardError, match="Expected an agent that was registered"):
        make(agent="bees/walker@1").reset()


def test_rounds_of_another_track_are_refused(make):
    with pytest.raises(BoardError, match="Expected a round of the track search"):
        make(round="zero-1").reset()


def test_equal_actions_see_equal_observations(make):
    seen = []
    for _ in range(2):
        env = make(key="twice")
        observation, _ = env.reset()
        rows = [observation]
        for _ in range(3):
            rows.append(env.step([2, 6])[0])
        seen.append(np.array(rows))
    assert np.array_equal(*seen)
