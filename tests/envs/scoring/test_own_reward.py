"""A reward of the user's own plays through every form, and its faults get one clear error."""

import math
import pickle
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from lrmp.envs import evaluate
from lrmp.envs.forms.multi_agent import parallel_env
from lrmp.envs.forms.multi_agent_vector import MultiAgentVector
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.wrappers import RecordDesigns
from lrmp.errors import TaskError
from lrmp.leaderboard import replay
from lrmp.leaderboard.submission import parse_record

#: Both paths of the batched oracle, sparse and dense, a table and the network itself.
CASES = {
    "LRMP-LeNet-v0": {"discrete": True},
    "LRMP-LeNet-Energy-v0": {"dense": True},
    "LRMP-Digits-v0": {"discrete": True},
    "LRMP-ResNet8-Throughput-OneShot-v0": {},
    "LRMP-MLP-EDP-OneShot-v0": {"solver": "ilp"},
    "LRMP-LeNet-Refine-v0": {"horizon": 5},
}
FORMS = pytest.mark.parametrize(
    "env_id", ["LRMP-MLP-v0", "LRMP-MLP-OneShot-v0", "LRMP-MLP-Refine-v0"]
)


def thrifty(outcome):
    """Look at all that there is to see: cost, copies, proof, bits, task and the default."""
    design, report = outcome.design, outcome.report
    assert np.array_equal(design.replication, outcome.replication.copies)
    assert outcome.replication.proven_optimal
    assert outcome.replication.lower_bound == outcome.replication.objective_value
    assert report == outcome.task.cost_model.evaluate(design)
    assert not design.replication.flags.writeable
    spare = 1 - report.tiles / outcome.task.budget
    return outcome.reward() + spare + design["weight_bits"][0] / 100 - outcome.accuracy_drop / 10


@dataclass(frozen=True)
class Weighted:
    """A reward with a setting."""

    weight: float

    def __call__(self, outcome):
        return self.weight * math.log(outcome.gain)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("env_id", CASES)
def test_vector_environments_score_as_scalar_ones(env_id, mode, make_vector, assert_same_step):
    settings = {"reward": thrifty, **CASES[env_id]}
    vector, sync = (make_vector(env_id, 3, mode, native, **settings) for native in (True, False))
    vector.action_space.seed(3)
    assert_same_step(vector.reset(seed=0), sync.reset(seed=0))
    ended = 0
    for _ in range(12):
        actions = vector.action_space.sample()
        one, other = vector.step(actions), sync.step(actions)
        assert_same_step(one, other)
        ended += int(one[2].sum())
    assert ended >= 3


@FORMS
@pytest.mark.parametrize("dense", [False, True])
def test_returns_are_the_scores_of_the_last_design(env_id, dense):
    settings = {"dense": dense} if env_id == "LRMP-MLP-v0" else {}
    env = gym.make(env_id, reward=thrifty, **settings)
    env.action_space.seed(4)
    env.reset()
    total, terminated = 0.0, False
    while not terminated:
        _, reward, terminated, _, info = env.step(env.action_space.sample())
        assert type(reward) is float
        total += reward
    outcome = evaluate(
        "LRMP-MLP-v0", weight_bits=info["weight_bits"], activation_bits=info["activation_bits"]
    )
    if env_id == "LRMP-MLP-v0":
        outcome = evaluate(
            "LRMP-MLP-v0",
            weight_bits=info["design_weight_bits"],
            activation_bits=info["design_activation_bits"],
        )
    assert total == pytest.approx(thrifty(outcome), abs=1e-9)
    assert env.unwrapped.outcome.reward(thrifty) == thrifty(outcome) == outcome.reward(thrifty)
    assert outcome.reward() != thrifty(outcome)


