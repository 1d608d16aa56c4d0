import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.envs.forms.multi_agent import parallel_env
from lrmp.envs.forms.multi_agent_vector import MultiAgentVector
from lrmp.errors import ActionError, TaskError

GAMES = 3
PLACES = (
    r"Expected places of values, 0 to 6 for weight_bits, 0 to 6 for activation_bits, in shape "
    r"\(2, 3, 2\), got "
)


@pytest.mark.parametrize("credit", ["team", "difference"])
@pytest.mark.parametrize("task_id", ["LRMP-ResNet18-v0", "LRMP-LeNet-EDP-v0", "LRMP-Digits-v0"])
def test_plays_as_the_environment_does(task_id, credit):
    rules = {"rounds": 2, "credit": credit, "reward": "cim-aq"}
    vector = MultiAgentVector(load_task(task_id), GAMES, **rules)
    envs = [parallel_env(task_id, discrete=True, **rules) for _ in range(GAMES)]
    agents = envs[0].possible_agents
    rng = np.random.default_rng(1)
    for _ in range(2):  # the second time from where the first has ended
        observations, states = vector.reset()
        expected = [env.reset()[0] for env in envs]
        for round_ in range(2):
            for game, env in enumerate(envs):
                assert np.array_equal(states[game], env.state())
                assert np.array_equal(observations[game], list(expected[game].values()))
            actions = rng.integers(0, 7, (GAMES, len(vector), 2))
            observations, states, rewards, ended = vector.step(actions)
            settings, scores = vector.played[round_]
            for game, env in enumerate(envs):
                joint = dict(zip(agents, actions[game], strict=True))
                expected[game], found, terminations, _, infos = env.step(joint)
                assert rewards[game].tolist() == list(found.values())
                assert set(terminations.values()) == {ended}
                assert scores.gain[game] == infos["layer_0"]["gain"]
                bits = vector.dynamics.space.decode(settings[game, 1])
                assert bits == {name: infos["layer_1"][name] for name in bits}
        assert ended
    assert observations.shape == (GAMES, len(agents), vector.observation_size)
    assert states.shape == (GAMES, vector.state_size)


@pytest.mark.parametrize(
    "wrong",
    [
        np.full((2, 3, 2), 7),
        np.full((2, 3, 2), -1),
        np.zeros((2, 3)),
        np.zeros((2, 3, 2)),
        [[[0, 0]], [[0, 0], [0, 0]]],
    ],
    ids=["large", "negative", "shape", "real", "ragged"],
)
def test_wrong_actions_are_refused(wrong):
    vector = MultiAgentVector(load_task("LRMP-MLP-v0"), 2)
    with pytest.raises(ActionError, match=PLACES):
        vector.step(wrong)
    assert vector.step(np.zeros((2, 3, 2), np.int64))[-1]
    with pytest.raises(ActionError, match=r"Expected reset\(\) before step\(\)"):
        vector.step(np.zeros((2, 3, 2), np.int64))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_episodes_begin_again_together(count):
    vector = MultiAgentVector(load_task("LRMP-MLP-v0"), count, rounds=2)
    actions = np.random.default_rng(0).integers(0, 7, (2, count, 3, 2), dtype=np.uint8)
    played = []
    for _ in range(3):
        steps = [vector.reset(), vector.step(actions[0]), vector.step(actions[1].tolist())]
        assert [steps[1][-1], steps[2][-1]] == [False, True]
        played.append(np.concatenate([part.ravel() for step in steps for part in step[:3]]))
    assert np.array_equal(played[0], played[1])
    assert np.array_equal(played[0], played[2])


def test_wrong_rules_are_refused():
    with pytest.raises(TaskError, match=r"Expected num_envs of at least 1, got 0"):
        MultiAgentVector(load_task("LRMP-MLP-v0"), 0)
    with pytest.raises(TaskError, match=r"Expected credit .*Did you mean 'difference'"):
        MultiAgentVector(load_task("LRMP-MLP-v0"), 2, credit="diference")
