"""What is seen of a design that changes layer by layer is what is seen of it as a whole."""

import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.envs.forms.changes import Changes
from lrmp.envs.forms.design_observation import observe_designs
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.scoring.running_design import RunningDesign

TASKS = ["LRMP-LeNet-v0", "LRMP-ResNet18-Energy-v0", "LRMP-MobileNetV2-v0", "LRMP-Digits-v0"]


def walk(task, steps):
    dynamics = Dynamics(task)
    changes = Changes(task.space, len(dynamics))
    running, seen = RunningDesign(dynamics), set()
    for action in np.random.default_rng(0).integers(0, changes.count, steps).tolist():
        settings, _ = changes.apply_one(running.settings, action)
        if settings is not running.settings:
            running.change(changes.layer_of(action), settings)
        found = running.observe(0.25)
        whole = observe_designs(dynamics, settings[None], np.array([0.25]))[0]
        assert found.dtype == whole.dtype
        assert found.tobytes() == whole.tobytes()
        seen.add(found.tobytes())
    assert len(seen) > steps / 3
    assert (dynamics.plain == task.space.plain).all()


@pytest.mark.parametrize("task_id", TASKS)
def test_walks(task_id):
    walk(load_task(task_id), 12 if "Digits" in task_id else 200)


def test_walks_with_knobs_of_ones_own(own_task):
    walk(own_task, 200)
