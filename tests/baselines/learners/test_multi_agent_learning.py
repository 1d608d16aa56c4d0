"""Learners of the multi-agent form: independent and multi-agent PPO, value decomposition."""

import json
from itertools import chain

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lrmp.agents.layer_agents import LayerAgents, LayerCritic  # noqa: E402
from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.agents.replay_buffer import ReplayBuffer  # noqa: E402
from lrmp.agents.reward_compression import compress  # noqa: E402
from lrmp.baselines.learners import ippo, mappo, qmix  # noqa: E402
from lrmp.baselines.running import learning_loop  # noqa: E402
from lrmp.baselines.running.evaluate import evaluate_policy  # noqa: E402
from lrmp.cli import main  # noqa: E402
from lrmp.envs import load_task, stored_optimum  # noqa: E402
from lrmp.envs.forms.multi_agent_vector import MultiAgentVector  # noqa: E402
from lrmp.errors import RunError, TaskError  # noqa: E402
from lrmp.hardware import Design  # noqa: E402

TASK = "LRMP-LeNet-v0"
LAYERS = 4
DIFFERENCE = {"credit": "difference", "clip": 0.2, "entropy": 0.0, "epochs": 4}
LEARNERS = {
    "ippo": (ippo, {"epochs": 4}),
    "ippo-difference": (ippo, DIFFERENCE | {"rounds": 2}),
    "mappo": (mappo, {"rounds": 2, "identities": False, "epochs": 4}),
    "mappo-difference": (mappo, DIFFERENCE),
    "vdn": (qmix, {"mixer": "vdn"}),
    "qmix": (qmix, {"mixer": "qmix", "rounds": 2, "target_every": 2, "buffer_size": 70}),
}
each_learner = pytest.mark.parametrize("agent", LEARNERS)


def settings(agent, tmp_path, **changes):
    module, own = LEARNERS[agent]
    few = {"env_id": TASK, "seed": 1, "evaluations": 80, "runs_dir": tmp_path}
    return module, module.Args(**few | own | changes)


class IdentityGame:
    """Every agent is shown two numbers and must answer them, in each of two rounds.

    It is played as `MultiAgentVector` is. The team's reward is the share of right answers;
    ``credit="difference"`` rewards an agent with its own part of it.
    """

    observation_size, sizes = 14, (7, 7)

    def __init__(self, credit="team", num_envs=256, agents=2):
        self.num_envs, self.agents, self.credit, self.rounds = num_envs, agents, credit, 2
        self.state_size = agents * self.observation_size
        self.rng = np.random.default_rng(0)

    def __len__(self):
        return self.agents

    def reset(self):
        self.elapsed = 0
        return self.ask()

    def step(self, actions):
        self.right = (actions == self.asked).mean(2)
        rewards = self.right / self.agents
        if self.credit == "team":
            rewards = rewards.sum(1, keepdims=True).repeat(self.agents, axis=1)
        self.elapsed += 1
        return *self.ask(), rewards, self.elapsed == self.rounds

    def ask(self):
        self.asked = self.rng.integers(0, 7, (self.num_envs, self.agents, 2))
        shown = np.eye(7, dtype=np.float32)[self.asked].reshape(self.num_envs, self.agents, -1)
        return shown, shown.reshape(self.num_envs, -1)


def share_answered(game, agents):
    seen, _ = game.reset()
    game.step(agents(torch.from_numpy(seen)).argmax(-1).numpy())
    return game.right.mean()


