"""The multi-objective environment: time, energy and accuracy, each with a reward of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lrmp.accuracy.model.accuracy_model import AccuracyKind
from lrmp.envs.forms.action import Discrete
from lrmp.envs.forms.layerwise import Action, LayerwiseEnv
from lrmp.envs.forms.layerwise_view import LayerwiseObservation
from lrmp.envs.scoring.features import Feature
from lrmp.envs.scoring.objectives import OBJECTIVES, divergence_table, objective_vectors
from lrmp.envs.scoring.observation import Observation
from lrmp.envs.task.custom_task import TaskLike
from lrmp.envs.task.task import Task


class MultiObjectiveEnv(LayerwiseEnv):
    """Trade latency, energy and accuracy: the layer-wise environment with vectors as rewards.

    ## Description
    The problem of `LayerwiseEnv`, without an allowed drop: there is no best design but a *front*
    of designs that none beats in everything. It is played as
    [MO-Gymnasium](https://mo-gymnasium.farama.org) plays: rewards are vectors, and
    `env.unwrapped.reward_space` says of what shape. `mo_gymnasium.make`, its wrappers and
    MORL-Baselines take it as one of their own; nothing of theirs is needed to make it.

    A design still is one choice of settings: after the last layer the replication oracle places the
    copies so that the *latency* is least, whatever they do to the energy. On the chip of the
    registered tasks copies cost energy, for each needs the layer's inputs delivered to it, while
    the energy of the computation is the same whichever copy does it. Of several best placements the
    canonical one counts, which holds the fewest tiles, so settings determine the vector.

    ## Action Space
    As `LayerwiseEnv`.

    ## Observation Space
    As `LayerwiseEnv`; what observations say of the accuracy spent is still scaled by the allowance.

    ## Rewards
    `env.unwrapped.reward_space` is `Box(-inf, inf, (3,), float32)`. Zeros until the last layer is
    decided; then, each the better the larger:

    | Num | Objective | Meaning |
    | --- | --- | --- |
    | 0 | latency | `ln(baseline / design)` of the cycles of one inference |
    | 1 | energy | `ln(baseline / design)` of the energy of one inference, copies included |
    | 2 | accuracy | `-divergence`, the sum of the accuracy table over the layers |

    The baseline is the plain chip, one copy of every layer. The divergence does not saturate, as
    drops do where all accuracy is lost; `task.accuracy.drop_map` makes percentage points of it.

    ## Score
    The hypervolume of all designs found, from a reference point, as a share of what is *proven* to
    be attainable at most. `lrmp.envs.reference_point(task)` is a design that gains nothing and
    loses ten times the allowed drop. `lrmp.envs.stored_front(task)` has `bound`, a proven upper
    bound of the hypervolume of all designs with any copies; `hypervolume`, that of the best
    designs known, which are stored with it and replayed; and `share(vectors)`, the score. No score
    exceeds 1; 1 itself may be out of reach, as the bound grants every design the copies that suit
    each objective best, and fractions of copies: compare with `best_known_share`, too.

    >>> import gymnasium as gym
    >>> from lrmp.envs import stored_front
    >>> env = gym.make("lrmp:LRMP-ResNet18-MultiObjective-v0", discrete=True)
    >>> vectors = []
    >>> for place in range(7):  # 2 to 8 bits
    ...     observation, info = env.reset(seed=0)
    ...     for _ in range(21):
    ...         observation, vector, terminated, truncated, info = env.step([place, place])
    ...     vectors.append(vector)
    >>> vectors[3].round(2)  # 5 bits
    array([ 1.81,  0.84, -0.28], dtype=float32)
    >>> round(stored_front(env.unwrapped.task).share(vectors), 2)
    0.5

    ## Starting State
    As `LayerwiseEnv`.

    ## Episode End
    As `LayerwiseEnv`.

    ## Info
    As `LayerwiseEnv`; `gain` and `accuracy_drop` are those of the task.

    ## Arguments
    | Parameter | Type | Default | Description |
    | --- | --- | --- | --- |
    | `task` | `str` or `Task` | the id's own | what is solved: an id, a TOML file, or a task |
    | `discrete` | `bool` or `"flat"` | `False` | actions as places of values, or one number |
    | `observation` | `str` | `"layer"` | `"layer"`, `"prefix"` or `"graph"`: how much is seen |
    | `features` | sequence or `None` | `None` | what is observed, in order; None for all |
    | `accuracy` | `str` or `None` | the task's own | `"table"`; no other kind has a divergence |
    | `render_mode` | `str` or `None` | `None` | `"ansi"` (text) or `"rgb_array"` |

    The accuracy of the task must be a table and the chip must give the energies of its events, else
    `TaskError` or `PresetError` say so. The copies of a task of your own serve its own objective.

    ## Vectorized environment
    `gym.make_vec(id, num_envs)` computes all episodes at once, as for `LayerwiseEnv`: rewards are
    of shape (num_envs, 3), the numbers of MO-Gymnasium's `MOSyncVectorEnv`, and
    `envs.unwrapped.reward_space` is that of one episode, as there. Gymnasium's own
    `vectorization_mode="sync"` and `"async"` take scalar rewards only.

    ## Registered Configurations
    One id per network that has an accuracy table, such as `LRMP-ResNet18-MultiObjective-v0`. Digits
    has none, as its drop is that of the network itself on images, which saturates.

    ## Version History
    - v0: first release.
    """

    def __init__(
        self,
        task: TaskLike | None,
        *,
        discrete: Discrete = False,
        observation: LayerwiseObservation = "layer",
        features: Sequence[Feature] | None = None,
        accuracy: AccuracyKind | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            task,
            discrete=discrete,
            observation=observation,
            features=features,
            accuracy=accuracy,
            render_mode=render_mode,
        )
        self.reward_space = reward_space(self.task)

    def step(  # type: ignore[override]  # Gymnasium knows scalars only
        self, action: Action
    ) -> tuple[Observation, NDArray[np.float32], bool, bool, dict[str, Any]]:
        """Decide the setting of the next layer.

        Args:
            action: A number for every knob, shape (K,), as the action space says.

        Returns:
            Observation, reward of shape (3,), terminated, truncated (always False), info.

        Raises:
            ActionError: If the action is not in the action space.
            InfeasibleBudgetError: If the finished design does not fit a budget smaller than the
                registered ones; the episode stays where it was.
            gymnasium.error.ResetNeeded: If the episode has ended or not begun.
        """
        observation, _, terminated, truncated, info = super().step(action)
        reward = np.zeros(self.reward_space.shape, np.float32)  # its own: wrappers write into it
        if terminated:
            assert self.outcome is not None
            design = self.outcome.design
            vectors = objective_vectors(self.task, design.settings[None], design.replication[None])
            reward[:] = vectors[0]
        return observation, reward, terminated, truncated, info


def reward_space(task: Task) -> spaces.Box:
    """Say what the reward vectors of a task look like.

    Args:
        task: What is solved.

    Returns:
        A box of shape (3,).

    Raises:
        TaskError: If the accuracy of the task is no table.
        PresetError: If its chip gives no energies.
    """
    divergence_table(task)
    task.cost_model.energy  # noqa: B018  say at once if there is none
    return spaces.Box(-np.inf, np.inf, (len(OBJECTIVES),), np.float32)
