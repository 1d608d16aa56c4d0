"""Tiny tasks with a known answer, which every learning algorithm must come to."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lrmp.baselines.experiments.optimum import find_optimum  # noqa: E402
from lrmp.baselines.learners import ddpg, policy_gradient, ppo, td3  # noqa: E402
from lrmp.envs import evaluate, evaluate_settings, make_task  # noqa: E402
from lrmp.hardware import Layer, Network  # noqa: E402

FREE = [0.0] * 7  # points of drop at 2..8 bits
COSTLY = [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
FROM_FOUR = [1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]

#: Input sizes of the layers, points of drop by layer, weight and activation bits that are best.
ANSWERS = {
    # One answer for all layers.
    "Constant": ([8] * 3, [FREE] * 3, [[2] * 3, [2] * 3]),
    # A layer's answer is in what is seen of it: the large ones are free, the small ones costly.
    # The allowed point is spent on what pays most: the weights of these.
    "Echo": ([4, 32, 32, 4], [COSTLY, FREE, FREE, COSTLY], [[2, 2, 2, 4], [8, 2, 2, 8]]),
    # What the first layer is given decides the reward, which comes five steps later.
    "Delayed": ([64] + [2] * 5, [FROM_FOUR] + [FREE] * 5, [[4] + [2] * 5, [4] + [2] * 5]),
}
#: Drops that a reward can be measured by; the least of a layer is 0.1.
ALLOWED = {"Constant": 0.05, "Echo": 1.0, "Delayed": 0.05}
#: Settings, seeds, and the share of the best that the last designs come to, in the median of
#: seeds: 0.8 and more, but 0.6 for the actor-critics, which may stay at one answer for all layers.
AGENTS = {
    "ddpg": (ddpg, {"evaluations": 100, "sigma_decay": 0.96}, (1, 2, 3), 0.55),
    "td3": (td3, {"evaluations": 200, "explored": 0.5}, (1, 2, 3), 0.5),
    "ppo": (ppo, {"evaluations": 2000, "learning_rate": 2e-3, "entropy": 0.01}, (1,), 0.75),
    "policy-gradient": (policy_gradient, {"evaluations": 3000, "learning_rate": 1e-3}, (1,), 0.75),
}


@pytest.fixture(params=ANSWERS)
def task(request):
    sizes, points, _ = ANSWERS[request.param]
    layers = [
        Layer.conv2d(f"layer{index}", 16, 16, kernel_size=3, input_size=size)
        for index, size in enumerate(sizes)
    ]
    rows = {layer.name: row for layer, row in zip(layers, points, strict=True)}
    return replace(
        make_task(
            Network(request.param, tuple(layers)),
            accuracy={"weight_bits": rows, "activation_bits": rows, "provenance": "made up"},
            allowed_drop=ALLOWED[request.param],
        ),
        id=f"LRMP-{request.param}-v0",
    )


def best_reward(task):
    weights, activations = ANSWERS[task.network.name][2]
    return evaluate(task, weight_bits=weights, activation_bits=activations).reward()


def test_answer_is_the_proven_optimum_and_chance_is_far_from_it(task):
    best = best_reward(task)
    assert best == pytest.approx(find_optimum(task, log=lambda line: None).value)
    rng = np.random.default_rng(0)
    random = task.space.sample(rng, len(task.network), 200)
    assert np.mean([evaluate_settings(task, design).reward() for design in random]) < 0.65 * best


@pytest.mark.long
@pytest.mark.parametrize("agent", AGENTS)
def test_agent_comes_to_the_answer(agent, task, tmp_path):
    module, changes, seeds, share = AGENTS[agent]
    best = best_reward(task)
    first, last = [], []
    for seed in seeds:
        args = module.Args(env_id=task, seed=seed, runs_dir=tmp_path, **changes)
        rewards = module.train(args, progress=False).rewards()
        first.append(np.mean(rewards[:20]))
        last.append(np.mean(rewards[-20:]))
    assert np.median(first) < 0.65 * best
    assert np.median(last) > share * best
