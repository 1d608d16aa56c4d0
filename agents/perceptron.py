"""Perceptrons of two hidden layers, as PPO's networks are."""

from itertools import pairwise

from torch import nn


def perceptron(inputs: int, hidden: int, outputs: int, scale: float) -> nn.Sequential:
    """Build a network with orthogonal weights and zero biases (Engstrom et al., ICLR 2020).

    Args:
        inputs: Size of the input.
        hidden: Width of both hidden layers, tanh behind each.
        outputs: Size of the output.
        scale: Gain of the last layer's weights.

    Returns:
        The network.
    """
    sizes = (inputs, hidden, hidden, outputs)
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(pairwise(sizes)):
        linear = nn.Linear(before, after)
        last = place == len(sizes) - 2
        nn.init.orthogonal_(linear.weight, scale if last else 2**0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, nn.Tanh()]
    return nn.Sequential(*layers)
