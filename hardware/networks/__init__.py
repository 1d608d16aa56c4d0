"""The built-in networks, a file per family."""

from lrmp.hardware.networks.catalogue import NETWORKS, load_network

__all__ = ["NETWORKS", "load_network"]
