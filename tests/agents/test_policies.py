import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from lrmp.agents.actor_critic import Actor  # noqa: E402
from lrmp.agents.categorical_policy import CategoricalPolicy  # noqa: E402
from lrmp.agents.layer_agents import LayerAgents  # noqa: E402
from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.agents.policy_gradient import sample_designs  # noqa: E402
from lrmp.agents.set_policy import SetPolicy  # noqa: E402
from lrmp.errors import PolicyError  # noqa: E402


@pytest.fixture(params=[lambda: Actor(18, 2), lambda: CategoricalPolicy(18, [7, 7])])
def policy(request):
    torch.manual_seed(0)
    return request.param()


def test_policies_of_every_kind_are_loaded(policy, tmp_path):
    policy.save(tmp_path / "policy.safetensors")
    loaded = load_policy(tmp_path / "policy.safetensors")
    assert type(loaded) is type(policy)
    observation = np.linspace(0, 1, 18, dtype=np.float32)
    action = policy.act(observation)
    assert np.array_equal(loaded.act(observation), action)
    assert action.shape == (2,)
    assert ((action >= -1) & (action <= 1)).all()


def test_other_tensors_are_refused_with_the_known_kinds(tmp_path):
    path = tmp_path / "policy.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(
        PolicyError,
        match=r"policy of kind lrmp\.actor/1, lrmp\.categorical/1, lrmp\.composite/1, "
        r"lrmp\.layer-agents/1, lrmp\.set/1, lrmp\.space/1; got None",
    ):
        load_policy(path)
    CategoricalPolicy(3, [7, 7]).save(path)
    with pytest.raises(PolicyError, match=r"kind 'lrmp\.actor/1', got 'lrmp\.categorical/1'"):
        Actor.load(path)


def test_first_policy_prefers_high_values():
    torch.manual_seed(0)
    probabilities = CategoricalPolicy(18, [7, 7]).log_probabilities(torch.rand(5, 18)).exp()
    assert probabilities.shape == (5, 2, 7)
    assert probabilities.sum(-1).detach().numpy() == pytest.approx(np.ones((5, 2)), abs=1e-5)
    assert (probabilities.diff(dim=-1) > 0).all()


@pytest.mark.parametrize("sizes", [[7, 7], [7, 3, 2], [1, 5]])
def test_greedy_action_is_the_likeliest_value(sizes):
    policy = CategoricalPolicy(4, sizes)
    best = [(size - 1) // 2 for size in sizes]
    with torch.no_grad():
        policy.actor[-1].bias[:] = 0
        for start, place in zip(np.cumsum([0, *sizes[:-1]]), best, strict=True):
            policy.actor[-1].bias[start + place] = 9
    action = policy.act(np.zeros(4, np.float32))
    assert np.floor(np.array(sizes) * (action + 1) / 2).tolist() == best


def test_heads_have_as_many_values_as_the_knobs(tmp_path):
    torch.manual_seed(0)
    sizes = [7, 3, 2]
    seen = torch.rand(6, 5)
    policies = [CategoricalPolicy(5, sizes), LayerAgents(5, sizes, tilt=0.5), SetPolicy(5, sizes)]
    for policy in policies:
        if isinstance(policy, SetPolicy):
            logs = policy.log_probabilities(seen[None], torch.ones(1, 6, dtype=torch.bool))[0]
        else:
            logs = policy.log_probabilities(seen)
        assert logs.shape == (6, 3, 7)
        for knob, size in enumerate(sizes):
            chances = logs[:, knob].exp()
            assert (chances[:, :size] > 0.01).all()
            assert (chances[:, size:] == 0).all()
            assert chances.sum(-1).detach().numpy() == pytest.approx(np.ones(6), abs=1e-5)
        entropy = -(logs.exp() * logs).sum()
        entropy.backward()
        assert all(
            parameter.grad is None or parameter.grad.isfinite().all()
            for parameter in policy.parameters()
        )
        drawn = sample_designs(logs.detach(), 200, torch.Generator().manual_seed(0))
        assert drawn.amax((0, 1)).tolist() == [6, 2, 1]
        policy.save(tmp_path / "policy.safetensors")
        loaded = load_policy(tmp_path / "policy.safetensors")
        assert loaded.settings["sizes"] == sizes
        assert loaded.sizes == (7, 3, 2)


@pytest.mark.parametrize("sizes", [[7, 6], [7], "77", [7, 2**13], [-7, 21], 14, [7.0, 7.0], []])
def test_sizes_that_do_not_fit_the_weights_are_refused(sizes, tmp_path):
    path = tmp_path / "policy.safetensors"
    policy = CategoricalPolicy(3, [7, 7])
    header = {"kind": policy.kind, **policy.settings, "sizes": sizes}
    save_file(policy.state_dict(), path, {"policy": json.dumps(header)})
    with pytest.raises(PolicyError, match="that fit"):
        load_policy(path)