@pytest.mark.long
@pytest.mark.parametrize(
    ("module", "credit"), [(ippo, "team"), (ippo, "difference"), (mappo, "team")]
)
def test_policy_gradients_answer_every_agents_own_question(module, credit):
    torch.manual_seed(0)
    game, rng, iterations = IdentityGame(credit), torch.Generator().manual_seed(0), 10
    args = module.Args(learning_rate=1e-2, epochs=4, minibatches=2)
    agents = LayerAgents(game.observation_size, game.sizes)
    critic = LayerCritic(game.observation_size, 0, game.state_size if module is mappo else 0)
    assert share_answered(game, agents) < 0.3
    optimizer = torch.optim.Adam(chain(agents.parameters(), critic.parameters()))
    for iteration in range(iterations):
        rollout = ippo.play(game, agents, critic, rng)
        ippo.learn(rollout, agents, critic, optimizer, args, 1 - iteration / iterations, rng)
    assert share_answered(game, agents) > 0.9


@pytest.mark.long
@pytest.mark.parametrize("mixer", ["vdn", "qmix"])
def test_value_decomposition_answers_every_agents_own_question(mixer):
    torch.manual_seed(0)
    game, rng, iterations = IdentityGame(num_envs=64), np.random.default_rng(0), 20
    args = qmix.Args(
        mixer=mixer, learning_rate=1e-2, gamma=0.5, updates=20, exploration=1.0, identities=False
    )
    team, target = qmix.Team(game, args), qmix.Team(game, args)
    assert share_answered(game, team.agents) < 0.3
    optimizer = torch.optim.Adam(team.parameters())
    buffer = ReplayBuffer(5000, 2 * game.state_size, 2 * len(game))
    for iteration in range(iterations):
        qmix.play(game, team.agents, buffer, args.epsilon(iteration / iterations), rng)
        qmix.learn(team, target, optimizer, buffer, args, 1 - iteration / iterations, rng)
        target.load_state_dict(team.state_dict())
    assert share_answered(game, team.agents) > 0.9


