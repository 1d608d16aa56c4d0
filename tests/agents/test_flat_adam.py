import copy

import pytest

torch = pytest.importorskip("torch")

from lrmp.agents.actor_critic import Actor, Critic  # noqa: E402
from lrmp.agents.flat_adam import FlatAdam, flatten_parameters  # noqa: E402

SIZES = (6, 3, 40)


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return Actor(*SIZES), Critic(*SIZES)


def test_flat_parameters_are_the_networks_own(networks):
    actor, critic = networks
    before = [p.clone() for p in [*actor.parameters(), *critic.parameters()]]
    vector = flatten_parameters(actor, critic)
    assert vector.numel() == sum(p.numel() for p in before)
    for found, expected in zip([*actor.parameters(), *critic.parameters()], before, strict=True):
        assert torch.equal(found, expected)
    with torch.no_grad():
        vector.zero_()
    assert all((p == 0).all() for p in critic.parameters())
    actor.load_state_dict(Actor(*SIZES).state_dict())
    assert vector.abs().max() > 0
    actor(torch.rand(4, SIZES[0])).sum().backward()
    assert torch.equal(vector.grad[: actor.fc1.weight.numel()], actor.fc1.weight.grad.flatten())
    assert actor.fc1.weight.grad.abs().max() > 0


def test_flat_adam_steps_as_torchs_own(networks):
    actor, _ = networks
    observation = torch.rand(50, SIZES[0])
    plain = copy.deepcopy(actor)
    theirs = torch.optim.Adam(plain.parameters())
    vector = flatten_parameters(actor)
    ours = FlatAdam(vector, 1e-3)
    for step in range(20):
        theirs.param_groups[0]["lr"] = ours.learning_rate = 1e-2 / (1 + step)
        theirs.zero_grad()
        ours.zero_gradients()
        for network in (plain, actor):
            network(observation).square().mean().backward()
        theirs.step()
        ours.step()
    torch.testing.assert_close(
        vector, torch.nn.utils.parameters_to_vector(plain.parameters()), rtol=1e-5, atol=1e-6
    )
    assert not list(ours.parameters())


def test_flat_adam_goes_on_from_a_checkpoint(networks):
    actor, _ = networks
    vectors = flatten_parameters(actor), flatten_parameters(copy.deepcopy(actor))
    first, second = (FlatAdam(vector, 1e-2) for vector in vectors)
    for _ in range(3):
        vectors[0].grad.normal_(generator=torch.Generator().manual_seed(0))
        first.step()
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        vectors[1].copy_(vectors[0])
    vectors[1].grad.copy_(vectors[0].grad)
    first.step()
    second.step()
    assert torch.equal(*vectors)
