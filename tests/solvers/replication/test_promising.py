from itertools import product

import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.solvers import ReplicationProblem, solve_exact, useful_copies
from lrmp.solvers.replication import exact
from lrmp.solvers.replication.choices import Choices
from lrmp.solvers.replication.method import VARIABLE
from lrmp.solvers.replication.poser import Poser
from lrmp.solvers.replication.promising import promising


@pytest.fixture(autouse=True)
def numpy_only(monkeypatch):
    monkeypatch.setenv(VARIABLE, "never")


def drawn(rng, layers, *, sizes=12, kinds=None, **limits):
    """Draw a problem of the energy-delay product; few kinds of layers make many ties."""
    alike = rng.integers(0, kinds or layers, layers)
    tiles = rng.integers(1, 9, layers)[alike]
    units = rng.integers(1, sizes, layers)[alike]
    least, spread = int(rng.integers(0, 200)), int(rng.integers(1, 40))
    energies = [least + rng.integers(0, spread, len(useful_copies(u))) for u in units.tolist()]
    first = {kind: place for place, kind in reversed(list(enumerate(alike.tolist())))}
    return ReplicationProblem(
        tiles,
        units,
        rng.integers(1, 9, layers)[alike],
        rng.integers(0, 30, layers)[alike],
        int(tiles.sum()) + int(rng.integers(0, 40 * layers)),
        "edp",
        tuple(energies[first[kind]] for kind in alike.tolist()),
        **limits,
    )


def far_apart(rng, layers):
    """Draw a problem whose energies fall from up to 2^55 to a few femtojoules, copy by copy."""
    units = rng.integers(2, 12, layers)
    factor = 2 ** int(rng.integers(0, 52))
    falling = (np.arange(len(useful_copies(u)))[::-1] * factor for u in units.tolist())
    return ReplicationProblem(
        rng.integers(1, 9, layers),
        units,
        rng.integers(1, 9, layers) * 2 ** rng.integers(0, 52),
        rng.integers(0, 9, layers),
        9 * layers + int(rng.integers(0, 40 * layers)),
        "edp",
        tuple(energies + int(rng.integers(1, 9)) for energies in falling),
    )


def best_options(choices):
    """All best solutions, by trying every choice: copies of the blocks."""
    blocks = [range(a, b) for a, b in zip(choices.start[:-1], choices.start[1:], strict=True)]
    found, least = set(), None
    for options in product(*blocks):
        rows = list(options)
        if choices.tiles[rows].sum() > choices.problem.budget:
            continue
        cycles, energy = choices.cycles_and_energy(rows)
        if least is None or cycles * energy < least:
            found, least = set(), cycles * energy
        if cycles * energy == least:
            found.add(tuple(choices.copies[rows].tolist()))
    return found


@pytest.mark.parametrize("kinds", [None, 2], ids=["all kinds", "ties"])
def test_every_best_solution_is_kept(kinds):
    rng = np.random.default_rng(3)
    dropped = 0
    for _ in range(60):
        layers = int(rng.integers(1, 5))
        choices = Choices.of(drawn(rng, layers, kinds=kinds and min(kinds, layers)))
        left = promising(choices)
        assert best_options(left) == best_options(choices), choices.problem
        dropped += len(choices.copies) - len(left.copies)
    assert dropped > 200


def test_every_best_solution_is_kept_where_numbers_are_far_apart():
    rng = np.random.default_rng(0)
    for _ in range(300):
        choices = Choices.of(far_apart(rng, int(rng.integers(1, 4))))
        assert best_options(promising(choices)) == best_options(choices), choices.problem


def test_few_options_are_left_of_a_real_network():
    task = load_task("LRMP-ResNet18-EDP-v0")
    pose = Poser(task.cost_model, task.budget, "edp")
    for settings in task.space.sample(np.random.default_rng(0), 21, 8):
        choices = Choices.of(pose(settings))
        assert len(choices.copies) > 1000
        assert len(promising(choices).copies) < 100


@pytest.mark.parametrize("limits", [{}, {"tied": np.array([0, 1, 0, 2, 2, 3, 3])}])
def test_trying_all_and_weighted_sums_give_the_same_copies(limits, monkeypatch):
    rng = np.random.default_rng(4)
    problems = [drawn(rng, 7, sizes=40, kinds=3, **limits) for _ in range(40)]
    tried = [solve_exact(problem) for problem in problems]
    monkeypatch.setattr(exact, "FEW_COMBINATIONS", 0)
    for problem, one in zip(problems, tried, strict=True):
        other = solve_exact(problem)
        assert other.copies.tolist() == one.copies.tolist(), problem
        assert other.objective_value == one.objective_value


def test_layers_without_energy_keep_their_options():
    problem = ReplicationProblem(
        *np.array([[2, 3], [9, 9], [5, 5], [0, 0]]), 40, "edp", (np.zeros(5, np.int64),) * 2
    )
    choices = Choices.of(problem)
    assert promising(choices) is choices
    assert solve_exact(problem).objective_value == 0
