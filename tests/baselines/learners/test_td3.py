import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lrmp.agents.actor_critic import Actor, Critic  # noqa: E402
from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.agents.replay_buffer import ReplayBuffer  # noqa: E402
from lrmp.baselines.learners import td3  # noqa: E402
from lrmp.baselines.running import learning_loop  # noqa: E402
from lrmp.baselines.running.evaluate import evaluate_policy  # noqa: E402
from lrmp.envs import load_task  # noqa: E402
from lrmp.errors import RunError, TaskError  # noqa: E402

TASK = "LRMP-LeNet-v0"
PLAIN = {
    "twin_critics": False,
    "policy_delay": 1,
    "target_noise": 0.0,
    "n_steps": 1,
    "compress_rewards": False,
    "exploration": "all",
    "inverted_gradients": False,
}


def settings(tmp_path, **changes):
    return td3.Args(
        **{"env_id": TASK, "seed": 1, "evaluations": 40, "runs_dir": tmp_path} | changes
    )


def without_time(run):
    return json.loads(run.record_path.read_text()) | {"wall_time_s": None}


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    return td3.train(settings(tmp_path_factory.mktemp("runs")), progress=False)


def test_same_seed_same_curve_and_another_seed_another(short_run, tmp_path):
    again = td3.train(settings(tmp_path), progress=False)
    assert again.episodes_path.read_text() == short_run.episodes_path.read_text()
    assert again.policy_path.read_bytes() == short_run.policy_path.read_bytes()
    assert without_time(again) == without_time(short_run)
    other = td3.train(settings(tmp_path, seed=2, evaluations=20), progress=False)
    assert other.rewards() != short_run.rewards()[:20]


def test_record_is_the_best_episode(short_run, best_of_run):
    best_of_run(short_run, TASK)
    record = short_run.record()
    assert (record["agent"], record["evaluated_designs"], record["env_steps"]) == ("td3", 40, 160)


def test_saved_policy_acts_alike_whatever_the_seed(short_run):
    policy = load_policy(short_run.policy_path)
    assert isinstance(policy, Actor)
    outcome = evaluate_policy(policy, TASK)
    assert outcome.report.tiles <= load_task(TASK).budget
    assert outcome == evaluate_policy(policy, TASK, seed=5)


@pytest.mark.long
@pytest.mark.parametrize("changes", [{}, PLAIN], ids=["full", "plain"])
def test_interrupted_run_resumes_to_the_same_result(changes, tmp_path, monkeypatch):
    whole = td3.train(settings(tmp_path / "whole", **changes), progress=False)
    saved = []

    def interrupt(*arguments):
        save_checkpoint(*arguments)
        saved.append(arguments)
        if len(saved) == 3:
            raise KeyboardInterrupt

    save_checkpoint = learning_loop.save_checkpoint
    monkeypatch.setattr(learning_loop, "save_checkpoint", interrupt)
    # Learning has begun when the third one is written.
    cut = settings(tmp_path / "cut", checkpoint_every=1, **changes)
    with pytest.raises(KeyboardInterrupt):
        td3.train(cut, progress=False)
    monkeypatch.undo()
    resumed = td3.train(cut, progress=False)
    assert resumed.rewards() == whole.rewards()
    assert resumed.policy_path.read_bytes() == whole.policy_path.read_bytes()
    assert not resumed.checkpoint_path.exists()


def test_every_part_is_on_unless_switched_off(tmp_path):
    ours = vars(settings(tmp_path))
    assert [part for part, off in PLAIN.items() if ours[part] == off] == []


def test_first_action_moves_where_the_policy_begins(tmp_path):
    # Nothing is learnt from ten designs; 0.5 of -1 to 1 are 6.5 of 2 to 8 bits.
    gains = []
    for first in (0.0, 0.5):
        args = settings(tmp_path / str(first), evaluations=10, first_action=first)
        policy = load_policy(td3.train(args, progress=False).policy_path)
        gains.append(evaluate_policy(policy, TASK).gain)
    assert gains[0] > 2 * gains[1]


