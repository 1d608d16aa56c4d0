"""The least accuracy terms within a budget against all choices, tried."""

import itertools

import numpy as np

from lrmp.solvers.joint.least import least_terms


def test_design_and_bound_enclose_the_least_of_all_choices():
    met = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        layers, settings = int(rng.integers(1, 5)), int(rng.integers(1, 6))
        terms = rng.gamma(0.5, 10.0 ** rng.integers(-9, 10), (layers, settings))
        excess = terms - terms.min(axis=1, keepdims=True)
        tiles = rng.integers(0, 9, (layers, settings))
        budget = int(tiles.min(axis=1).sum() + rng.integers(0, 10))
        chosen, bound = least_terms(excess, tiles, budget)
        rows = np.arange(layers)
        assert tiles[rows, chosen].sum() <= budget
        least = min(
            excess[rows, list(design)].sum()
            for design in itertools.product(range(settings), repeat=layers)
            if tiles[rows, list(design)].sum() <= budget
        )
        assert bound <= least <= excess[rows, chosen].sum() * (1 + 1e-12)
        met += bound >= least * (1 - 1e-12)
    assert met >= 100


def test_a_budget_for_the_smallest_settings_alone_is_bounded_by_their_terms():
    excess = np.array([[0.0, 3.0, 2.0], [0.0, 1e300, 5.0]])
    tiles = np.array([[2, 1, 1], [7, 1, 3]])
    chosen, bound = least_terms(excess, tiles, 4)
    assert chosen.tolist() == [2, 2]
    assert bound <= 7.0
    chosen, bound = least_terms(excess, tiles, 2)
    assert chosen.tolist() == [2, 1]
    assert 1e300 * (1 - 1e-12) <= bound <= 1e300
