"""What tests of tasks share."""

import sys
from pathlib import Path

import numpy as np
import pytest

from lrmp.accuracy.model.drop_map import IdentityMap

sys.path.insert(0, str(Path(__file__).parent))  # for shared_tasks


class OwnModel:
    """An accuracy model of one's own, which nobody has judged."""

    kind, is_estimate, provenance, fingerprint = "table", False, "none", "0" * 64
    drop_map = IdentityMap()

    def divergence(self, design):
        return 0.0

    def divergences(self, settings, replication):
        return np.zeros(len(settings))

    drop, drops = divergence, divergences

    def sensitivities(self):
        return None

    def test_drop(self, design):
        return None


@pytest.fixture
def own_model():
    """The class of such a model."""
    return OwnModel
