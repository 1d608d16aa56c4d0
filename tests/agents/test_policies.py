import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from lrmp.agents.actor_critic import Actor  # noqa: E402
from lrmp.agents.categorical_policy import CategoricalPolicy  # noqa: E402
from lrmp.agents.policies import load_policy  # noqa: E402
from lrmp.errors import PolicyError  # noqa: E402


@pytest.fixture(params=[lambda: Actor(18, 2), lambda: CategoricalPolicy(18)])
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
    assert ((action >= 0) & (action <= 1)).all()


def test_other_tensors_are_refused_with_the_known_kinds(tmp_path):
    path = tmp_path / "policy.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(
        PolicyError,
        match=r"policy of kind lrmp\.actor/1, lrmp\.categorical/1, lrmp\.layer-agents/1, "
        r"lrmp\.set/1; got None",
    ):
        load_policy(path)
    CategoricalPolicy(3).save(path)
    with pytest.raises(PolicyError, match=r"kind 'lrmp\.actor/1', got 'lrmp\.categorical/1'"):
        Actor.load(path)


def test_first_policy_prefers_many_bits():
    torch.manual_seed(0)
    probabilities = CategoricalPolicy(18).log_probabilities(torch.rand(5, 18)).exp()
    assert probabilities.shape == (5, 2, 7)
    assert probabilities.sum(-1).detach().numpy() == pytest.approx(np.ones((5, 2)), abs=1e-5)
    assert (probabilities.diff(dim=-1) > 0).all()


def test_greedy_action_is_the_likeliest_width():
    policy = CategoricalPolicy(4)
    with torch.no_grad():
        policy.actor[-1].bias[:] = 0
        policy.actor[-1].bias[[3, 7 + 6]] = 9
    action = policy.act(np.zeros(4, np.float32))
    assert (2 + np.floor(7 * action)).tolist() == [5, 8]
