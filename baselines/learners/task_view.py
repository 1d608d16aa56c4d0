"""What policies over sets of layers see of a task, and what their choices mean in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lrmp.agents.set_policy import SetPolicy
from lrmp.agents.space_policy import SpacePolicy
from lrmp.envs.procedural.features import transfer_feature_names, transfer_features
from lrmp.envs.procedural.slots import check_fits
from lrmp.envs.procedural.value_features import VALUE_FEATURES, value_features
from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace

Policy = SetPolicy | SpacePolicy


@dataclass(frozen=True)
class TaskView:
    """A task as a policy sees it.

    Attributes:
        dynamics: Scores designs.
        seen: What is told of every layer, tensors of shape (L, ...): features and, where the policy
            decides any knobs, features of values and which are possible.
    """

    dynamics: Dynamics
    seen: tuple[torch.Tensor, ...]

    @classmethod
    def of(cls, task: TaskLike, policy: Policy) -> "TaskView":
        """Describe a task.

        Args:
            task: Whose accuracy is a table.
            policy: That is to see it.

        Returns:
            What it sees.

        Raises:
            TaskError: If the knobs of the task do not fit what the policy decides.
        """
        task = find_task(task)
        if isinstance(policy, SetPolicy):
            return cls(Dynamics(task), (torch.from_numpy(transfer_features(task)),))
        check_fits(task)
        layers = transfer_features(task, transfer_feature_names(()))
        values, possible = value_features(task)
        seen = (layers, values, possible.astype(bool))
        return cls(Dynamics(task), tuple(map(torch.from_numpy, seen)))

    def __len__(self) -> int:
        return len(self.dynamics)

    def settings(self, places: torch.Tensor) -> IntArray:
        """Turn what a policy chose into settings.

        Args:
            places: Of values in the policy's slots, shape (B, L, K or more).

        Returns:
            Those of the task's knobs, shape (B, L, K).
        """
        space = self.dynamics.space
        return space.nearest(places[..., : len(space)].numpy())


def log_probabilities(policy: Policy, views: Sequence[TaskView]) -> list[torch.Tensor]:
    """Return what a policy thinks of every value in every layer of several tasks.

    Args:
        policy: Any.
        views: What it sees of them.

    Returns:
        Log-probabilities of each, shape (L, K, V).
    """
    pad = torch.nn.utils.rnn.pad_sequence
    layers, *others = (
        pad(list(each), batch_first=True) for each in zip(*(v.seen for v in views), strict=True)
    )
    mask = torch.arange(layers.shape[1]) < torch.tensor([len(view) for view in views])[:, None]
    logs: torch.Tensor = policy.log_probabilities(layers, mask, *others)
    return [each[: len(view)] for each, view in zip(logs, views, strict=True)]


def new_policy(space: DesignSpace | None) -> Policy:
    """Make a policy that knows nothing.

    Args:
        space: The knobs that it decides; None for any.

    Returns:
        It prefers high values.
    """
    if space is None:
        return SpacePolicy(len(transfer_feature_names(())), len(VALUE_FEATURES))
    return SetPolicy(len(transfer_feature_names(space)), space.sizes)
