"""What the knobs of the chip are worth: ``python -m lrmp.baselines.experiments.chip_choice``.

Proves the best chip and design of every problem of ``lrmp.envs.chip_choice`` where none is stored
for it as it is defined, beside the proven best design on LRMP's chip in the same area; and lets
three searches look for them: random designs, annealing, and a policy gradient, each with as many
designs to try.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from lrmp.baselines.experiments.gain_plot import WITH, WITHOUT
from lrmp.envs.chip_choice.optimum import ChipOptimum
from lrmp.envs.chip_choice.problem import load_chip_problem
from lrmp.envs.chip_choice.problem_ids import CHIP_PROBLEMS
from lrmp.envs.chip_choice.proof import prove_chip_optimum
from lrmp.envs.records.record import library_versions
from lrmp.foreign_file import read_foreign_text
from lrmp.foreign_text import parse_json
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.plotting.design_plot import new_figure
from lrmp.whole_file import replacing, write_whole

#: Scores designs, places of values of shape (n,): reward, and ranked score of those within.
Score = Callable[[IntArray], tuple[float, float]]


@dataclass
class Args:
    """Which problems, and where results are written."""

    problems: tuple[str, ...] = tuple(CHIP_PROBLEMS)
    """ids"""
    optima: Path = Path("envs") / "chip_choice" / "optima"
    """folder for ID.json"""
    out: Path = Path("docs") / "results" / "families"
    """folder for chip.json, chip.png and chip.svg"""
    searched: tuple[str, ...] = ("LRMP-LeNet-Chip-v0", "LRMP-ResNet20-Chip-v0")
    """problems that the searches are tried on"""
    evaluations: int = 600
    """designs that every search may try"""
    seeds: int = 3
    """runs of every search"""


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


def prove(args: Args) -> list[ChipOptimum]:
    """Prove what is not proven of the problems as they are defined today.

    Args:
        args: Settings.

    Returns:
        The optimum of every problem, in order.
    """
    found = []
    for problem_id in args.problems:
        path = args.optima / f"{problem_id}.json"
        stored = ChipOptimum.from_text(read_foreign_text(path)) if path.is_file() else None
        problem = load_chip_problem(problem_id)
        if stored is None or stored.problem_fingerprint != problem.fingerprint:
            stored = prove_chip_optimum(problem, tqdm.write)
            args.optima.mkdir(parents=True, exist_ok=True)
            write_whole(path, stored.to_text())
        found.append(stored)
    return found


def chip_words(chip: Mapping[str, int]) -> str:
    """Say what a chip is like, but for its area.

    Args:
        chip: The value of every knob of the chip, by name.

    Returns:
        Words for a table.
    """
    return (
        f"{chip['crossbar_side']}², {chip['cell_bits']} bit, {chip['active_rows']} rows, "
        f"{chip['columns_per_adc']} per ADC"
    )


def format_worth(path: Path) -> str:
    """Lay out what was computed before.

    Args:
        path: ``chip.json``.

    Returns:
        Markdown.
    """
    rows = []
    for each in parse_json(read_foreign_text(path))["optima"]:
        words = f"{chip_words(each['chip'])}, {each['chip']['area_eighths']}/8"
        best, without = math.exp(each["value"]), math.exp(each["without"])
        constant = math.exp(each["constant"]["value"])
        rows.append(
            f"| `{each['problem']}` | {best:.2f}x | {without:.2f}x | {best / without:.2f}x | "
            f"{constant:.2f}x | {words} | {each['solved']} of {each['chips']} |"
        )
    head = (
        "| problem | gain with the chip's knobs | on LRMP's chip | worth | best constant | "
        "best chip | solved after the bounds |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(rows)


def format_searches(path: Path) -> str:
    """Lay out what the searches found.

    Args:
        path: ``chip.json``.

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


def plot(optima: Sequence[ChipOptimum], path: Path) -> None:
    """Draw the gains with and without the knobs of the chip.

    Args:
        optima: Of every problem.
        path: Picture to write.
    """
    figure = new_figure(8.0, 3.4)
    axes = figure.subplots()
    x = np.arange(len(optima))
    axes.bar(
        x - 0.2, [math.exp(o.without) for o in optima], 0.4, color=WITHOUT, label="LRMP's chip"
    )
    axes.bar(x + 0.2, [math.exp(o.value) for o in optima], 0.4, color=WITH, label="chosen chip")
    names = [o.problem.removeprefix("LRMP-").removesuffix("-v0") for o in optima]
    axes.set_xticks(x, names, rotation=20, ha="right", fontsize="small")
    axes.set_yscale("log")
    axes.set_ylabel("proven gain in the same area")
    axes.legend(fontsize="small", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def compute(args: Args) -> None:
    """Prove, search, write and draw.

    Args:
        args: Settings.
    """
    optima = prove(args)
    searches = []
    for problem_id in args.searched:
        score, sizes = scored(problem_id)
        for name, search in SEARCHES.items():
            best = [search(score, sizes, args.evaluations, seed) for seed in range(args.seeds)]
            searches.append({"problem": problem_id, "search": name, "best": best})
    document = {
        "evaluations": args.evaluations,
        "versions": library_versions(),
        "optima": [asdict(each) for each in optima],
        "searches": searches,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / "chip.json", json.dumps(document, indent=1) + "\n")
    for ending in ("png", "svg"):
        plot(optima, args.out / f"chip.{ending}")


def main() -> None:
    """Compute from the command line."""
    import tyro

    compute(tyro.cli(Args))


if __name__ == "__main__":
    main()
