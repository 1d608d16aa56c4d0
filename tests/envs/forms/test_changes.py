"""What refinements do to many designs, against one change at a time in plain Python."""

import numpy as np
import pytest

from lrmp.envs.forms.changes import Changes
from lrmp.hardware import DesignSpace, Knob
from lrmp.hardware.space.precision import PRECISION

LEVELS = Knob("levels", ("low", "middle", "high"), plain="middle")
WORDS = Knob("words", (1, 2, 4, 8), plain=8)
SPACES = {
    "bits": (PRECISION, 12),
    "labels": (DesignSpace((LEVELS, WORDS)), 1 + 3),
    "allowed": (
        DesignSpace((LEVELS, WORDS), {"words": ((8,), (1, 8), (1, 2, 4, 8), (2, 4, 8))}),
        1 + 3,
    ),
}


def change(space, design, action):
    """Return the changed design, or None where that is impossible."""
    if action == 0:
        return design
    layer, kind = divmod(action - 1, 2 * len(space))
    knob, up = divmod(kind, 2)
    may = space.choices(layer)[knob].tolist()
    place = may.index(design[layer][knob]) + (1 if up else -1)
    if not 0 <= place < len(may):
        return None
    changed = [list(setting) for setting in design]
    changed[layer][knob] = may[place]
    return changed


@pytest.mark.parametrize("name", SPACES)
def test_changes_are_those_of_one_design_at_a_time(name):
    space, steps = SPACES[name]
    layers = 4
    changes = Changes(space, layers)
    assert changes.count == 2 * len(space) * layers + 1
    assert changes.steps_per_layer == steps
    rng = np.random.default_rng(0)
    plain = space.plain_settings(layers)[None]
    settings = np.concatenate([plain, space.sample(rng, layers, 30)])
    masks = changes.masks(settings)
    assert masks.dtype == np.int8
    for action in range(changes.count):
        actions = np.full(len(settings), action, dtype=np.uint8)
        before = settings.copy()
        found, possible = changes.apply(settings, actions)
        assert np.array_equal(settings, before)
        for row, design in enumerate(settings.tolist()):
            expected = change(space, design, action)
            assert possible[row] == (expected is not None) == masks[row, action]
            assert found[row].tolist() == (expected or design)
            alone = changes.apply_one(settings[row], np.uint8(action))
            assert alone[0].tolist() == found[row].tolist()
            assert alone[1] == possible[row]
            layer = changes.layer_of(action) if action else None
            assert {i for i, s in enumerate(design) if s != found[row, i].tolist()} <= {layer}
        assert space.allows(found).all()
