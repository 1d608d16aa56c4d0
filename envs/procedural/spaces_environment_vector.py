"""The environments of random tasks with spaces of their own, over many episodes at once."""

from typing import ClassVar

from lrmp.envs.procedural.environment import ProceduralEnv, ProceduralOneShotEnv
from lrmp.envs.procedural.environment_vector import ProceduralOneShotVectorEnv, ProceduralVectorEnv
from lrmp.envs.procedural.spaces_environment import ProceduralSpacesEnv, ProceduralSpacesOneShotEnv


class ProceduralSpacesVectorEnv(ProceduralVectorEnv):
    """Play many episodes of `ProceduralSpacesEnv` side by side."""

    scalar: ClassVar[type[ProceduralEnv]] = ProceduralSpacesEnv


class ProceduralSpacesOneShotVectorEnv(ProceduralOneShotVectorEnv):
    """Play many episodes of `ProceduralSpacesOneShotEnv` side by side."""

    scalar: ClassVar[type[ProceduralOneShotEnv]] = ProceduralSpacesOneShotEnv
