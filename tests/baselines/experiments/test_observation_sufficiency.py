import numpy as np
import pytest

from lrmp.baselines.experiments import observation_sufficiency
from lrmp.baselines.experiments.observation_sufficiency import (
    Args,
    explained,
    format_table,
    observe_prefixes,
)
from lrmp.errors import RunError

ENV = "LRMP-ResNet8-v0"


@pytest.mark.long
def test_the_prefix_tells_more_of_the_gain_than_the_layer():
    layer, prefix = (explained(ENV, observation, 2000, 0) for observation in ("layer", "prefix"))
    assert layer < 0.9 < 0.95 < prefix <= 1


def test_designs_are_the_same_for_every_observation_and_end_alike():
    (layer, gains), (prefix, again) = (
        observe_prefixes(ENV, observation, 200, 3) for observation in ("layer", "prefix")
    )
    assert np.array_equal(gains, again)
    assert np.ptp(gains) > 0.5
    assert np.array_equal(prefix[:, : layer.shape[1]], layer)
    settings = prefix[:, layer.shape[1] : -1].reshape(200, 10, 2)
    assert (settings[:, 7:] == 1).all()  # not decided yet
    assert (np.ptp(settings[:, :7], axis=0) == 1).all()
    assert np.allclose(prefix[:, -1], 0.3)  # 3 of 10 layers are left
    assert not np.array_equal(observe_prefixes(ENV, "layer", 200, 4)[1], gains)


def test_the_table_has_a_row_for_every_environment(monkeypatch):
    found = {("A", "layer"): 0.5, ("A", "prefix"): 1.0, ("B", "layer"): 0.25, ("B", "prefix"): 0.75}
    monkeypatch.setattr(
        observation_sufficiency, "explained", lambda env_id, shown, *_: found[env_id, shown]
    )
    assert format_table(Args(env_ids=["A", "B"])).splitlines() == [
        '| environment | `"layer"` | `"prefix"` |',
        "| --- | --- | --- |",
        "| A | 0.500 | 1.000 |",
        "| B | 0.250 | 0.750 |",
    ]


def test_few_episodes_are_refused():
    with pytest.raises(RunError, match=r"Expected at least 100 episodes to fit .*, got 99\."):
        Args(episodes=99)
