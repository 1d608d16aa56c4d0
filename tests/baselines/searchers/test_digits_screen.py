import numpy as np

from lrmp.baselines.searchers.digits_screen import DigitsScreen
from lrmp.envs import load_task
from lrmp.hardware import Design


def test_the_bound_holds_for_designs_in_any_order():
    accuracy = load_task("LRMP-Digits-v0").accuracy
    screen = DigitsScreen(accuracy)
    rng = np.random.default_rng(0)
    settings = accuracy.space.sample(rng, 5)
    bounds = []
    for draw in range(60):
        settings = settings.copy()
        settings[rng.integers(0, 5) :] = rng.integers(0, 7 if draw % 2 else 1, 2)
        bound = screen.least_drop(settings)
        drop = accuracy.drop(Design(accuracy.space, settings, np.ones(5, dtype=int)))
        assert bound <= drop
        bounds.append(bound)
    assert max(bounds) > 1  # some designs are ruled out by the few images alone


def test_what_the_images_got_wrong_is_counted_exactly():
    accuracy = load_task("LRMP-Digits-v0").accuracy
    settings = np.zeros((5, 2), dtype=int)
    fresh = DigitsScreen(accuracy).least_drop(settings)
    screen = DigitsScreen(accuracy)
    screen.least_drop(np.full((5, 2), 6))
    assert screen.least_drop(settings) == fresh  # whatever was computed before
