import numpy as np

from lrmp.baselines.searchers.digits_screen import DigitsScreen
from lrmp.envs import load_task


def test_the_bound_holds_for_designs_in_any_order():
    accuracy = load_task("LRMP-Digits-v0").accuracy
    screen = DigitsScreen(accuracy)
    rng = np.random.default_rng(0)
    bits = rng.integers(2, 9, (5, 2))
    bounds = []
    for draw in range(60):
        bits = bits.copy()
        bits[rng.integers(0, 5) :] = rng.integers(2, 9 if draw % 2 else 3, 2)
        bound, drop = screen.least_drop(bits), accuracy.drop(bits[:, 0], bits[:, 1])
        assert bound <= drop
        bounds.append(bound)
    assert max(bounds) > 1  # some designs are ruled out by the few images alone


def test_what_the_images_got_wrong_is_counted_exactly():
    accuracy = load_task("LRMP-Digits-v0").accuracy
    bits = np.full((5, 2), 2)
    fresh = DigitsScreen(accuracy).least_drop(bits)
    screen = DigitsScreen(accuracy)
    screen.least_drop(np.full((5, 2), 8))
    assert screen.least_drop(bits) == fresh  # whatever was computed before
