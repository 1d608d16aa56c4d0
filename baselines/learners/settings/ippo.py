"""Settings of independent PPO."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lrmp.baselines.running.command import check_counts
from lrmp.envs.forms.multi_agent_vector import Credit
from lrmp.envs.task.custom_task import TaskLike
from lrmp.errors import RunError


@dataclass(frozen=True)
class Args:
    """Independent PPO, an agent per layer."""

    algorithm: ClassVar[str] = "ippo"
    centralised: ClassVar[bool] = False  # whether the critic sees the state

    env_id: TaskLike = "LRMP-ResNet18-v0"
    """id of the environment, in any form, or a task file (.toml); played in its multi-agent form"""
    seed: int = 1
    """seed of the run: initial weights, exploration and minibatches"""
    evaluations: int = 600
    """designs that the agents choose, a multiple of NUM_ENVS * ROUNDS"""
    credit: Credit = "team"
    """what an agent is rewarded with: the team's score, or the difference that its layer makes,
    which takes another design per layer to score"""
    rounds: int = 1
    """how often all layers choose in an episode, knowing the design before"""
    runs_dir: Path = Path("runs")
    """where the run directory is made: RUNS_DIR/ENV_ID__AGENT__SEED, AGENT being the algorithm's
    name, with -difference for that credit"""

    # Algorithm specific arguments
    num_envs: int = 20
    """episodes side by side, which one iteration learns from"""
    identities: bool = True
    """show every agent also who it is"""
    learning_rate: float = 3e-3
    """Adam's first learning rate; it falls linearly to zero"""
    gamma: float = 1.0
    """discount"""
    gae_lambda: float = 0.95
    """trace of the advantage estimate"""
    epochs: int = 10
    """passes over the steps of an iteration"""
    minibatches: int = 4
    """parts of a pass"""
    clip: float = 0.4
    """how far the ratio of new to old probabilities counts; for difference rewards take 0.2"""
    entropy: float = 0.0
    """first weight of the entropy; it falls linearly to zero; for 10,000 designs, 50 side by side,
    take 0.005"""
    value_weight: float = 0.5
    """weight of the value loss"""
    max_gradient: float = 0.5
    """largest norm of a gradient"""
    checkpoint_every: int = 25
    """iterations between checkpoints"""

    def __post_init__(self) -> None:
        check_counts(
            self.seed,
            evaluations=self.evaluations,
            rounds=self.rounds,
            num_envs=self.num_envs,
            epochs=self.epochs,
            minibatches=self.minibatches,
            checkpoint_every=self.checkpoint_every,
        )
        if self.evaluations % (self.num_envs * self.rounds):
            raise RunError(
                f"Expected evaluations to be a multiple of num_envs * rounds "
                f"({self.num_envs * self.rounds}), got {self.evaluations}."
            )

    @property
    def agent(self) -> str:
        """Name under which the run is ranked."""
        return self.algorithm + ("-difference" if self.credit == "difference" else "")
