"""The built-in networks, a file per family."""

from lrmp.hardware.networks.catalogue import NETWORKS, list_networks, load_network

__all__ = ["NETWORKS", "list_networks", "load_network"]
