"""Policy gradient with a leave-one-out baseline (Kool et al., DeepRLStructPred at ICLR 2019)."""

import torch

LEAST_SPREAD = 0.1  # of rewards; where designs are nearly alike, noise must not be learned from


def sample_designs(logs: torch.Tensor, count: int, rng: torch.Generator) -> torch.Tensor:
    """Draw designs from the policy's probabilities.

    Args:
        logs: Log-probabilities of one network, shape (L, K, V).
        count: Designs.
        rng: Source of randomness.

    Returns:
        Places of values, shape (count, L, K).
    """
    layers, knobs, _ = logs.shape
    flat = torch.multinomial(logs.exp().flatten(0, 1), count, replacement=True, generator=rng)
    return flat.view(layers, knobs, count).permute(2, 0, 1)


def policy_gradient_loss(
    logs: torch.Tensor, places: torch.Tensor, rewards: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Raise the probability of designs that beat the others.

    A design's advantage is its reward less the mean of the others, over their spread.

    Args:
        logs: Log-probabilities of one network, shape (L, K, V).
        places: Designs drawn from them, shape (B, L, K), at least two.
        rewards: Of the designs, shape (B,).

    Returns:
        The loss per layer, and the policy's entropy, mean over the layers.
    """
    others = (rewards.sum() - rewards) / (len(rewards) - 1)
    advantage = (rewards - others) / (rewards.std() + LEAST_SPREAD)
    chosen = logs.expand(len(rewards), -1, -1, -1).gather(3, places[..., None])
    entropy = -(logs.exp() * logs).sum((1, 2)).mean()
    return -(advantage * chosen.sum((1, 2, 3))).mean() / len(logs), entropy
