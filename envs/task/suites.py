"""Suites: the environments that a benchmark of agents runs on, by name."""

from collections.abc import Mapping
from types import MappingProxyType

#: ``"default"``: measured tasks on which agents differ, since no setting for all layers alike comes
#: near their optimum, of small, middle and large networks; two whose energy counts, where copies do
#: not help; and the family of random tasks, which asks for a policy and not for one design. The
#: energy-delay products stay out: the design of least latency has nearly all of their optimum.
suites: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "default": (
            "LRMP-ResNet8-v0",
            "LRMP-ResNet20-v0",
            "LRMP-SqueezeNet-v0",
            "LRMP-MobileNetV2-v0",
            "LRMP-EfficientNetLite0-v0",
            "LRMP-ResNet18-v0",
            "LRMP-ResNet50-v0",
            "LRMP-ResNet18-Energy-v0",
            "LRMP-MobileNetV2-Energy-v0",
            "LRMP-Procedural-v0",
        ),
    }
)
