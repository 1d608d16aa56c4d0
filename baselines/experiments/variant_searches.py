"""What searches find in problems of ``lrmp.envs.variant_choice``, beside the proven best.

Random designs, annealing and a policy gradient, each with as many designs to try.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.frozen_arrays import IntArray

#: Scores designs, places of values of shape (n,): reward, and ranked score of those within.
Score = Callable[[IntArray], tuple[float, float]]


def random_search(score: Score, sizes: IntArray, evaluations: int, seed: int) -> float:
    """Draw designs.

    Args:
        score: Of a design.
        sizes: How many values it chooses among, shape (n,).
        evaluations: Designs to try.
        seed: Of the draws.

    Returns:
        The best score.
    """
    rng = np.random.default_rng(seed)
    return max(score(rng.integers(0, sizes))[1] for _ in range(evaluations))


def annealing(score: Score, sizes: IntArray, evaluations: int, seed: int) -> float:
    """Walk from neighbour to neighbour by Metropolis' rule, from the middle of all values.

    Args:
        score: Of a design.
        sizes: How many values it chooses among, shape (n,).
        evaluations: Designs to try.
        seed: Of the walk.

    Returns:
        The best score.
    """
    rng = np.random.default_rng(seed)
    here = sizes // 2
    reward, best = score(here)
    for step in range(1, evaluations):
        temperature = 0.1 * 0.01 ** (step / evaluations)
        there = here.copy()
        while (there == here).all():
            place = rng.integers(len(sizes))
            there[place] = np.clip(here[place] + rng.choice([-1, 1]), 0, sizes[place] - 1)
        found, ranked = score(there)
        best = max(best, ranked)
        if rng.random() < math.exp(min(0.0, (found - reward) / temperature)):
            here, reward = there, found
    return best


def policy_gradient(score: Score, sizes: IntArray, evaluations: int, seed: int) -> float:
    """Learn a category per choice, by the rule of ``lrmp.agents.policy_gradient``.

    Args:
        score: Of a design.
        sizes: How many values it chooses among, shape (n,).
        evaluations: Designs to try.
        seed: Of the draws.

    Returns:
        The best score.
    """
    import torch

    from lrmp.agents.knob_heads import by_knob, tilted
    from lrmp.agents.policy_gradient import policy_gradient_loss, sample_designs
    from lrmp.agents.reward_compression import compress

    counts, batch = sizes.tolist(), 10
    rng = torch.Generator().manual_seed(seed)
    logits = tilted(counts, 0.5).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    best = 0.0
    for _ in range(evaluations // batch):
        logs = by_knob(logits, counts).log_softmax(-1)[None]
        places = sample_designs(logs.detach(), batch, rng)
        scores = [score(each) for each in places[:, 0].numpy()]
        best = max(best, *(ranked for _, ranked in scores))
        rewards = compress(torch.tensor([reward for reward, _ in scores]))
        loss, entropy = policy_gradient_loss(logs, places, rewards)
        optimizer.zero_grad()
        (loss - 0.005 * entropy).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return best


SEARCHES = {
    "random": random_search,
    "annealing": annealing,
    "policy gradient": policy_gradient,
}


def scored(problem_id: str) -> tuple[Score, IntArray]:
    """Make a problem a function to maximise.

    Args:
        problem_id: Id.

    Returns:
        What scores designs, in the one-shot environment, and the sizes of their choices.
    """
    env = gym.make(problem_id.replace("-v0", "-OneShot-v0"), discrete=True)
    assert isinstance(env.action_space, gym.spaces.MultiDiscrete)

    def score(places: IntArray) -> tuple[float, float]:
        env.reset()
        _, reward, _, _, info = env.step(places)
        return float(reward), float(info["score"])

    return score, env.action_space.nvec


def run_searches(problem_ids: Sequence[str], evaluations: int, seeds: int) -> list[dict[str, Any]]:
    """Let every search look for the best variant and design.

    Args:
        problem_ids: Of what.
        evaluations: Designs that every search may try.
        seeds: Runs of every search.

    Returns:
        For every problem and search its names, and the ``best`` score of every run.
    """
    found = []
    for problem_id in problem_ids:
        score, sizes = scored(problem_id)
        for name, search in SEARCHES.items():
            best = [search(score, sizes, evaluations, seed) for seed in range(seeds)]
            found.append({"problem": problem_id, "search": name, "best": best})
    return found


def format_searches(path: Path) -> str:
    """Lay out what the searches found.

    Args:
        path: What has the problems' ``optima`` beside the ``searches``, in JSON.

    Returns:
        Markdown.
    """
    document = parse_json(read_foreign_text(path))
    optima = {each["problem"]: each["value"] for each in document["optima"]}
    rows = [
        f"| `{each['problem']}` | {each['search']} | "
        f"{np.median(each['best']) / optima[each['problem']]:.3f} | "
        f"{min(each['best']) / optima[each['problem']]:.3f} to "
        f"{max(each['best']) / optima[each['problem']]:.3f} |"
        for each in document["searches"]
    ]
    head = "| problem | search | share of the optimal score, median | range |\n"
    return head + "| --- | --- | --- | --- |\n" + "\n".join(rows)
