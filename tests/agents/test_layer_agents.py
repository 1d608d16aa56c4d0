import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lrmp.agents.layer_agents import LayerAgents, LayerCritic  # noqa: E402
from lrmp.agents.mixer import MonotoneMixer, SumMixer  # noqa: E402
from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.errors import PolicyError  # noqa: E402


def test_agents_are_loaded_as_they_were_saved(tmp_path):
    torch.manual_seed(0)
    agents = LayerAgents(5, [7, 7], identities=3, rounds=2)
    agents.save(tmp_path / "policy.safetensors")
    loaded = load_policy(tmp_path / "policy.safetensors")
    assert (type(loaded), loaded.rounds) == (LayerAgents, 2)
    seen = np.random.default_rng(0).random((3, 5), dtype=np.float32)
    action = agents.act(seen)
    assert np.array_equal(loaded.act(seen), action)
    assert action.shape == (3, 2)
    best = agents.log_probabilities(torch.from_numpy(seen)).argmax(-1).numpy()
    assert np.array_equal(np.floor(7 * (action + 1) / 2), best)


def test_identities_tell_agents_apart_that_see_the_same():
    torch.manual_seed(0)
    seen = torch.ones(2, 3, 5)
    for identities, different in ((0, 1), (3, 3)):
        preferences = LayerAgents(5, [7, 7], identities)(seen)
        assert preferences.shape == (2, 3, 2, 7)
        assert torch.equal(preferences[0], preferences[1])
        assert len(preferences[0].flatten(1).unique(dim=0)) == different
        assert len(LayerCritic(5, identities)(seen)[0].unique()) == different


@pytest.mark.parametrize("shape", [(4, 5), (3, 6), (5,)])
def test_observations_of_other_games_are_refused(shape):
    with pytest.raises(PolicyError, match=r"Expected observations of 3 layers, 5 elements each"):
        LayerAgents(5, [7, 7], identities=3).act(np.zeros(shape, np.float32))
    with pytest.raises(PolicyError, match=r"of any number of layers, 7 elements each, got shape"):
        LayerAgents(7, [7, 7]).act(np.zeros(shape, np.float32))


def test_first_policy_prefers_high_values():
    torch.manual_seed(0)
    probabilities = LayerAgents(5, [7, 7], tilt=0.5).log_probabilities(torch.rand(4, 3, 5)).exp()
    assert (probabilities.diff(dim=-1) > 0).all()


def test_only_the_centralised_critic_sees_the_state():
    torch.manual_seed(0)
    seen, states = torch.rand(6, 3, 5), torch.rand(6, 11)
    critic = LayerCritic(5, state_size=11)
    values = critic(seen, states)
    assert values.shape == (6, 3)
    assert (values != critic(seen, torch.rand(6, 11))).all()
    swapped = critic(seen[:, [1, 0, 2]], states)
    assert swapped.detach().numpy() == pytest.approx(values[:, [1, 0, 2]].detach().numpy())


def test_team_values_grow_with_every_agents():
    torch.manual_seed(0)
    values, states = torch.randn(20, 4), torch.randn(20, 6)
    qmix = MonotoneMixer(4, 6)
    with torch.no_grad():
        for mixer in (SumMixer(), qmix):
            before = mixer(values, states)
            assert before.shape == (20,)
            for agent in range(4):
                more = values + torch.eye(4)[agent]
                assert (mixer(more, states) > before).all()
        assert torch.equal(SumMixer()(values, states), values.sum(1))
        assert not torch.allclose(qmix(values, states), qmix(values, torch.randn(20, 6)))
