"""Where the default reward leads in the registered tasks: never away from the allowance."""

import numpy as np
import pytest

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import TASKS, load_task, stored_optimum
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.reward import STEEP

#: Designs by objective: copies for energy are placed design by design.
DESIGNS = {"latency": 100, "throughput": 100, "energy": 12, "edp": 24, "weighted_throughput": 12}

every_task = pytest.mark.parametrize("task_id", TASKS)


def drawn(task, count):
    rng = np.random.default_rng(0)
    return task.space.sample(rng, len(task.network), count), rng


@every_task
def test_making_a_design_beyond_the_allowance_cheaper_never_pays(task_id):
    task = load_task(task_id)
    if not all(isinstance(model, TableAccuracy) for model in task.accuracies):
        pytest.skip("the drop of a network that is run may fall with fewer bits")
    settings, rng = drawn(task, DESIGNS[task.objective])
    worse = settings.copy()
    # One knob of one layer, one value away from plain: down, or up where that is the first.
    step = np.array([-1 if knob.plain_index else 1 for knob in task.space])
    ends = np.where(step < 0, 0, np.array(task.space.sizes) - 1)
    for design in worse:
        layer, knob = rng.choice(np.argwhere(design != ends))
        design[layer, knob] += step[knob]
    worse = task.space.nearest(worse)  # which may be the same, where a layer has few values
    dynamics = Dynamics(task)
    before, after = dynamics.scores(settings), dynamics.scores(worse)
    beyond = before.divergence > task.allowance.limit
    # Just beyond it, by a hundredth or two, credit for the gain fades.
    gains = np.maximum(before.gain, after.gain)
    faded = STEEP * task.allowance.excesses(before.divergence) > np.log(gains)
    # Designs slower than the plain one, which circulant blocks can be, have that to make good.
    told = faded & (np.minimum(before.gain, after.gain) >= 1)
    # Measured tables have a few entries that are a millionth smaller for fewer bits.
    alike, worse = after.divergence == before.divergence, after.divergence > before.divergence
    # Ranges are best somewhere in the middle, so that steps away from plain often lead to less.
    assert (alike | worse).sum() >= len(settings) / 2
    assert (after.reward < before.reward)[told & worse].all()
    assert (after.reward == before.reward)[told & alike].all()
    assert (beyond & ~faded).sum() <= 0.05 * len(settings)


@pytest.mark.long
@every_task
def test_random_designs_are_about_as_bad_as_good_ones_are_good(task_id):
    task = load_task(task_id)
    settings, _ = drawn(task, DESIGNS[task.objective])
    mean = Dynamics(task).scores(settings).reward.mean()
    assert -4.0 < mean < stored_optimum(task_id).value


@every_task
def test_the_plain_design_is_rewarded_with_its_gain(task_id):
    task = load_task(task_id)
    scores = Dynamics(task).scores(task.space.plain_settings(len(task.network))[None])
    assert scores.reward[0] == scores.score[0] == np.log(scores.gain[0])
    # Where the budget is its own area, no tile is left for copies.
    assert scores.gain[0] == 1 or (task.budget > task.cost_model.plain_budget)
