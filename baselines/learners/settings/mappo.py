"""Settings of multi-agent PPO: those of independent PPO."""

from dataclasses import dataclass
from typing import ClassVar

from lrmp.baselines.learners.settings import ippo


@dataclass(frozen=True)
class Args(ippo.Args):
    """Multi-agent PPO: an agent per layer, a centralised critic."""

    algorithm: ClassVar[str] = "mappo"
    centralised: ClassVar[bool] = True
