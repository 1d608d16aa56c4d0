import pytest

torch = pytest.importorskip("torch")

from lrmp.agents import deterministic_policy_gradient as written  # noqa: E402
from lrmp.agents.actor_critic import Actor, Critic  # noqa: E402
from lrmp.agents.flat_adam import flatten_parameters  # noqa: E402

SIZES = (6, 3, 40)


@pytest.fixture
def networks():
    torch.manual_seed(0)
    actor, critic = Actor(*SIZES), Critic(*SIZES)
    for network in (actor, critic):
        torch.nn.init.normal_(network.fc3.weight)  # where slopes are not near zero
    return actor, critic


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(50, 6, generator=generator),
        torch.rand(50, 3, generator=generator) * 2 - 1,
        torch.randn(50, generator=generator),
    )


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_actions_and_values_are_the_networks_own(networks, batch):
    actor, critic = networks
    observation, action, _ = batch
    assert_close(written.choose(actor, observation), actor(observation))
    assert_close(written.value(critic, observation, action), critic(observation, action))


def test_gradient_of_the_critic_is_that_of_autograd(networks, batch):
    _, critic = networks
    observation, action, target = batch
    loss = torch.nn.functional.mse_loss(critic(observation, action), target)
    expected = torch.autograd.grad(loss, list(critic.parameters()))
    flatten_parameters(critic).grad.fill_(7.0)  # is overwritten
    error = written.critic_gradient(critic, observation, action, target)
    assert_close(error, critic(observation, action) - target)
    for (name, parameter), gradient in zip(critic.named_parameters(), expected, strict=True):
        assert gradient.abs().max() > 1e-3, name
        assert_close(parameter.grad, gradient)


def test_gradient_of_the_actor_is_that_of_autograd(networks, batch):
    actor, critic = networks
    observation, _, _ = batch
    values = critic(observation, actor(observation))
    expected = torch.autograd.grad(-values.mean(), list(actor.parameters()))
    flatten_parameters(actor).grad.fill_(7.0)
    critics_own = flatten_parameters(critic).grad.fill_(7.0)
    assert_close(written.actor_gradient(actor, critic, observation), values)
    assert (critics_own == 7).all()
    for (name, parameter), gradient in zip(actor.named_parameters(), expected, strict=True):
        assert gradient.abs().max() > 1e-3, name
        assert_close(parameter.grad, gradient)
