import json

import gymnasium as gym
import numpy as np
import pytest

import lrmp

torch = pytest.importorskip("torch")

from lrmp.agents.categorical_policy import CategoricalPolicy  # noqa: E402
from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.agents.set_policy import SetPolicy  # noqa: E402
from lrmp.baselines.experiments import transfer  # noqa: E402
from lrmp.baselines.learners import policy_gradient  # noqa: E402
from lrmp.baselines.running import learning_loop  # noqa: E402
from lrmp.envs import load_task, stored_optimum  # noqa: E402
from lrmp.envs.procedural.features import transfer_feature_names  # noqa: E402
from lrmp.errors import PolicyError, RunError  # noqa: E402
from lrmp.hardware.space.precision import PRECISION  # noqa: E402

TASK = "LRMP-LeNet-v0"
FEATURES = len(transfer_feature_names(PRECISION))


def settings(tmp_path, **changes):
    return policy_gradient.Args(
        **{"env_id": TASK, "seed": 1, "evaluations": 60, "runs_dir": tmp_path} | changes
    )


def interrupt(module, monkeypatch):
    """Let the second checkpoint be the last that is written."""
    save_checkpoint, saved = module.save_checkpoint, []

    def save_and_stop(*arguments):
        save_checkpoint(*arguments)
        saved.append(arguments)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "save_checkpoint", save_and_stop)


def test_learns_what_its_first_policy_does_not_find(best_of_run, tmp_path):
    args = settings(tmp_path, evaluations=1200, learning_rate=1e-3)
    run = policy_gradient.train(args, progress=False)
    rewards, best = run.rewards(), stored_optimum(TASK).value
    assert np.mean(rewards[:100]) < 0.6 * best
    assert np.mean(rewards[-100:]) > 0.85 * best
    best_of_run(run, TASK)
    record = run.record()
    assert (record["agent"], record["evaluated_designs"]) == ("policy-gradient", 1200)


def test_interrupted_search_resumes_to_the_same_result(tmp_path, monkeypatch):
    whole = policy_gradient.train(settings(tmp_path / "whole", evaluations=120), progress=False)
    interrupt(learning_loop, monkeypatch)
    cut = settings(tmp_path / "cut", evaluations=120, checkpoint_every=2)
    with pytest.raises(KeyboardInterrupt):
        policy_gradient.train(cut, progress=False)
    monkeypatch.undo()
    resumed = policy_gradient.train(cut, progress=False)
    assert resumed.rewards() == whole.rewards()
    assert resumed.policy_path.read_bytes() == whole.policy_path.read_bytes()


def test_pretrained_search_starts_from_the_policy(tmp_path):
    torch.manual_seed(3)
    start = SetPolicy(FEATURES, PRECISION.sizes, tilt=9.0)  # all 8 bits
    start.save(tmp_path / "start.safetensors")
    run = policy_gradient.train(
        settings(tmp_path, start=tmp_path / "start.safetensors"), progress=False
    )
    assert run.path.name == f"{TASK}__policy-gradient-pretrained__1"
    assert np.mean(np.abs(run.rewards()[:20])) < 0.05
    SetPolicy(FEATURES, [7, 3]).save(tmp_path / "other.safetensors")
    with pytest.raises(PolicyError, match="for knobs of 7 and 7 values, got one for 7 and 3"):
        policy_gradient.train(settings(tmp_path, start=tmp_path / "other.safetensors", seed=2))
    with pytest.raises(PolicyError, match="Expected a policy file at"):
        policy_gradient.train(settings(tmp_path, start=tmp_path / "none"), progress=False)


def test_designs_that_fill_no_iteration_are_refused(tmp_path):
    with pytest.raises(RunError, match=r"Expected evaluations to be a multiple of designs \(10\)"):
        settings(tmp_path, evaluations=55)


def family(tmp_path, **changes):
    small = {
        "seed": 1,
        "iterations": 8,
        "instances": 3,
        "networks": 2,
        "designs": 4,
        "samples": 5,
        "tasks": (TASK, "LRMP-MLP-v0"),
        "runs_dir": tmp_path,
    }
    return transfer.Args(**small | changes)