@pytest.mark.parametrize("credit", ["team", "difference"])
def test_agents_are_rewarded_as_in_arrays(credit):
    rules = {"rounds": 2, "credit": credit, "reward": thrifty}
    vector = MultiAgentVector("LRMP-LeNet-v0", 2, **rules)
    envs = [parallel_env("LRMP-LeNet-v0", discrete=True, **rules) for _ in range(2)]
    for env in envs:
        env.reset()
    rng = np.random.default_rng(5)
    for round_ in range(2):
        actions = rng.integers(0, 7, (2, 4, 2))
        _, _, rewards, _ = vector.step(actions)
        for game, env in enumerate(envs):
            _, found, _, _, _infos = env.step(dict(zip(env.agents, actions[game], strict=True)))
            assert rewards[game].tolist() == list(found.values())
            assert np.isfinite(rewards).all()
        assert vector.played[round_][1].reward[game] != 0
    design = envs[-1].outcome.design
    outcome = evaluate(
        "LRMP-LeNet-v0",
        weight_bits=design["weight_bits"],
        activation_bits=design["activation_bits"],
    )
    assert vector.played[1][1].reward[1] == thrifty(outcome)


@pytest.mark.parametrize("env_id", ["LRMP-Procedural-v0", "LRMP-Procedural-OneShot-v0"])
def test_drawn_tasks_are_scored_by_it(env_id):
    env = gym.make(env_id, reward=thrifty)
    env.reset(seed=0, options={"instance": 7})
    env.action_space.seed(0)
    terminated = False
    while not terminated:
        _, reward, terminated, _, _info = env.step(env.action_space.sample())
    design = env.unwrapped.outcome.design
    outcome = evaluate(
        env.unwrapped.task,
        weight_bits=design["weight_bits"],
        activation_bits=design["activation_bits"],
    )
    assert reward == thrifty(outcome)


