"""The environments of random tasks with spaces of their own, over many episodes at once."""

from typing import ClassVar

from lrmp.envs.procedural.environment import ProceduralEnv, ProceduralOneShotEnv
from lrmp.envs.procedural.environment_vector import ProceduralOneShotVectorEnv, ProceduralVectorEnv
from lrmp.envs.procedural.spaces_environment import ProceduralSpacesEnv, ProceduralSpacesOneShotEnv


class ProceduralSpacesVectorEnv(ProceduralVectorEnv):
    """`ProceduralSpacesEnv` for many episodes."""

    scalar: ClassVar[type[ProceduralEnv]] = ProceduralSpacesEnv


class ProceduralSpacesOneShotVectorEnv(ProceduralOneShotVectorEnv):
    """`ProceduralSpacesOneShotEnv` for many episodes."""

    scalar: ClassVar[type[ProceduralOneShotEnv]] = ProceduralSpacesOneShotEnv
