"""DDPG's two gradients, written out (Silver et al., ICML 2014; Lillicrap et al., ICLR 2016).

For networks as small as these, autograd takes longer to keep its books than to multiply. Gradients
are written to where parameters have theirs, over what was there.
"""

from typing import NamedTuple

import torch
from torch import nn

from lrmp.agents.actor_critic import Actor, Critic, squash


class _Pass(NamedTuple):
    """What a network made of N inputs.

    Attributes:
        first: First hidden layer, behind its ReLU, shape (N, hidden).
        second: Second hidden layer, likewise.
        output: Shape (N, outputs).
    """

    first: torch.Tensor
    second: torch.Tensor
    output: torch.Tensor


@torch.no_grad()
def choose(actor: Actor, observation: torch.Tensor) -> torch.Tensor:
    """Choose actions, as the actor does.

    Args:
        actor: The policy.
        observation: Shape (N, observation_size).

    Returns:
        Shape (N, action_size).
    """
    return squash(_run_actor(actor, observation).output)


@torch.no_grad()
def value(critic: Critic, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
    """Value actions, as the critic does.

    Args:
        critic: Gives the values.
        observation: Shape (N, observation_size).
        action: Shape (N, action_size).

    Returns:
        Shape (N,).
    """
    return _run_critic(critic, observation, action).output[:, 0]


@torch.no_grad()
def critic_gradient(
    critic: Critic, observation: torch.Tensor, action: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Set the gradients of a critic's mean squared error.

    Args:
        critic: With gradients of its parameters.
        observation: Shape (N, observation_size).
        action: Shape (N, action_size).
        target: What the values should be, shape (N,).

    Returns:
        The errors, values less targets, shape (N,).
    """
    made = _run_critic(critic, observation, action)
    error = made.output - target[:, None]
    slope = _run_back(critic, made, error * (2 / len(error)), learn=True)
    _learn(critic.observation, observation, slope)
    _learn(critic.action, action, slope)
    return error[:, 0]


@torch.no_grad()
def actor_gradient(actor: Actor, critic: Critic, observation: torch.Tensor) -> torch.Tensor:
    """Set the gradients of an actor whose loss is the mean value of its actions, negated.

    Args:
        actor: With gradients of its parameters.
        critic: Gives the values; its gradients stay as they are.
        observation: Shape (N, observation_size).

    Returns:
        The values, shape (N,).
    """
    made = _run_actor(actor, observation)
    action = squash(made.output)
    valued = _run_critic(critic, observation, action)
    slope = torch.full_like(valued.output, -1 / len(action))
    slope = _run_back(critic, valued, slope, learn=False)
    slope = torch.mm(slope, critic.action.weight)
    slope = _run_back(actor, made, slope * (1 - action.square()) / 2, learn=True)
    _learn(actor.fc1, observation, slope)
    return valued.output[:, 0]


def _run_actor(actor: Actor, observation: torch.Tensor) -> _Pass:
    return _run(actor, _linear(actor.fc1, observation))


def _run_critic(critic: Critic, observation: torch.Tensor, action: torch.Tensor) -> _Pass:
    seen = _linear(critic.observation, observation)
    return _run(critic, seen.add_(_linear(critic.action, action)))


def _linear(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    # Faster than addmm, which copies the bias to every row first.
    return torch.mm(x, layer.weight.T).add_(layer.bias)


def _run(network: Actor | Critic, first: torch.Tensor) -> _Pass:
    """Go on from the first hidden layer, whose ReLU is to come."""
    first = first.relu_()
    second = _linear(network.fc2, first).relu_()
    return _Pass(first, second, _linear(network.fc3, second))


def _run_back(
    network: Actor | Critic, made: _Pass, slope: torch.Tensor, *, learn: bool
) -> torch.Tensor:
    """Turn a loss's slope by the output into that by the first hidden layer before its ReLU.

    Args:
        network: Whose last two layers get their gradients if it is to ``learn``.
        made: What it made.
        slope: Shape (N, outputs).
        learn: Whether to set gradients.

    Returns:
        Shape (N, hidden).
    """
    for layer, hidden in ((network.fc3, made.second), (network.fc2, made.first)):
        if learn:
            _learn(layer, hidden, slope)
        slope = torch.mm(slope, layer.weight).mul_(hidden.sign())
    return slope


def _learn(layer: nn.Linear, x: torch.Tensor, slope: torch.Tensor) -> None:
    """Set a layer's gradients, given its input and the loss's slope by its output."""
    torch.mm(slope.T, x, out=layer.weight.grad)
    torch.sum(slope, 0, out=layer.bias.grad)
