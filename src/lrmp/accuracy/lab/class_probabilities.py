"""How probable the classes are, by the float network's own word, corrected for its overconfidence.

Labels of a few hundred images tell a design's drop with an error of about a point, for whether an
image that a design classifies otherwise was right before is the toss of a coin. The float network
knows that coin's odds: added up over the images, they tell the same drop, with a fraction of the
error.
"""

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.1, 10.0


def temperature(log_probabilities: Tensor, labels: Tensor) -> float:
    """Fit the temperature under which the labels are most likely (Guo et al., ICML 2017).

    Args:
        log_probabilities: Of the float network, shape (N, classes).
        labels: Shape (N,).

    Returns:
        What scores are to be divided by, from 0.1 to 10.
    """
    scores = log_probabilities.double()

    def loss(logarithm: float) -> float:
        likelihoods = (scores / 2.0**logarithm).log_softmax(1).gather(1, labels[:, None])
        return -float(likelihoods.mean())

    bounds = [float(torch.tensor(bound).log2()) for bound in (LEAST_TEMPERATURE, MOST_TEMPERATURE)]
    return float(2.0 ** minimize_scalar(loss, bounds=bounds, method="bounded").x)


def class_probabilities(log_probabilities: Tensor, temperature: float) -> Tensor:
    """Divide scores by a temperature.

    Args:
        log_probabilities: Of the float network, shape (N, classes).
        temperature: Positive.

    Returns:
        Shape (N, classes).
    """
    return (log_probabilities.double() / temperature).softmax(1)
