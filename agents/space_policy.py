"""A policy over sets of layers and of values: it decides any knobs of any network at once."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrmp.agents.categorical_policy import FIRST_TILT
from lrmp.agents.knob_heads import IMPOSSIBLE
from lrmp.agents.policy_file import PolicyModule
from lrmp.errors import PolicyError

PLACE = 0  # which feature of a value is its place, 1 for the knob's last
_USUAL_VALUES = 7  # of bits; the tilt from the first to the last value is as `SetPolicy` has it


class SpacePolicy(PolicyModule):
    """Self-attention over layers, and a score for every value by what it does.

    It has no weights of its own for a knob or the place of a value: each value is read by its
    features, a knob by its values, a layer by its features and its knobs. So knobs may come in any
    order, and be ones that it was not trained on. It acts on the observations of
    ``LRMP-Procedural-Spaces-OneShot-v0``.

    Args:
        observation_size: Features of a layer.
        value_features: Features of a value; the first is its place.
        width: Of the tokens.
        blocks: Attention blocks.
        heads: Of every block.
        tilt: What every value more adds to a first logit of a knob of 7 values.
    """

    kind = "lrmp.space/1"

    def __init__(
        self,
        observation_size: int,
        value_features: int,
        width: int = 64,
        blocks: int = 3,
        heads: int = 4,
        tilt: float = FIRST_TILT,
    ) -> None:
        super().__init__()
        self.settings = {
            "observation_size": observation_size,
            "value_features": value_features,
            "width": width,
            "blocks": blocks,
            "heads": heads,
            "tilt": tilt,
        }
        self.embed = nn.Linear(observation_size, width)
        self.read_value = nn.Sequential(nn.Linear(value_features, width), nn.ReLU())
        self.read_knob = nn.Linear(width, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, blocks, enable_nested_tensor=False)
        self.decide = nn.Sequential(nn.Linear(3 * width, width), nn.ReLU(), nn.Linear(width, 1))
        self.prefer = nn.Linear(value_features, 1, bias=False)
        last = self.decide[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(0.01)
            last.bias.zero_()
            self.prefer.weight.zero_()
            self.prefer.weight[0, PLACE] = tilt * (_USUAL_VALUES - 1)

    def log_probabilities(
        self,
        layers: torch.Tensor,
        mask: torch.Tensor,
        values: torch.Tensor,
        possible: torch.Tensor,
    ) -> torch.Tensor:
        """Return what the policy thinks of every value in every layer.

        Args:
            layers: Features, shape (B, N, observation_size).
            mask: Which rows are layers, shape (B, N).
            values: Features, shape (B, N, K, V, value_features).
            possible: Which values a layer may have, shape (B, N, K, V); none in a slot without a
                knob.

        Returns:
            Log-probabilities, shape (B, N, K, V); ``IMPOSSIBLE`` or less for what is not possible,
            and 0 for the first place of a slot without a knob.
        """
        empty = ~possible.any(-1, keepdim=True)
        among = torch.cat([possible[..., :1] | empty, possible[..., 1:]], -1)
        read = self.read_value(values)
        weights = possible[..., None].to(read.dtype)
        knobs = (read * weights).sum(3) / weights.sum(3).clamp(min=1)
        tokens = self.embed(layers) + self.read_knob(knobs).mul(~empty).sum(2)
        tokens = self.blocks(tokens, src_key_padding_mask=~mask)
        shape = read.shape
        whole = [tokens[:, :, None, None].expand(shape), knobs[:, :, :, None].expand(shape), read]
        logits = (self.decide(torch.cat(whole, -1)) + self.prefer(values)).squeeze(-1)
        found: torch.Tensor = logits.masked_fill(~among, IMPOSSIBLE).log_softmax(-1)
        return found

    def greedy(self, observation: Any) -> torch.Tensor:
        """Take the likeliest values in the layers of one network.

        Args:
            observation: Features of its layers, of values, and which are possible, each of shape
                (L, ...).

        Returns:
            An action of the continuous space, shape (L K,).
        """
        layers, values, possible = observation
        mask = torch.ones(1, len(layers), dtype=torch.bool)
        logs = self.log_probabilities(layers[None], mask, values[None], possible[None])[0]
        counts = values[..., PLACE].argmax(-1) + 1
        action: torch.Tensor = (2 * logs.argmax(-1).float() + 1) / counts - 1
        return action.flatten()

    def act(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:  # type: ignore[override]  # sets, no vector
        """Choose the settings of all layers without exploration.

        Args:
            observation: Of ``LRMP-Procedural-Spaces-OneShot-v0``.

        Returns:
            An action of it; 0 behind the last layer.

        Raises:
            PolicyError: If layers or values have other features.
        """
        layers, mask = observation["layers"], observation["mask"].astype(bool)
        values, possible = observation["values"], observation["value_mask"].astype(bool)
        expected = self.settings["observation_size"], self.settings["value_features"]
        if (layers.shape[-1], values.shape[-1]) != expected:
            raise PolicyError(
                f"Expected layers of {expected[0]} and values of {expected[1]} features, got "
                f"{layers.shape[-1]} and {values.shape[-1]}: the policy was trained on another "
                "environment."
            )
        action = np.zeros(int(np.prod(values.shape[:2])), np.float32)
        seen = tuple(torch.from_numpy(each[mask]) for each in (layers, values, possible))
        with torch.no_grad():
            chosen = self.greedy(seen).numpy()
        action[: len(chosen)] = chosen
        return action
