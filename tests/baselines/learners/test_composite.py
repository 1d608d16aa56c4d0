"""The composite agent: what it chooses, what it learns, and that it can be read again."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lrmp.accuracy.model.table import TableAccuracy  # noqa: E402
from lrmp.agents.composite_policy import CompositePolicy  # noqa: E402
from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.agents.replay_buffer import Batch  # noqa: E402
from lrmp.baselines.learners.composite import Args, _Learner, train  # noqa: E402
from lrmp.envs import make_task  # noqa: E402
from lrmp.errors import PolicyError, RunError  # noqa: E402
from lrmp.hardware import load_network  # noqa: E402
from lrmp.hardware.families import find_family  # noqa: E402

FAMILY = find_family("prune")


def small_task():
    network, chip = load_network("lenet"), FAMILY.chip()
    space = FAMILY.space(network, chip)
    ratio = np.array([0.0, 0.01, 0.02, 0.05, 0.1])[:, None] * np.array([8.0, 1.0, 1.0])
    table = TableAccuracy(
        {
            ("weight_bits",): np.tile(2.0 ** -np.arange(7) / 8, (4, 1)),
            ("activation_bits",): np.tile(2.0 ** -np.arange(7) / 8, (4, 1)),
            ("pruning_ratio", "pruning_method"): np.tile(ratio, (4, 1, 1)),
        },
        "made up",
        is_estimate=True,
        space=space,
    )
    return make_task(network, chip, accuracy=table, space=space, allowed_drop=1.0)


@pytest.mark.parametrize("labelled", [[1, 3], [], [0, 1, 2, 3]])
def test_policy_puts_numbers_and_labels_in_order(labelled, tmp_path):
    torch.manual_seed(0)
    policy = CompositePolicy(6, [5, 3, 4, 2], labelled)
    observation = np.random.default_rng(0).random(6).astype(np.float32)
    action = policy.act(observation)
    assert action.shape == (4,)
    assert (np.abs(action) <= 1).all()
    for place in labelled:  # the middle of a part
        part = policy.sizes[place] * (float(action[place]) + 1) / 2
        assert part % 1 == pytest.approx(0.5, abs=1e-5)
    policy.save(tmp_path / "policy.safetensors")
    again = load_policy(tmp_path / "policy.safetensors")
    assert isinstance(again, CompositePolicy)
    assert (again.act(observation) == action).all()


@pytest.mark.parametrize(("label", "sign"), [(1, 1), (3, -1)])
def test_both_parts_learn_what_is_worth_most(label, sign):
    """A bandit: the reward is highest for one of four labels, and at one end of the numbers."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    args = Args(actor_learning_rate=1e-3, critic_learning_rate=3e-3)
    learner = _Learner(args, 3, (7, 4), [1])
    for _ in range(40):
        observation = torch.from_numpy(rng.random((64, 3), dtype=np.float32))
        numbers = torch.from_numpy(2 * rng.random((64, 1), dtype=np.float32) - 1)
        places = torch.from_numpy(rng.integers(0, 4, (64, 1)))
        reward = (places[:, 0] == label).float() + sign * numbers[:, 0]
        action = torch.cat([numbers, learner.one_hot(places)], -1)
        learner.update(Batch(observation, action, reward, observation, torch.ones(64)))
    numbers = learner.policy.choose_numbers(observation)
    assert (learner.policy.best_labels(observation, numbers) == label).all()
    assert (sign * numbers > 0.8).all()


def test_it_trains_and_is_reproducible(tmp_path):
    task = small_task()
    runs = []
    for folder in ("a", "b"):
        args = Args(task, evaluations=20, warmup_episodes=5, batch_size=8,
                    runs_dir=tmp_path / folder)  # fmt: skip
        runs.append(train(args, progress=False))
    records = [run.record() for run in runs]
    designs = [json.dumps(record["design"], sort_keys=True) for record in records]
    assert designs[0] == designs[1]
    policies = [load_policy(run.policy_path) for run in runs]
    for one, other in zip(policies[0].parameters(), policies[1].parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("labelled", [[4], [1, 1], [0, 1, 2, 3, 3]])
def test_file_of_labels_that_are_none_is_refused(labelled, tmp_path):
    policy = CompositePolicy(6, [5, 3, 4, 2], [1, 3])
    policy.settings["labelled"] = labelled
    policy.save(tmp_path / "policy.safetensors")
    with pytest.raises(PolicyError, match=r"Expected weights in .* that fit"):
        load_policy(tmp_path / "policy.safetensors")


@pytest.mark.parametrize("epsilon", [-0.1, 1.5, float("nan")])
def test_share_that_is_none_is_refused(epsilon):
    with pytest.raises(RunError, match=r"Expected epsilon between 0 and 1, got"):
        Args(epsilon=epsilon)
