"""A policy over sets of layers: it decides all knobs of any network at once."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrmp.agents.categorical_policy import FIRST_TILT
from lrmp.agents.knob_heads import by_knob, middles, tilted
from lrmp.agents.policy_file import PolicyModule
from lrmp.errors import PolicyError


class SetPolicy(PolicyModule):
    """Self-attention over layers (Vaswani et al., NeurIPS 2017); a category per value of a knob.

    What it learns of one network holds for others, of any number of layers. It acts on the
    observations of ``LRMP-Procedural-OneShot-v0``.

    Args:
        observation_size: Features of a layer.
        sizes: How many values the K knobs have.
        width: Of the tokens.
        blocks: Attention blocks.
        heads: Of every block.
        tilt: What every value more adds to a first logit.
    """

    kind = "lrmp.set/1"

    def __init__(
        self,
        observation_size: int,
        sizes: Sequence[int],
        width: int = 64,
        blocks: int = 3,
        heads: int = 4,
        tilt: float = FIRST_TILT,
    ) -> None:
        super().__init__()
        self.settings = {
            "observation_size": observation_size,
            "sizes": list(sizes),
            "width": width,
            "blocks": blocks,
            "heads": heads,
            "tilt": tilt,
        }
        self.sizes = tuple(sizes)
        self.embed = nn.Linear(observation_size, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, blocks, enable_nested_tensor=False)
        self.decide = nn.Linear(width, sum(sizes))
        with torch.no_grad():
            self.decide.weight.mul_(0.01)
            self.decide.bias.copy_(tilted(sizes, tilt))

    def log_probabilities(self, layers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what the policy thinks of every value in every layer.

        Args:
            layers: Features, shape (B, N, observation_size).
            mask: Which rows are layers, shape (B, N).

        Returns:
            Log-probabilities, shape (B, N, K, V), as in `by_knob`.
        """
        tokens = self.blocks(self.embed(layers), src_key_padding_mask=~mask)
        logits: torch.Tensor = self.decide(tokens)
        return by_knob(logits, self.sizes).log_softmax(-1)

    def greedy(self, observation: torch.Tensor) -> torch.Tensor:
        """Take the likeliest values in the layers of one network.

        Args:
            observation: Features, shape (L, observation_size).

        Returns:
            An action of the continuous space, shape (L K,).
        """
        mask = torch.ones(1, len(observation), dtype=torch.bool)
        index = self.log_probabilities(observation[None], mask)[0].argmax(-1)
        return middles(index, self.sizes).flatten()

    def act(self, observation: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:  # type: ignore[override]  # a set, no vector
        """Choose the settings of all layers without exploration.

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
        action = np.zeros(len(self.sizes) * len(layers), np.float32)
        with torch.no_grad():
            chosen = self.greedy(torch.from_numpy(layers[mask])).numpy()
        action[: len(chosen)] = chosen
        return action
