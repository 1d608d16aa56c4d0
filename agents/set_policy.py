"""A policy over sets of layers: it decides all bits of any network at once."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrmp.agents.categorical_policy import FIRST_TILT, OPERANDS, WIDTHS
from lrmp.agents.policy_file import PolicyModule
from lrmp.errors import PolicyError


class SetPolicy(PolicyModule):
    """Self-attention over layers (Vaswani et al., NeurIPS 2017), a category per width and operand.

    What it learns of one network holds for others, of any number of layers. It acts on the
    observations of ``LRMP-Procedural-OneShot-v0``.

    Args:
        observation_size: Features of a layer.
        width: Of the tokens.
        blocks: Attention blocks.
        heads: Of every block.
        tilt: What every bit more adds to a first logit.
    """

    kind = "lrmp.set/1"

    def __init__(
        self,
        observation_size: int,
        width: int = 64,
        blocks: int = 3,
        heads: int = 4,
        tilt: float = FIRST_TILT,
    ) -> None:
        super().__init__()
        self.settings = {
            "observation_size": observation_size,
            "width": width,
            "blocks": blocks,
            "heads": heads,
            "tilt": tilt,
        }
        self.embed = nn.Linear(observation_size, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, blocks, enable_nested_tensor=False)
        self.decide = nn.Linear(width, OPERANDS * WIDTHS)
        with torch.no_grad():
            self.decide.weight.mul_(0.01)
            self.decide.bias.copy_(tilt * torch.arange(WIDTHS).repeat(OPERANDS))

    def log_probabilities(self, layers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what the policy thinks of every bit width of every layer.

        Args:
            layers: Features, shape (B, N, observation_size).
            mask: Which rows are layers, shape (B, N).

        Returns:
            Log-probabilities, shape (B, N, 2, 7).
        """
        tokens = self.blocks(self.embed(layers), src_key_padding_mask=~mask)
        logits: torch.Tensor = self.decide(tokens)
        return logits.reshape(*logits.shape[:-1], OPERANDS, WIDTHS).log_softmax(-1)

    def greedy(self, observation: torch.Tensor) -> torch.Tensor:
        """Take the likeliest widths of the layers of one network.

        Args:
            observation: Features, shape (L, observation_size).

        Returns:
            Middles of their intervals in 0..1, shape (2 L,).
        """
        mask = torch.ones(1, len(observation), dtype=torch.bool)
        index = self.log_probabilities(observation[None], mask)[0].argmax(-1)
        return ((index.float() + 0.5) / WIDTHS).flatten()

    def act(self, observation: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:  # type: ignore[override]  # a set, no vector
        """Choose the bits of all layers without exploration.

        Args:
            observation: Of ``LRMP-Procedural-OneShot-v0``.

        Returns:
            An action of it; 0 behind the last layer.

        Raises:
            PolicyError: If the layers have other features.
        """
        layers, mask = observation["layers"], observation["mask"].astype(bool)
        if layers.shape[1:] != (self.settings["observation_size"],):
            raise PolicyError(
                f"Expected layers of {self.settings['observation_size']} features, got "
                f"{layers.shape}: the policy was trained on another environment."
            )
        action = np.zeros(2 * len(layers), np.float32)
        with torch.no_grad():
            chosen = self.greedy(torch.from_numpy(layers[mask])).numpy()
        action[: len(chosen)] = chosen
        return action