@FORMS
def test_check_env_finds_nothing(env_id):
    check_env(gym.make(env_id, reward=Weighted(2.0)).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("reward", [thrifty, Weighted(3.0)])
def test_a_spec_travels_with_the_reward(reward, play, random_actions):
    env = gym.make("LRMP-LeNet-v0", reward=reward)
    spec = pickle.loads(pickle.dumps(env.spec))
    name = "thrifty" if reward is thrifty else "Weighted(weight=3.0)"
    assert name in repr(spec)
    actions = random_actions(env, 6)
    expected = play(env, actions)
    assert expected[-1][1] != 0
    assert data_equivalence(play(gym.make(spec), actions), expected, exact=True)


def test_worker_processes_use_it(make_vector, assert_same_step):
    def reward(outcome):
        return 2 * outcome.reward()

    vector = make_vector("LRMP-MLP-OneShot-v0", 2, "SameStep", reward=reward)
    kwargs = {"autoreset_mode": "SameStep", "context": "spawn"}
    workers = gym.make_vec(
        "lrmp:LRMP-MLP-OneShot-v0", 2, "async", vector_kwargs=kwargs, reward=reward
    )
    try:
        vector.action_space.seed(2)
        assert_same_step(vector.reset(seed=0), workers.reset(seed=0))
        actions = vector.action_space.sample()
        assert_same_step(vector.step(actions), workers.step(actions))
    finally:
        workers.close()


def test_records_keep_the_ranked_score(tmp_path, play):
    path = tmp_path / "designs.jsonl"
    env = gym.make("LRMP-LeNet-v0", discrete=True, reward=Weighted(100.0))
    env = RecordDesigns(env, path)
    returned = play(env, [[4, 3]] * 4)[-1][1]
    record = parse_record(path.read_text("utf-8"))
    assert record.claim.score == env.unwrapped.outcome.score > 0
    assert record.claim.score != returned
    assert replay(record).claim == record.claim


WRONG = {
    "none": (lambda outcome: None, "got None"),
    "text": (lambda outcome: "1", "got '1'"),
    "nan": (lambda outcome: math.nan, "got nan"),
    "infinite": (lambda outcome: -math.inf, "got -inf"),
    "complex": (lambda outcome: 1j, "got 1j"),
    "array": (lambda outcome: np.ones(2), r"got array\(\[1\., 1\.\]\)"),
    "raises": (lambda outcome: 1 / 0, "got ZeroDivisionError: division by zero"),
    "misspelt": (lambda outcome: outcome.gian, "got AttributeError: .*gian"),
    "arguments": (lambda gain, drop: gain, "got TypeError: .*missing 1 required"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_returns_no_finite_number_is_refused(name):
    reward, got = WRONG[name]
    message = (
        r"Expected <lambda> to return a finite number as the reward of a design of LRMP-MLP-v0, "
        rf"{got}.*\. Mend the function\."
    )
    with pytest.raises(TaskError, match=message):
        evaluate("LRMP-MLP-v0", weight_bits=6, activation_bits=6).reward(reward)
    with pytest.raises(TaskError, match=message):
        Dynamics("LRMP-MLP-v0", reward).scores(np.full((1, 3, 2), 4))


@pytest.mark.parametrize("number", [1, 1.5, np.float32(1.5), np.int64(2), True])
def test_numbers_of_every_kind_are_taken(number):
    reward = evaluate("LRMP-MLP-v0", weight_bits=6, activation_bits=6).reward(
        lambda outcome: number
    )
    assert type(reward) is float
    assert reward == number


@pytest.mark.parametrize("reward", [None, 3, ["lrmp"], {"weight": 1.0}])
@pytest.mark.parametrize(
    "make",
    [
        lambda reward: gym.make("LRMP-MLP-v0", reward=reward),
        lambda reward: gym.make_vec("LRMP-MLP-Refine-v0", 2, reward=reward),
        lambda reward: gym.make("LRMP-Procedural-v0", reward=reward),
        lambda reward: parallel_env("LRMP-MLP-v0", reward=reward),
    ],
)
def test_what_is_neither_name_nor_function_is_refused(make, reward):
    with pytest.raises(
        TaskError, match=r"Expected reward to be a name, or a function of an outcome; got"
    ):
        make(reward)


class FailsOnce:
    """Raises when it is first called."""

    def __init__(self):
        self.calls = 0

    def __call__(self, outcome):
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("not yet")
        return thrifty(outcome)


def zeros(env):
    return np.zeros_like(env.action_space.sample())


@FORMS
@pytest.mark.parametrize("native", [False, True])
def test_an_episode_stays_where_it_was_when_the_reward_fails(env_id, native):
    def make(reward):
        settings = {"dense": True} if env_id == "LRMP-MLP-v0" else {}
        if native:
            return gym.make_vec(env_id, 2, reward=reward, **settings)
        return gym.make(env_id, reward=reward, **settings)

    env, twin = make(FailsOnce()), make(thrifty)
    env.reset(seed=0)
    twin.reset(seed=0)
    env.action_space.seed(7)
    with pytest.raises(TaskError, match=r"Expected FailsOnce to return .* RuntimeError: not yet\."):
        env.step(zeros(env))
    if not native:
        assert env.unwrapped.outcome is None
    for _ in range(3 if env_id == "LRMP-MLP-v0" else 1):
        actions = env.action_space.sample()
        one, other = env.step(actions), twin.step(actions)
        assert data_equivalence(one[:4], other[:4], exact=True)


def test_a_round_stays_where_it_was_when_the_reward_fails():
    env = parallel_env("LRMP-MLP-v0", discrete=True, reward=FailsOnce())
    env.reset()
    actions = {agent: [3, 4] for agent in env.agents}
    before = env.state()
    with pytest.raises(TaskError, match="RuntimeError: not yet"):
        env.step(actions)
    assert np.array_equal(env.state(), before)
    assert set(env.step(actions)[1].values()) == {
        thrifty(evaluate("LRMP-MLP-v0", weight_bits=5, activation_bits=6))
    }
