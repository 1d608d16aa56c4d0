"""Benchmark suite for hardware/DNN co-design on in-memory computing.

``import lrmp`` registers the Gymnasium environments (``gym.make("LRMP-ResNet18-v0")``); it loads
neither torch nor matplotlib. ``gym.make("lrmp:LRMP-ResNet18-v0")`` needs no import statement and
is the form for worker processes.
"""

from importlib.metadata import version as _version

from lrmp.envs.registration import register_envs

__version__ = _version("lrmp")

register_envs()