def test_transfer_reports_every_task_beside_its_optimum(tmp_path, monkeypatch):
    run = transfer.train(family(tmp_path), progress=False)
    found = json.loads((run.path / "transfer.json").read_text())["tasks"]
    assert set(found) == {TASK, "LRMP-MLP-v0"}
    policy = load_policy(run.policy_path)
    for task_id, row in found.items():
        assert row["optimal_score"] == stored_optimum(task_id).value
        assert max(row["greedy_score"] or 0.0, row["best_sampled_score"]) <= row["optimal_score"]
        env = gym.make("LRMP-Procedural-OneShot-v0", tasks=(task_id,))
        reward = env.step(policy.act(env.reset()[0]))[1]
        if row["greedy_score"] is None:
            assert row["greedy_drop"] > load_task(task_id).allowed_drop
        else:
            assert reward == row["greedy_score"]
    interrupt(transfer, monkeypatch)
    cut = family(tmp_path / "cut", checkpoint_every=3)
    with pytest.raises(KeyboardInterrupt):
        transfer.train(cut, progress=False)
    monkeypatch.undo()
    resumed = transfer.train(cut, progress=False)
    assert resumed.policy_path.read_bytes() == run.policy_path.read_bytes()
    assert (resumed.path / "training.csv").read_text() == (run.path / "training.csv").read_text()


def test_set_policy_does_not_see_the_padding_or_the_order():
    torch.manual_seed(0)
    policy = SetPolicy(FEATURES, PRECISION.sizes)
    with torch.no_grad():
        policy.decide.weight.normal_()  # the first one is almost blind
    layers = torch.rand(1, 6, FEATURES)
    mask = torch.tensor([[True] * 4 + [False] * 2])
    with torch.no_grad():
        whole = policy.log_probabilities(layers, mask)[0, :4]
        alone = policy.log_probabilities(layers[:, :4], mask[:, :4])[0]
        turned = policy.log_probabilities(layers[:, [2, 0, 3, 1]], mask[:, :4])[0]
    assert whole.numpy() == pytest.approx(alone.numpy(), abs=1e-5)
    assert turned.numpy() == pytest.approx(alone[[2, 0, 3, 1]].numpy(), abs=1e-5)
    other = policy.log_probabilities(torch.rand(1, 4, FEATURES), mask[:, :4])[0]
    assert (other - alone).abs().max() > 0.1


def test_set_policy_refuses_other_features():
    observation = {"layers": np.zeros((4, 3), np.float32), "mask": np.ones(4, np.int8)}
    with pytest.raises(PolicyError, match=r"Expected layers of 14 features, got \(4, 3\)"):
        SetPolicy(FEATURES, PRECISION.sizes).act(observation)


def test_a_policy_of_any_knobs_is_carried_over_to_families(tmp_path):
    tasks = ("LRMP-LeNet-ADC-v0", "LRMP-MLP-Circulant-v0")
    run = transfer.train(family(tmp_path, draws="spaces", tasks=tasks), progress=False)
    assert run.path.name == "LRMP-Procedural-Spaces-OneShot-v0__transfer__1"
    found = json.loads((run.path / "transfer.json").read_text())["tasks"]
    policy = load_policy(run.policy_path)
    for task_id in tasks:
        env = gym.make("LRMP-Procedural-Spaces-OneShot-v0", tasks=(task_id,))
        reward = env.step(policy.act(env.reset()[0]))[1]
        assert reward == (found[task_id]["greedy_score"] or reward)
        assert found[task_id]["best_sampled_score"] <= stored_optimum(task_id).value
    page = (run.path / "transfer.md").read_text("utf-8")
    assert "--draws spaces --networks 2 --designs 4\n" in page
    start = run.policy_path
    searched = policy_gradient.train(settings(tmp_path, env_id=tasks[0], start=start))
    assert searched.path.name == f"{tasks[0]}__policy-gradient-pretrained__1"
    assert len(searched.rewards()) == 60


def test_a_start_that_is_no_policy_over_sets_is_refused(tmp_path):
    CategoricalPolicy(3, [2]).save(tmp_path / "start.safetensors")
    with pytest.raises(PolicyError, match=r"Expected .* to hold a policy over sets of layers"):
        policy_gradient.train(settings(tmp_path, start=tmp_path / "start.safetensors"))


def test_all_families_are_tried_where_spaces_are_drawn():
    assert transfer.Args().tried == tuple(lrmp.list_tasks("latency", "table", "precision"))
    every = transfer.Args(draws="spaces").tried
    assert {"LRMP-LeNet-v0", "LRMP-LeNet-ADC-v0", "LRMP-MLP-Circulant-v0"} < set(every)
    assert transfer.Args(tasks=(TASK,)).tried == (TASK,)