@pytest.mark.long
@each_learner
def test_interrupted_run_resumes_to_the_same_result_and_records_it(
    agent, best_of_run, tmp_path, monkeypatch
):
    module, args = settings(agent, tmp_path / "whole")
    whole = module.train(args, progress=False)
    assert whole.path.name == f"{TASK}__{agent}__1"
    save_checkpoint = learning_loop.save_checkpoint

    def interrupt(*arguments):
        save_checkpoint(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(learning_loop, "save_checkpoint", interrupt)
    module, cut = settings(agent, tmp_path / "cut", checkpoint_every=1)
    with pytest.raises(KeyboardInterrupt):
        module.train(cut, progress=False)
    monkeypatch.undo()
    resumed = module.train(cut, progress=False)
    assert resumed.episodes_path.read_text() == whole.episodes_path.read_text()
    assert resumed.policy_path.read_bytes() == whole.policy_path.read_bytes()
    assert not resumed.checkpoint_path.exists()
    best_of_run(resumed, TASK)
    record = resumed.record()
    assert record["agent"] == agent
    scored = 80 * (1 + LAYERS) if "difference" in agent else 80
    assert (record["evaluated_designs"], len(whole.rewards())) == (scored, 80)


@pytest.mark.parametrize("agent", ["ippo", "mappo", "qmix"])
def test_another_seed_is_another_curve(agent, tmp_path):
    runs = []
    for seed in (1, 2):
        module, args = settings(agent, tmp_path, seed=seed, evaluations=40)
        runs.append(module.train(args, progress=False).rewards())
    assert runs[0] != runs[1]


@pytest.mark.long
@pytest.mark.parametrize("agent", ["ippo", "mappo-difference", "vdn", "qmix"])
def test_comes_near_the_optimum_of_a_small_network(agent, tmp_path):
    module, args = settings(agent, tmp_path, evaluations=600, rounds=1)
    run = module.train(args, progress=False)
    best = stored_optimum(TASK).value
    assert np.mean(run.rewards()[:100]) < 0.6 * best
    greedy = evaluate_policy(load_policy(run.policy_path), TASK)
    assert greedy.reward() > 0.85 * best


def test_command_line_trains_and_evaluates_by_playing_the_form(tmp_path, capsys):
    words = ["--env-id", TASK, "--evaluations", "40", "--rounds", "2", "--runs-dir", str(tmp_path)]
    assert main(["train", "qmix", "--mixer", "vdn", *words]) == 0
    run = tmp_path / f"{TASK}__vdn__1"
    capsys.readouterr()
    assert main(["evaluate", str(run), "--policy", "--json"]) == 0
    design = Design.from_json(json.loads(capsys.readouterr().out)["design"])
    agents = load_policy(run / "policy.safetensors")
    game = MultiAgentVector(load_task(TASK), 1, rounds=2)
    (seen, _), ended = game.reset(), False
    while not ended:
        seen, *_, ended = game.step(agents(torch.from_numpy(seen)).argmax(-1).numpy())
    assert len(game.played) == 2
    assert game.played[-1][0][0].tolist() == design.settings.tolist()


def test_buffer_holds_what_was_played_and_no_more():
    torch.manual_seed(0)
    game = MultiAgentVector(load_task(TASK), 3, rounds=2)
    agents = LayerAgents(game.observation_size, game.sizes)
    size = LAYERS * game.observation_size + game.state_size
    buffer = ReplayBuffer(100, size, 2 * LAYERS)
    qmix.play(game, agents, buffer, 0.5, np.random.default_rng(0))
    assert len(buffer) == 6
    arrays = {name: array[:6].reshape(2, 3, -1) for name, array in buffer.arrays.items()}
    assert arrays["terminated"][..., 0].tolist() == [[0] * 3, [1] * 3]
    assert np.array_equal(arrays["next_observation"][0], arrays["observation"][1])
    for round_, (settings, scores) in enumerate(game.played):
        assert np.array_equal(arrays["action"][round_], settings.reshape(3, -1))
        returns = arrays["reward"][: round_ + 1, :, 0].sum(0)
        expected = compress(torch.from_numpy(scores.reward))
        assert returns == pytest.approx(expected.numpy(), abs=1e-5)
    observations, states = qmix.unpack(
        torch.from_numpy(arrays["next_observation"][1]), LAYERS, game.observation_size
    )
    last = game._observe(game.played[-1][0])
    assert np.array_equal(observations, last[0])
    assert np.array_equal(states, last[1])


def test_random_values_become_rare():
    args = qmix.Args(last_epsilon=0.1, exploration=0.5)
    assert args.epsilon(0.0) == 1
    assert args.epsilon(0.25) == pytest.approx(0.55)
    assert args.epsilon(0.5) == args.epsilon(0.9) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("module", "changes", "message"),
    [
        (ippo, {"evaluations": 50}, r"multiple of num_envs \* rounds \(20\), got 50"),
        (mappo, {"rounds": 3}, r"multiple of num_envs \* rounds \(60\), got 80"),
        (qmix, {"num_envs": 30}, r"multiple of num_envs \* rounds \(30\), got 80"),
        (qmix, {"mixer": "qmux"}, r"Expected mixer .*got 'qmux'.*Did you mean 'qmix'"),
        (qmix, {"last_epsilon": 1.5}, r"Expected last_epsilon from 0 to 1, got 1\.5"),
        (qmix, {"target_every": 0}, r"Expected target_every of at least 1, got 0"),
    ],
)
def test_settings_no_run_can_have_are_refused(module, changes, message, tmp_path):
    with pytest.raises(RunError, match=message):
        module.Args(**{"env_id": TASK, "evaluations": 80, "runs_dir": tmp_path} | changes)


@pytest.mark.parametrize("module", [ippo, mappo])
def test_unknown_credit_leaves_nothing_behind(module, tmp_path):
    args = module.Args(env_id=TASK, evaluations=80, credit="diference", runs_dir=tmp_path / "runs")
    with pytest.raises(TaskError, match=r"Expected credit .*Did you mean 'difference'"):
        module.train(args, progress=False)
    assert not (tmp_path / "runs").exists()