@pytest.mark.long
@pytest.mark.parametrize("part", sorted(PLAIN))
def test_every_part_can_be_switched_off_alone(short_run, part, tmp_path):
    # Noise is on bootstrapped targets; rewards below zero are of bold designs. LeNet is small.
    needed = {
        "target_noise": {"n_steps": 1, "explored": 1.0, "env_id": "LRMP-ResNet8-v0"},
        "compress_rewards": {"exploration": "all", "env_id": "LRMP-ResNet8-v0"},
        "twin_critics": {"env_id": "LRMP-ResNet8-v0"},
        "inverted_gradients": {"env_id": "LRMP-ResNet8-v0"},
    }
    base = needed.get(part, {})
    whole = td3.train(settings(tmp_path / "with", **base), progress=False) if base else short_run
    changes = base | {part: PLAIN[part]}
    other = td3.train(settings(tmp_path / "without", **changes), progress=False)
    # Designs may be the same: a value stands for a seventh of the range of actions.
    assert other.policy_path.read_bytes() != whole.policy_path.read_bytes()


def stored(n_steps):
    buffer = ReplayBuffer(10, observation_size=1, action_size=2)
    observations = np.arange(4, dtype=np.float32)[:, None]
    td3.store_episode(buffer, observations, np.full((3, 2), 0.5, np.float32), 7.0, n_steps)
    assert len(buffer) == 3  # a transition per step, and none that nobody made
    names = ("observation", "reward", "next_observation", "terminated")
    return [tuple(float(buffer.arrays[name][row].item()) for name in names) for row in range(3)]


def test_transitions_of_an_episode_by_hand():
    # Observation, reward, next observation, whether the episode ended there.
    assert stored(1) == [(0, 0, 1, 0), (1, 0, 2, 0), (2, 7, 3, 1)]
    assert stored(2) == [(0, 0, 2, 0), (1, 7, 3, 1), (2, 7, 3, 1)]
    assert stored(0) == stored(5) == [(0, 7, 3, 1), (1, 7, 3, 1), (2, 7, 3, 1)]


def test_lower_of_two_values_counts():
    torch.manual_seed(0)
    critics = [Critic(3, 2, 8), Critic(3, 2, 8)]
    observation, action = torch.rand(5, 3), torch.rand(5, 2)
    both = [critic(observation, action) for critic in critics]
    assert torch.equal(td3.lower_value(critics, observation, action), torch.minimum(*both))
    assert torch.equal(td3.lower_value(critics[:1], observation, action), both[0])


def slope_at(bias, direction, inverted):
    """Slope of the loss by the last bias of an actor that answers ``squash(bias)``."""
    torch.manual_seed(0)
    actor, critic = Actor(3, 2, 8), Critic(3, 2, 8)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.zero_()
        # value = direction * sum of the actions
        critic.action.weight[:2] = torch.eye(2)
        critic.action.bias[:2] = 1  # ReLU leaves -1..1 as it is
        critic.fc2.weight[:2, :2] = torch.eye(2)
        critic.fc3.weight[0, :2] = direction
        actor.fc3.weight.zero_()
        actor.fc3.bias.fill_(bias)
    td3.actor_loss(actor, [critic], torch.rand(4, 3), inverted).backward()
    return actor.fc3.bias.grad.tolist()


def test_inverted_gradients_leave_a_way_back_from_the_corner():
    high = torch.sigmoid(torch.tensor(6.0)).item()  # 0.9975
    assert slope_at(6.0, 2.0, True) == pytest.approx([-2 * 2 * (1 - high)] * 2, rel=1e-3)
    assert slope_at(6.0, -2.0, True) == pytest.approx([2 * 2 * high] * 2, rel=1e-3)
    assert slope_at(-6.0, 2.0, True) == pytest.approx([-2 * 2 * high] * 2, rel=1e-3)
    plain = [2 * 2 * high * (1 - high)] * 2  # squash is twice the sigmoid, less 1
    assert slope_at(6.0, -2.0, False) == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluations": 55}, r"Expected evaluations to be a multiple of num_envs \(10\), got 55"),
        ({"n_steps": -1}, "Expected n_steps of at least 0, got -1"),
        ({"sigma": 0.0}, r"Expected sigma above 0, got 0\.0"),
        ({"first_action": 1.0}, r"Expected first_action between -1 and 1, got 1\.0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message, tmp_path):
    with pytest.raises(RunError, match=message):
        settings(tmp_path, **changes)


def test_other_settings_and_unknown_tasks_are_refused(short_run, tmp_path):
    with pytest.raises(RunError, match=r"Expected a run with n_steps 1 in .*, got one with 0"):
        td3.train(settings(short_run.path.parent, n_steps=1), progress=False)
    with pytest.raises(TaskError, match="Did you mean"):
        td3.train(settings(tmp_path, env_id="LRMP-LeNet-v7"), progress=False)
    assert list(tmp_path.iterdir()) == []
