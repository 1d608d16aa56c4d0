import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.agents.reward_compression import compress  # noqa: E402
from lrmp.baselines.learners import ppo  # noqa: E402
from lrmp.baselines.running import learning_loop  # noqa: E402
from lrmp.baselines.running.evaluate import evaluate_policy  # noqa: E402
from lrmp.envs import evaluate_settings, load_task, stored_optimum  # noqa: E402
from lrmp.errors import RunError  # noqa: E402

TASK = "LRMP-LeNet-v0"


def settings(tmp_path, **changes):
    return ppo.Args(
        **{"env_id": TASK, "seed": 1, "evaluations": 60, "runs_dir": tmp_path} | changes
    )


def without_time(run):
    return json.loads(run.record_path.read_text()) | {"wall_time_s": None}


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    return ppo.train(settings(tmp_path_factory.mktemp("runs")), progress=False)


def test_same_seed_same_curve_and_another_seed_another(short_run, tmp_path):
    again = ppo.train(settings(tmp_path), progress=False)
    assert again.episodes_path.read_text() == short_run.episodes_path.read_text()
    assert again.policy_path.read_bytes() == short_run.policy_path.read_bytes()
    assert without_time(again) == without_time(short_run)
    other = ppo.train(settings(tmp_path, seed=2), progress=False)
    assert other.rewards() != short_run.rewards()


def test_record_is_the_best_episode(short_run, best_of_run):
    best_of_run(short_run, TASK)
    record = short_run.record()
    assert (record["evaluated_designs"], record["env_steps"]) == (60, 60 * 4)


@pytest.mark.long
def test_learns_what_random_designs_do_not_find(tmp_path):
    # The defaults are chosen for the best design, and may lose the policy in the end.
    steady = settings(tmp_path, evaluations=1200, learning_rate=1e-3, entropy=0.01)
    run = ppo.train(steady, progress=False)
    optimum = stored_optimum(TASK)
    best, rewards = optimum.value, run.rewards()
    assert run.record()["claim"]["score"] > optimum.constant.value
    assert np.mean(rewards[-100:]) > 0.85 * best
    rng = np.random.default_rng(0)
    task = load_task(TASK)
    random = [
        evaluate_settings(task, design).reward() for design in task.space.sample(rng, 4, 1200)
    ]
    assert np.mean(random) < 0.7 * best
    greedy = evaluate_policy(load_policy(run.policy_path), TASK)
    assert greedy.reward() > 0.9 * best


@pytest.mark.long
def test_interrupted_run_resumes_to_the_same_result(tmp_path, monkeypatch):
    whole = ppo.train(settings(tmp_path / "whole", evaluations=120), progress=False)
    saved = []

    def interrupt(*arguments):
        save_checkpoint(*arguments)
        saved.append(arguments)
        if len(saved) == 2:
            raise KeyboardInterrupt

    save_checkpoint = learning_loop.save_checkpoint
    monkeypatch.setattr(learning_loop, "save_checkpoint", interrupt)
    cut = settings(tmp_path / "cut", evaluations=120, checkpoint_every=2)
    with pytest.raises(KeyboardInterrupt):
        ppo.train(cut, progress=False)
    monkeypatch.undo()
    resumed = ppo.train(cut, progress=False)
    assert resumed.rewards() == whole.rewards()
    assert resumed.policy_path.read_bytes() == whole.policy_path.read_bytes()
    assert not resumed.checkpoint_path.exists()


def test_compression_keeps_the_order_and_what_is_positive():
    rewards = torch.tensor([-100.0, -1.0, -1e-3, 0.0, 0.5, 2.0])
    shrunk = compress(rewards)
    assert (shrunk.diff() > 0).all()
    assert shrunk[3:].tolist() == rewards[3:].tolist()
    assert shrunk[0].item() == pytest.approx(-np.log(101))


def test_episodes_that_fill_no_iteration_are_refused(tmp_path):
    with pytest.raises(RunError, match=r"Expected evaluations to be a multiple of num_envs \(20\)"):
        settings(tmp_path, evaluations=50)
